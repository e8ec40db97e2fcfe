// Reading the members of a JSON object with errors that name their path. null counts as absent.
// Every member that is asked for becomes known; RejectUnknown() refuses the rest, except null, or
// lists it where the source has a list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/json/json.h"
#include "core/json/unknown_members.h"

namespace finback {

// What is being read, as its errors say it.
struct JsonSource {
  Code code = Code::kInvalidRequest;
  // Errors begin with a file's name and show the values that were found. Without one they begin
  // with the path, and of values they say the kind alone: those are a user's, and may be long.
  std::string file = {};
  const char* document = "request";   // what stands for the path of the document itself
  UnknownMembers* unknown = nullptr;  // where RejectUnknown() lists them, in place of an error
};

// Parses the whole document. Throws Error(source.code) naming it; see json.h.
Json ParseJson(std::string_view text, const JsonSource& source);

// The same for the whole of `source.file`. Refused too are what is no JSON under that name (see
// file_nature.h), and a server's error in its place: an object with "error" and without `member`.
Json ParseJsonFile(std::string_view text, const JsonSource& source, std::string_view member);

// Throws Error(kInvalidRequest) with "<path>: <message>".
[[noreturn]] void FailAt(const std::string& path, const std::string& message);

// The beginning of a text, for messages; never cut inside a character.
std::string Shown(std::string_view text);
// The same in quotes, on one line.
std::string Quoted(std::string_view text);
// A value, for messages: scalars as they are spelled, but for long texts; lists by their length.
std::string Described(const Json& value);

class JsonFields {
 public:
  // `path` is "" for the document itself. Throws unless `object` is an object.
  JsonFields(const Json& object, std::string path, JsonSource source = {});

  // Absent or null: nullptr.
  const Json* Find(std::string_view name);
  const Json* FindObject(std::string_view name);
  const Json* FindArray(std::string_view name);
  const std::string* FindString(std::string_view name);
  // Absent or null: "is missing".
  const Json& Require(std::string_view name);
  const Json& RequireObject(std::string_view name);
  const Json& RequireArray(std::string_view name);
  const std::string& RequireString(std::string_view name);

  bool Bool(std::string_view name, bool fallback);
  // False when absent; `*value` is then unchanged.
  bool Number(std::string_view name, double low, double high, double* value);
  bool Integer(std::string_view name, int64_t low, int64_t high, int64_t* value);
  double RequireNumber(std::string_view name, double low, double high);
  int64_t RequireInteger(std::string_view name, int64_t low, int64_t high);

  // The reader of a value below this object, at `path`.
  JsonFields Within(const Json& object, std::string path) const;
  // The reader of a member; without that member, of an object without members.
  JsonFields Object(std::string_view name);
  bool IsAbsent() const { return object_ == nullptr; }

  void Ignore(std::string_view name) { known_.push_back(name); }
  void RejectUnknown() const;

  std::string Path(std::string_view name) const;
  std::string Path(std::string_view list, size_t index) const;
  // A value as this document's errors describe it.
  std::string Found(const Json& value) const;
  // Throws "<file>: <path>: <message>".
  [[noreturn]] void Fail(std::string_view name, const std::string& message) const;
  [[noreturn]] void FailKind(std::string_view name, const char* expected, const Json& found) const;
  [[noreturn]] void FailMissing(std::string_view name) const { Fail(name, "is missing"); }
  // The same for a path that Path() made, and any code.
  [[noreturn]] void FailAtPath(const std::string& path, const std::string& message) const;
  [[noreturn]] void FailAtPath(Code code, const std::string& path,
                               const std::string& message) const;

 private:
  JsonFields(const Json* object, std::string path, JsonSource source)
      : object_(object), path_(std::move(path)), source_(std::move(source)) {}

  const Json* object_;  // nullptr: has no members
  std::string path_;
  JsonSource source_;
  std::vector<std::string_view> known_;
};

}  // namespace finback
