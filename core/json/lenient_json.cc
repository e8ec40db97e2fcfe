#include "core/json/lenient_json.h"

#include <algorithm>
#include <charconv>

#include "core/base/ascii.h"
#include "core/base/utf8.h"

namespace finback {
namespace {

// The code unit of a `\uXXXX` at `at`, or -1.
int EscapedUnit(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  const char* end = text.data() + at + 6;
  const auto result = std::from_chars(text.data() + at + 2, end, unit, 16);
  return result.ec == std::errc() && result.ptr == end && unit >= 0 ? unit : -1;
}

// Gateways that count in UTF-16 cut between the halves of a pair.
std::string WithoutHalfPairs(std::string_view text) {
  std::string whole;
  whole.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const int unit = text[i] == '\\' ? EscapedUnit(text, i) : -1;
    size_t length = unit >= 0 ? 6 : text[i] == '\\' ? 2 : 1;
    if (unit >= 0xD800 && unit < 0xDC00) {
      const int low = EscapedUnit(text, i + 6);
      if (low >= 0xDC00 && low < 0xE000) {
        length = 12;
      } else {
        whole += "\\ufffd";
        i += length;
        continue;
      }
    } else if (unit >= 0xDC00 && unit < 0xE000) {
      whole += "\\ufffd";
      i += length;
      continue;
    }
    length = std::min(length, text.size() - i);
    whole += text.substr(i, length);
    i += length;
  }
  return whole;
}

bool Parse(std::string_view text, Json* json, std::string* reason) {
  try {
    *json = ParseJson(text, "JSON", JsonNumbers::kPython);
    return true;
  } catch (const Error& error) {
    if (reason != nullptr) *reason = error.what();
    return false;
  }
}

}  // namespace

bool ParseLenientJson(std::string_view text, Json* json, std::string* reason) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (Parse(text, json, reason)) return true;
  // Only now: whole text pays nothing for this.
  const std::string repaired = WithoutHalfPairs(ValidUtf8(text));
  return repaired != text && Parse(repaired, json, nullptr);
}

const Json* FindValue(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

const Json* FindObject(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  return value != nullptr && value->IsObject() ? value : nullptr;
}

const Json* FindArray(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  return value != nullptr && value->IsArray() ? value : nullptr;
}

std::string_view FindText(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  return value != nullptr && value->IsString() ? std::string_view(value->text) : "";
}

int64_t FindCount(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  if (value == nullptr || !(value->IsNumber() || value->IsString())) return -1;
  // "12", 12 and 12.0 alike.
  std::string_view text = Trimmed(value->text);
  const size_t point = text.find('.');
  if (point != std::string_view::npos &&
      text.find_first_not_of('0', point + 1) == std::string_view::npos) {
    text = text.substr(0, point);
  }
  int64_t count = -1;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, count);
  return result.ec == std::errc() && result.ptr == end && count >= 0 ? count : -1;
}

}  // namespace finback
