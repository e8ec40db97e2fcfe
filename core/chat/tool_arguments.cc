#include "core/chat/tool_arguments.h"

#include "core/base/ascii.h"

namespace finback {
namespace {

constexpr std::string_view kFence = "```";
constexpr std::string_view kWrappers[] = {"arguments", "input"};

// Behind the string literal that begins at `begin`; npos if it has no end.
size_t StringEnd(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return std::string_view::npos;
}

// The first complete bracketed value of a text that begins with one; "" if there is none.
std::string_view FirstValue(std::string_view text) {
  if (text.empty() || (text[0] != '{' && text[0] != '"')) return {};
  if (text[0] == '"') return text.substr(0, StringEnd(text, 0));
  int depth = 0;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = StringEnd(text, i);
      if (i == std::string_view::npos) return {};
      continue;
    }
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    ++i;
    if (depth == 0) return text.substr(0, i);
  }
  return {};
}

// What stands between a code fence's lines; "" if it is none.
std::string_view Unfenced(std::string_view text) {
  if (text.substr(0, kFence.size()) != kFence) return {};
  const size_t line = text.find_first_of("\n{\"", kFence.size());
  if (line == std::string_view::npos) return {};
  text = Trimmed(text.substr(line));
  const size_t end = text.rfind(kFence);
  return Trimmed(text.substr(0, end));
}

bool Parses(std::string_view text, Json* json) {
  if (text.starts_with(kByteOrderMark)) return false;
  try {
    *json = ParseJson(text, "arguments");
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool HasProperty(const Json& schema, std::string_view name) {
  // What a composed schema takes is not known without resolving it.
  for (const char* composed : {"$ref", "anyOf", "oneOf", "allOf"}) {
    if (schema.Find(composed) != nullptr) return true;
  }
  const Json* properties = schema.Find("properties");
  return properties != nullptr && properties->Find(name) != nullptr;
}

// The value of an object's only member, as spelled.
std::string_view OnlyValue(std::string_view text) {
  const size_t key = text.find('"');
  if (key == std::string_view::npos) return {};
  const size_t colon = text.find(':', StringEnd(text, key));
  const size_t end = text.rfind('}');
  if (colon == std::string_view::npos || end == std::string_view::npos || end < colon) return {};
  return Trimmed(text.substr(colon + 1, end - colon - 1));
}

class Repair {
 public:
  explicit Repair(std::string_view raw) : raw_(raw), text_(raw) {}

  RepairedArguments Run(const Json* schema) {
    const std::string_view trimmed = Trimmed(raw_);
    if (trimmed.empty()) return Nothing("empty");
    if (!Parses(text_, &json_) && !Strip(trimmed)) return {std::string(raw_), false, ""};
    if (json_.IsNull()) return Nothing("null");
    if (json_.IsString() && Trimmed(json_.text).empty()) return Nothing("empty");
    if (json_.IsString() && !Unwrap(json_.text, "string")) return {std::string(raw_), false, ""};
    if (!json_.IsObject()) return {std::string(raw_), false, ""};
    if (schema != nullptr && json_.members.size() == 1) OpenWrapper(*schema);
    return {text_, true, how_};
  }

 private:
  static RepairedArguments Nothing(const char* how) { return {"{}", true, how}; }

  void Apply(std::string_view text, const char* how) {
    text_ = std::string(text);
    if (*how_ == '\0') how_ = how;
  }

  bool Strip(std::string_view trimmed) {
    if (trimmed.starts_with(kByteOrderMark)) {
      trimmed = Trimmed(trimmed.substr(kByteOrderMark.size()));
      Apply(trimmed, "mark");
      if (Parses(trimmed, &json_)) return true;
    }
    const std::string_view inside = Unfenced(trimmed);
    if (!inside.empty() && Parses(inside, &json_)) {
      Apply(inside, "fence");
      return true;
    }
    const std::string_view first = FirstValue(inside.empty() ? trimmed : inside);
    if (first.empty() || !Parses(first, &json_)) return false;
    Apply(first, inside.empty() ? "trailing" : "fence");
    return true;
  }

  // Takes `inner` (which may be part of json_) if it is an object.
  bool Unwrap(std::string inner, const char* how) {
    Json json;
    if (!Parses(inner, &json) || !json.IsObject()) return false;
    json_ = std::move(json);
    Apply(inner, how);
    return true;
  }

  void OpenWrapper(const Json& schema) {
    const auto& [name, value] = json_.members[0];
    for (const std::string_view wrapper : kWrappers) {
      if (name != wrapper || HasProperty(schema, wrapper)) continue;
      Unwrap(value.IsString() ? value.text : std::string(OnlyValue(text_)), "wrapper");
      return;
    }
  }

  std::string_view raw_;
  std::string text_;
  Json json_;  // of text_
  const char* how_ = "";
};

}  // namespace

RepairedArguments RepairArguments(std::string_view raw, const Json* schema) {
  return Repair(raw).Run(schema);
}

}  // namespace finback
