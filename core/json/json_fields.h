// Reading the members of a JSON object with errors that name their path. null counts as absent.
// Every member that is asked for becomes known; RejectUnknown() refuses the rest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"

namespace finback {

// Throws Error(kInvalidRequest) with "<path>: <message>".
[[noreturn]] void FailAt(const std::string& path, const std::string& message);

// The beginning of a text, for messages; never cut inside a character.
std::string Shown(std::string_view text);

class JsonFields {
 public:
  // `path` is "" for the document itself. Throws unless `object` is an object.
  JsonFields(const Json& object, std::string path);

  std::string Path(std::string_view name) const;
  const Json* Find(std::string_view name);  // nullptr: absent or null
  const Json* FindObject(std::string_view name);
  const Json* FindArray(std::string_view name);
  const std::string* FindString(std::string_view name);
  bool Bool(std::string_view name, bool fallback);
  // False when absent; `*value` is then unchanged.
  bool Number(std::string_view name, double low, double high, double* value);
  bool Integer(std::string_view name, int64_t low, int64_t high, int64_t* value);
  void Ignore(std::string_view name) { known_.push_back(name); }
  void RejectUnknown() const;

 private:
  const Json& object_;
  std::string path_;
  std::vector<std::string_view> known_;
};

}  // namespace finback
