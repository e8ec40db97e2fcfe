#include "core/chat/messages.h"

#include <algorithm>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

[[noreturn]] void Fail(const std::string& path, const std::string& message) {
  throw Error(Code::kInvalidRequest, path + ": " + message);
}

[[noreturn]] void FailKind(const std::string& path, const char* expected, const Json& found) {
  Fail(path, std::string("expected ") + expected + ", found " + KindName(found));
}

// The caller's text in one line of a message: escaped, and cut between characters.
std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(CutUtf8(text, 64), &quoted);
  return quoted;
}

// The member, or nullptr when it is absent or null.
const Json* FindValue(const Json& object, std::string_view key) {
  const Json* value = object.Find(key);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

std::string StringOr(const Json& object, const char* key, const std::string& path,
                     const char* fallback) {
  const Json* value = FindValue(object, key);
  if (value == nullptr) return fallback;
  if (!value->IsString()) FailKind(path + "." + key, "a string", *value);
  return value->text;
}

std::string RequiredString(const Json& object, const char* key, const std::string& path) {
  const Json* value = object.Find(key);
  if (value == nullptr) Fail(path + "." + key, "missing");
  if (!value->IsString()) FailKind(path + "." + key, "a string", *value);
  return value->text;
}

bool IsKnown(std::string_view name, std::initializer_list<std::string_view> known) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::vector<ContentBlock> ParseParts(const Json& list, const std::string& path) {
  std::vector<ContentBlock> blocks;
  for (size_t i = 0; i < list.items.size(); ++i) {
    const std::string here = path + Format("[%zu]", i);
    const Json& part = list.items[i];
    if (!part.IsObject()) FailKind(here, "an object", part);
    ContentBlock block;
    const std::string type = RequiredString(part, "type", here);
    if (type == "text") {
      block.text = StringOr(part, "text", here, "");
    } else {
      block.kind = ContentBlock::Kind::kUnsupported;
      block.text = type;
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

std::string JoinParts(const std::vector<ContentBlock>& blocks) {
  std::string text;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i > 0) text += "\n\n";
    const bool unsupported = blocks[i].kind == ContentBlock::Kind::kUnsupported;
    text += unsupported ? "[Unsupported " + blocks[i].text + "]" : blocks[i].text;
  }
  return text;
}

void ParseContent(const Json& json, const std::string& path, Message* message) {
  const std::string here = path + ".content";
  const Json* content = FindValue(json, "content");
  if (content == nullptr) return;
  if (content->IsString()) {
    message->content = content->text;
    return;
  }
  if (!content->IsArray()) FailKind(here, "a string or a list of parts", *content);
  std::vector<ContentBlock> blocks = ParseParts(*content, here);
  if (message->role == "user") {
    message->blocks = std::move(blocks);
    return;
  }
  for (size_t i = 0; message->role != "tool" && i < blocks.size(); ++i) {
    if (blocks[i].kind == ContentBlock::Kind::kUnsupported) {
      Fail(here + Format("[%zu].type", i),
           "a " + message->role + " message takes text only, found " + Quoted(blocks[i].text));
    }
  }
  message->content = JoinParts(blocks);
}

std::vector<Json> ParseToolSchemas(const Json& json, const std::string& path) {
  std::vector<Json> functions;
  const Json* tools = FindValue(json, "tools");
  if (tools == nullptr) return functions;
  const std::string here = path + ".tools";
  if (!tools->IsArray()) FailKind(here, "a list", *tools);
  for (size_t i = 0; i < tools->items.size(); ++i) {
    const Json& tool = tools->items[i];
    const std::string place = here + Format("[%zu]", i);
    if (!tool.IsObject()) FailKind(place, "an object", tool);
    const Json* function = tool.Find("function");
    if (function == nullptr) Fail(place + ".function", "missing");
    if (!function->IsObject()) FailKind(place + ".function", "an object", *function);
    functions.push_back(*function);
  }
  return functions;
}

std::vector<ToolCall> ParseToolCalls(const Json& json, const std::string& path) {
  std::vector<ToolCall> calls;
  const Json* list = FindValue(json, "tool_calls");
  if (list == nullptr) return calls;
  const std::string here = path + ".tool_calls";
  if (!list->IsArray()) FailKind(here, "a list", *list);
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Json& item = list->items[i];
    const std::string place = here + Format("[%zu]", i);
    if (!item.IsObject()) FailKind(place, "an object", item);
    const Json* function = item.Find("function");
    if (function == nullptr) Fail(place + ".function", "missing");
    if (!function->IsObject()) FailKind(place + ".function", "an object", *function);
    ToolCall call;
    call.id = StringOr(item, "id", place, "");
    if (call.id.empty()) call.id = StringOr(*function, "id", place + ".function", "");
    call.name = RequiredString(*function, "name", place + ".function");
    call.arguments = RequiredString(*function, "arguments", place + ".function");
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace

Message ParseMessage(const Json& json, const std::string& path) {
  if (!json.IsObject()) FailKind(path, "an object", json);
  Message message;
  message.path = path;
  message.role = RequiredString(json, "role", path);
  if (!IsKnown(message.role,
               {"system", "developer", "user", "assistant", "tool", "latest_reminder"})) {
    Fail(path + ".role", "unknown role " + Quoted(message.role));
  }
  ParseContent(json, path, &message);
  message.task = StringOr(json, "task", path, "");
  if (!message.task.empty() && std::find(std::begin(wire::kTasks), std::end(wire::kTasks),
                                         message.task) == std::end(wire::kTasks)) {
    Fail(path + ".task", "unknown task " + Quoted(message.task));
  }
  if (const Json* flag = FindValue(json, "wo_eos")) {
    if (!flag->IsBool()) FailKind(path + ".wo_eos", "a boolean", *flag);
    message.without_eos = flag->boolean;
  }
  if (message.role == "user") return message;
  if (message.role == "tool") {
    message.tool_call_id = StringOr(json, "tool_call_id", path, "");
    return message;
  }
  message.tools = ParseToolSchemas(json, path);
  if (const Json* format = FindValue(json, "response_format")) {
    if (!format->IsObject()) FailKind(path + ".response_format", "an object", *format);
    message.has_response_format = !format->members.empty();
    message.response_format = *format;
  }
  if (message.role == "assistant") {
    message.has_reasoning = FindValue(json, "reasoning_content") != nullptr;
    message.reasoning_content = StringOr(json, "reasoning_content", path, "");
    message.tool_calls = ParseToolCalls(json, path);
  }
  return message;
}

std::vector<Message> ParseMessages(const Json& array, const std::string& path) {
  if (!array.IsArray()) FailKind(path, "a list", array);
  std::vector<Message> messages;
  messages.reserve(array.items.size());
  for (size_t i = 0; i < array.items.size(); ++i) {
    messages.push_back(ParseMessage(array.items[i], path + Format("[%zu]", i)));
  }
  return messages;
}

}  // namespace finback
