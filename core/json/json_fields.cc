#include "core/json/json_fields.h"

#include <algorithm>
#include <cinttypes>

#include "core/base/file_nature.h"
#include "core/base/utf8.h"

namespace finback {

Json ParseJson(std::string_view text, const JsonSource& source) {
  const char* what = source.file.empty() ? source.document : source.file.c_str();
  return ParseJson(text, what, JsonNumbers::kStrict, source.code);
}

Json ParseJsonFile(std::string_view text, const JsonSource& source, std::string_view member) {
  RefuseOtherNature(source.file, text, text.size());
  Json document = ParseJson(text, source);
  if (document.Find("error") != nullptr && document.Find(member) == nullptr) {
    Throw(source.code, "%s: this is an error of a server (%s): download the file again",
          source.file.c_str(), Shown(JsonText(document)).c_str());
  }
  return document;
}

void FailAt(const std::string& path, const std::string& message) {
  throw Error(Code::kInvalidRequest, path.empty() ? message : path + ": " + message);
}

std::string Shown(std::string_view text) {
  constexpr size_t kLongest = 64;
  if (text.size() <= kLongest) return std::string(text);
  return std::string(CutUtf8(text, kLongest)) + "...";
}

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(Shown(text), &quoted);
  return quoted;
}

std::string Described(const Json& value) {
  switch (value.kind) {
    case Json::Kind::kNull:
      return "null";
    case Json::Kind::kBool:
      return value.boolean ? "true" : "false";
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      return Shown(value.text);
    case Json::Kind::kString:
      return Quoted(value.text);
    case Json::Kind::kArray:
      return Format("a list of %zu", value.items.size());
    case Json::Kind::kObject:
      break;
  }
  return KindName(value);
}

JsonFields::JsonFields(const Json& object, std::string path, JsonSource source)
    : JsonFields(&object, std::move(path), std::move(source)) {
  if (!object.IsObject()) {
    const bool is_document = path_.empty() && source_.file.empty();
    FailAtPath(is_document ? source_.document : path_,
               "expected an object, found " + Found(object));
  }
}

JsonFields JsonFields::Within(const Json& object, std::string path) const {
  return JsonFields(object, std::move(path), source_);
}

JsonFields JsonFields::Object(std::string_view name) {
  return JsonFields(FindObject(name), Path(name), source_);
}

std::string JsonFields::Path(std::string_view name) const {
  std::string path = path_;
  if (!path.empty()) path += '.';
  path += name;
  return path;
}

std::string JsonFields::Path(std::string_view list, size_t index) const {
  return Path(list) + Format("[%zu]", index);
}

std::string JsonFields::Found(const Json& value) const {
  return source_.file.empty() ? KindName(value) : Described(value);
}

void JsonFields::FailAtPath(Code code, const std::string& path, const std::string& message) const {
  std::string text = source_.file;
  for (const std::string& part : {path, message}) {
    if (!text.empty() && !part.empty()) text += ": ";
    text += part;
  }
  throw Error(code, text);
}

void JsonFields::FailAtPath(const std::string& path, const std::string& message) const {
  FailAtPath(source_.code, path, message);
}

void JsonFields::Fail(std::string_view name, const std::string& message) const {
  FailAtPath(Path(name), message);
}

void JsonFields::FailKind(std::string_view name, const char* expected, const Json& found) const {
  Fail(name, std::string("expected ") + expected + ", found " + Found(found));
}

const Json* JsonFields::Find(std::string_view name) {
  known_.push_back(name);
  const Json* value = object_ == nullptr ? nullptr : object_->Find(name);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

const Json* JsonFields::FindObject(std::string_view name) {
  const Json* value = Find(name);
  if (value != nullptr && !value->IsObject()) FailKind(name, "an object", *value);
  return value;
}

const Json* JsonFields::FindArray(std::string_view name) {
  const Json* value = Find(name);
  if (value != nullptr && !value->IsArray()) FailKind(name, "a list", *value);
  return value;
}

const std::string* JsonFields::FindString(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) return nullptr;
  if (!value->IsString()) FailKind(name, "a string", *value);
  return &value->text;
}

const Json& JsonFields::Require(std::string_view name) {
  const Json* value = Find(name);
  if (value == nullptr) FailMissing(name);
  return *value;
}

const Json& JsonFields::RequireObject(std::string_view name) {
  const Json* value = FindObject(name);
  if (value == nullptr) FailMissing(name);
  return *value;
}

const Json& JsonFields::RequireArray(std::string_view name) {
  const Json* value = FindArray(name);
  if (value == nullptr) FailMissing(name);
  return *value;
}

const std::string& JsonFields::RequireString(std::string_view name) {
  const std::string* text = FindString(name);
  if (text == nullptr) FailMissing(name);
  return *text;
}

bool JsonFields::Bool(std::string_view name, bool fallback) {
  const Json* value = Find(name);
  if (value == nullptr) return fallback;
  if (!value->IsBool()) FailKind(name, "true or false", *value);
  return value->boolean;
}

bool JsonFields::Number(std::string_view name, double low, double high, double* value) {
  const Json* found = Find(name);
  if (found == nullptr) return false;
  if (!found->IsNumber()) FailKind(name, "a number", *found);
  if (!(found->number >= low && found->number <= high)) {
    Fail(name, Format("must be between %g and %g, got ", low, high) + Shown(found->text));
  }
  *value = found->number;
  return true;
}

bool JsonFields::Integer(std::string_view name, int64_t low, int64_t high, int64_t* value) {
  const Json* found = Find(name);
  if (found == nullptr) return false;
  if (!found->IsInteger()) {
    Fail(name,
         "expected an integer, found " + (found->IsNumber() ? Shown(found->text) : Found(*found)));
  }
  // Two different fallbacks tell "does not fit" from every value.
  const int64_t integer = found->Integer(0);
  const bool fits = integer == found->Integer(1);
  if (!fits || integer < low || integer > high) {
    Fail(name, Format("must be between %" PRId64 " and %" PRId64 ", got ", low, high) +
                   Shown(found->text));
  }
  *value = integer;
  return true;
}

double JsonFields::RequireNumber(std::string_view name, double low, double high) {
  double value = 0;
  if (!Number(name, low, high, &value)) FailMissing(name);
  return value;
}

int64_t JsonFields::RequireInteger(std::string_view name, int64_t low, int64_t high) {
  int64_t value = 0;
  if (!Integer(name, low, high, &value)) FailMissing(name);
  return value;
}

void JsonFields::RejectUnknown() const {
  if (object_ == nullptr) return;
  for (const auto& [name, value] : object_->members) {
    if (value.IsNull()) continue;
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    if (source_.unknown == nullptr) Fail(Shown(name), "unknown field");
    std::vector<std::string>& paths = source_.unknown->paths;
    if (paths.size() < UnknownMembers::kMostPaths) paths.push_back(Path(Shown(name)));
    ++source_.unknown->count;
  }
}

}  // namespace finback
