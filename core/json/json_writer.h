// Writes JSON text: commas, quoting and numbers that do not depend on the locale. The caller keeps
// objects and lists balanced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace finback {

class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}

  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view utf8);
  JsonWriter& Integer(int64_t value);
  JsonWriter& Unsigned(uint64_t value);
  JsonWriter& Number(double value);  // shortest round-trip form; what is not finite becomes null
  JsonWriter& Number(float value);   // the same for fewer digits
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  JsonWriter& Raw(std::string_view json);
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginList() { return Open('['); }
  JsonWriter& EndList() { return Close(']'); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string* out_;
  bool first_ = true;  // nothing before the next item in this object or list
};

}  // namespace finback
