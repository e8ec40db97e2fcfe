#include "core/json/json_fields.h"

#include <algorithm>
#include <cinttypes>

#include "core/base/utf8.h"

namespace finback {
void FailAt(const std::string& path, const std::string& message) {
  throw Error(Code::kInvalidRequest, path.empty() ? message : path + ": " + message);
}

std::string Shown(std::string_view text) {
  constexpr size_t kLongest = 64;
  if (text.size() <= kLongest) return std::string(text);
  return std::string(CutUtf8(text, kLongest)) + "...";
}

JsonFields::JsonFields(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object.IsObject()) {
    FailAt(path_.empty() ? "request" : path_,
           Format("expected an object, found %s", KindName(object)));
  }
}

std::string JsonFields::Path(std::string_view name) const {
  std::string path = path_;
  if (!path.empty()) path += '.';
  path += name;
  return path;
}

const Json* JsonFields::Find(std::string_view name) {
  known_.push_back(name);
  const Json* value = object_.Find(name);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

const Json* JsonFields::FindObject(std::string_view name) {
  const Json* value = Find(name);
  if (value != nullptr && !value->IsObject()) {
    FailAt(Path(name), Format("expected an object, found %s", KindName(*value)));
  }
  return value;
}

const Json* JsonFields::FindArray(std::string_view name) {
  const Json* value = Find(name);
  if (value != nullptr && !value->IsArray()) {
    FailAt(Path(name), Format("expected a list, found %s", KindName(*value)));
  }
  return value;
}

const std::string* JsonFields::FindString(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) return nullptr;
  if (!value->IsString()) {
    FailAt(Path(name), Format("expected a string, found %s", KindName(*value)));
  }
  return &value->text;
}

bool JsonFields::Bool(std::string_view name, bool fallback) {
  const Json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->IsBool()) {
    FailAt(Path(name), Format("expected true or false, found %s", KindName(*value)));
  }
  return value->boolean;
}

bool JsonFields::Number(std::string_view name, double low, double high, double* value) {
  const Json* found = Find(name);
  if (found == nullptr) return false;
  if (!found->IsNumber()) {
    FailAt(Path(name), Format("expected a number, found %s", KindName(*found)));
  }
  if (!(found->number >= low && found->number <= high)) {
    FailAt(Path(name), Format("must be between %g and %g, got ", low, high) + Shown(found->text));
  }
  *value = found->number;
  return true;
}

bool JsonFields::Integer(std::string_view name, int64_t low, int64_t high, int64_t* value) {
  const Json* found = Find(name);
  if (found == nullptr) return false;
  if (!found->IsInteger()) {
    FailAt(Path(name), Format("expected an integer, found %s",
                              found->IsNumber() ? Shown(found->text).c_str() : KindName(*found)));
  }
  // Two different fallbacks tell "does not fit" from every value.
  const int64_t integer = found->Integer(0);
  const bool fits = integer == found->Integer(1);
  if (!fits || integer < low || integer > high) {
    FailAt(Path(name), Format("must be between %" PRId64 " and %" PRId64 ", got ", low, high) +
                           Shown(found->text));
  }
  *value = integer;
  return true;
}

void JsonFields::RejectUnknown() const {
  for (const auto& [name, value] : object_.members) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    FailAt(path_.empty() ? Shown(name) : path_ + "." + Shown(name), "unknown field");
  }
}

}  // namespace finback
