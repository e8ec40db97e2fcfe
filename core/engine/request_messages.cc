#include "core/engine/request_messages.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr size_t kLongestToolName = 128;

// Roles, and whether a conversation may end with one: an answer follows.
struct Role {
  const char* name;
  bool asks;
};
constexpr Role kRoles[] = {{"system", false},    {"developer", true}, {"user", true},
                           {"assistant", false}, {"tool", true},      {"latest_reminder", false}};

const Role& FindRole(JsonFields* fields) {
  const std::string* name = fields->FindString("role");
  if (name == nullptr) FailAt(fields->Path("role"), "is missing");
  for (const Role& role : kRoles) {
    if (*name == role.name) return role;
  }
  FailAt(fields->Path("role"), "unknown role \"" + Shown(*name) + "\"");
}

struct Content {
  std::string text;         // of the text parts: one text, as consecutive user messages become
  std::vector<Json> parts;  // as they came, when not all are text
};

Content ReadParts(const Json& list, const std::string& path) {
  Content content;
  bool plain = true;
  for (size_t i = 0; i < list.items.size(); ++i) {
    JsonFields part(list.items[i], Format("%s[%zu]", path.c_str(), i));
    const std::string* type = part.FindString("type");
    if (type == nullptr) FailAt(part.Path("type"), "is missing");
    if (*type != "text") {
      plain = false;
      continue;
    }
    const std::string* piece = part.FindString("text");
    if (piece == nullptr) FailAt(part.Path("text"), "is missing");
    part.RejectUnknown();
    if (i > 0) content.text += "\n\n";
    content.text += *piece;
  }
  if (!plain) content.parts = list.items;
  return content;
}

Content ReadContent(JsonFields* fields, std::string_view role) {
  const std::string path = fields->Path("content");
  const Json* content = fields->Find("content");
  if (content == nullptr) {
    if (role == "assistant") return {};
    FailAt(path, "is missing");
  }
  if (content->IsString()) return {content->text, {}};
  if (content->IsArray()) {
    if (content->items.empty() && role != "assistant") FailAt(path, "must not be empty");
    return ReadParts(*content, path);
  }
  FailAt(path, Format("expected a string or a list of parts, found %s", KindName(*content)));
}

void RejectOn(JsonFields* fields, const char* name, const char* message) {
  if (fields->Find(name) != nullptr) FailAt(fields->Path(name), message);
}

void Replace(Json* object, std::string_view name, Json value) {
  for (auto& [key, member] : object->members) {
    if (key == name) {
      member = std::move(value);
      return;
    }
  }
  object->members.emplace_back(std::string(name), std::move(value));
}

Json StringJson(std::string text) {
  Json json;
  json.kind = Json::Kind::kString;
  json.text = std::move(text);
  return json;
}

struct ParsedMessage {
  Message message;
  bool asks = false;  // the next thing is an answer
};

ParsedMessage ParseChatMessage(const Json& json, const std::string& path) {
  JsonFields fields(json, path);
  const Role& role = FindRole(&fields);
  const std::string_view name = role.name;
  const bool assistant = name == "assistant";
  Content content = ReadContent(&fields, name);
  if (name == "developer" && content.text.empty())
    FailAt(fields.Path("content"), "must not be empty");
  if (!assistant) {
    RejectOn(&fields, "tool_calls", "only assistant messages carry tool calls");
    RejectOn(&fields, "reasoning_content", "only assistant messages carry reasoning");
    RejectOn(&fields, "reasoning_details", "only assistant messages carry reasoning");
    RejectOn(&fields, "prefix", "only an assistant message can be continued");
  }
  if (name != "tool") RejectOn(&fields, "tool_call_id", "only tool messages answer a call");
  if (name != "system" && name != "developer") {
    RejectOn(&fields, "tools", "only system and developer messages carry tools");
    RejectOn(&fields, "response_format",
             "only system and developer messages carry a response format");
  }
  const std::string* participant = fields.FindString("name");
  const Json* details = fields.FindArray("reasoning_details");
  for (const char* ignored : {"mask", "refusal", "annotations", "audio"}) fields.Ignore(ignored);
  const bool prefix = fields.Bool("prefix", false);
  const bool without_eos = fields.Bool("wo_eos", false) || prefix;
  for (const char* read_below :
       {"tool_calls", "reasoning_content", "tool_call_id", "tools", "response_format", "task"}) {
    fields.Ignore(read_below);
  }
  fields.RejectUnknown();

  Json plain = json;
  std::erase_if(plain.members, [](const auto& member) { return member.second.IsNull(); });
  Replace(&plain, "content", StringJson(std::move(content.text)));
  ParsedMessage parsed;
  parsed.message = ParseMessage(plain, path);
  parsed.message.without_eos = without_eos;
  parsed.message.parts = std::move(content.parts);
  if (participant != nullptr) parsed.message.name = *participant;
  if (details != nullptr) parsed.message.reasoning_details = *details;
  parsed.asks = role.asks || (assistant && without_eos);
  return parsed;
}

std::string ParseToolName(JsonFields* function) {
  const std::string* name = function->FindString("name");
  const std::string path = function->Path("name");
  if (name == nullptr) FailAt(path, "is missing");
  if (name->empty() || name->size() > kLongestToolName) {
    FailAt(path, Format("must have 1 to %zu characters, got %zu", kLongestToolName, name->size()));
  }
  for (const char c : *name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    if (!good) FailAt(path, "may only have letters, digits, \"_\" and \"-\"");
  }
  return *name;
}

Message* LeadingSystem(std::vector<Message>* messages) {
  if (messages->empty() || messages->front().role != "system") {
    Message system;
    system.role = "system";
    messages->insert(messages->begin(), std::move(system));
  }
  return &messages->front();
}

}  // namespace

std::vector<Message> ParseChatMessages(const Json& array, const std::string& path) {
  if (array.items.empty()) FailAt(path, "must not be empty");
  std::vector<Message> messages;
  messages.reserve(array.items.size());
  for (size_t i = 0; i < array.items.size(); ++i) {
    const std::string here = Format("%s[%zu]", path.c_str(), i);
    ParsedMessage parsed = ParseChatMessage(array.items[i], here);
    const bool last = i + 1 == array.items.size();
    if (!last && parsed.message.without_eos && parsed.message.role == "assistant") {
      FailAt(here + ".prefix", "only the last message can be continued");
    }
    if (last && !parsed.asks && parsed.message.task.empty()) {
      FailAt(here, parsed.message.role == "assistant"
                       ? "ends with an answer; add \"prefix\": true to continue it"
                       : "the last message must be a user, developer or tool message");
    }
    messages.push_back(std::move(parsed.message));
  }
  return messages;
}

std::vector<Json> ParseTools(const Json& array, const std::string& path) {
  std::vector<Json> tools;
  std::set<std::string> names;
  for (size_t i = 0; i < array.items.size(); ++i) {
    JsonFields tool(array.items[i], Format("%s[%zu]", path.c_str(), i));
    const std::string* type = tool.FindString("type");
    if (type == nullptr) FailAt(tool.Path("type"), "is missing");
    if (*type != "function") {
      FailAt(tool.Path("type"), "must be \"function\", got \"" + Shown(*type) + "\"");
    }
    const Json* function = tool.FindObject("function");
    if (function == nullptr) FailAt(tool.Path("function"), "is missing");
    JsonFields fields(*function, tool.Path("function"));
    const std::string name = ParseToolName(&fields);
    if (!names.insert(name).second) {
      FailAt(fields.Path("name"), "\"" + name + "\" is defined twice");
    }
    fields.FindString("description");
    fields.FindObject("parameters");
    fields.Bool("strict", false);
    tools.push_back(*function);
  }
  return tools;
}

void PlaceTools(std::vector<Json> tools, std::vector<Message>* messages) {
  if (tools.empty()) return;
  Message* system = LeadingSystem(messages);
  for (Json& tool : tools) system->tools.push_back(std::move(tool));
}

void PlaceResponseFormat(const Json& format, std::vector<Message>* messages) {
  Message* system = LeadingSystem(messages);
  if (system->has_response_format) {
    FailAt("response_format", "the system message has a response format of its own");
  }
  system->has_response_format = true;
  system->response_format = format;
}

}  // namespace finback
