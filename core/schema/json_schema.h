// JSON Schema: whether an answer fits, and if not, where and why in words that a model understands.
// Draft 7, with the spellings of later drafts that schema generators emit ($defs, prefixItems,
// dependentRequired, keywords beside $ref).
#pragma once

#include <memory>
#include <string>

#include "core/json/json.h"

namespace finback {

// A compiled schema. Owns all it needs; immutable, so any thread may use it.
class JsonSchema {
 public:
  static constexpr const char* kRequestPath = "response_format.json_schema.schema";

  // Throws Error(kInvalidRequest) "<path>...: ..." on what is no schema, asserts what cannot be
  // judged here, refers to another document or to itself without end, or is unreasonably large.
  explicit JsonSchema(const Json& schema, const std::string& path = kRequestPath);
  ~JsonSchema();
  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;

  // "" if `value` fits, else one line with the first few problems: `$.items[2].price: expected a
  // number, found a string "12"; ...`. Throws Error(kInvalidRequest) when schema and value together
  // take more than a bounded effort.
  std::string Problem(const Json& value) const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

// A value in few words, on one line, for messages: `a string "12"`, `3.5`, `an object`.
std::string DescribeJson(const Json& value);

}  // namespace finback
