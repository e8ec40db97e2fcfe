// A JSON document as plain data, built from nlohmann's SAX events. Objects keep insertion order
// (duplicate keys: last value, first position); numbers keep their spelling, so that integers of
// any size survive.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace finback {

struct Json {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kFloat, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;                                  // kInteger (clamped to finite) and kFloat
  std::string text;                                   // kString: UTF-8; numbers: as spelled
  std::vector<Json> items;                            // kArray
  std::vector<std::pair<std::string, Json>> members;  // kObject

  // Out of line, because `members` holds an incomplete type until here.
  Json();
  ~Json();
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;

  bool IsNull() const { return kind == Kind::kNull; }
  bool IsBool() const { return kind == Kind::kBool; }
  bool IsNumber() const { return kind == Kind::kInteger || kind == Kind::kFloat; }
  bool IsInteger() const { return kind == Kind::kInteger; }
  bool IsString() const { return kind == Kind::kString; }
  bool IsArray() const { return kind == Kind::kArray; }
  bool IsObject() const { return kind == Kind::kObject; }
  // The member of that name, or nullptr (also when this is not an object).
  const Json* Find(std::string_view name) const;
  // The integer value if this is kInteger and fits, else `fallback`.
  int64_t Integer(int64_t fallback) const;
};

// What a value is, for messages: "a number", "an object".
const char* KindName(const Json& json);

// What may open a file of JSON, but no value inside of one.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Nesting that ParseJson accepts; deeper documents are refused.
inline constexpr int kJsonMaxDepth = 128;

// kStrict: floats beyond the double range are refused, so `number` is always finite. kPython: what
// json.loads takes: they become infinite, and NaN, Infinity and -Infinity are numbers (kFloat).
enum class JsonNumbers { kStrict, kPython };

// Throws Error(code) with "<what>: <reason> at byte N" on anything but one valid UTF-8 JSON
// document (N counts from 0; a byte-order mark is skipped, but not under kPython).
Json ParseJson(std::string_view text, const char* what, JsonNumbers numbers = JsonNumbers::kStrict,
               Code code = Code::kInvalidArgument);

// Whether `text` is a JSON object, and nothing else, by the strict rules. `json` may be nullptr.
bool IsJsonObject(std::string_view text, Json* json);

// Equal but for the order of members and the spelling of numbers.
bool SameJson(const Json& a, const Json& b);

// Appends `text` as a JSON string literal: Python's json.dumps(ensure_ascii=False) escaping. What
// is no UTF-8, such as in the name of a folder, is replaced: JSON that goes out is always valid.
void AppendJsonString(std::string_view text, std::string* out);

// Python's json.dumps(value, ensure_ascii=False): separators ", " and ": ",
// floats in Python spelling.
void AppendPythonJson(const Json& value, std::string* out);
std::string JsonText(const Json& value);  // the same as a string of its own

}  // namespace finback
