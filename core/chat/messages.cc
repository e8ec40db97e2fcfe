#include "core/chat/messages.h"

#include <algorithm>

#include "core/base/status.h"
#include "core/chat/wire_strings.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

struct RoleRow {
  Role role;
  const char* name;
};
constexpr RoleRow kRoles[] = {
    {Role::kSystem, "system"}, {Role::kDeveloper, "developer"},
    {Role::kUser, "user"},     {Role::kAssistant, "assistant"},
    {Role::kTool, "tool"},     {Role::kLatestReminder, "latest_reminder"},
};

const RoleRow& RowOf(Role role) { return kRoles[static_cast<size_t>(role)]; }

constexpr bool RolesAreInOrder() {
  for (size_t i = 0; i < std::size(kRoles); ++i) {
    if (static_cast<size_t>(kRoles[i].role) != i) return false;
  }
  return true;
}
static_assert(RolesAreInOrder());

enum class Dialect : uint8_t { kChatCompletions, kReferenceEncoder };

// What a message of Chat Completions may have that says nothing about the prompt.
constexpr const char* kIgnored[] = {"mask", "refusal", "annotations", "audio"};

class MessageReader {
 public:
  MessageReader(const Json& json, const std::string& path, Dialect dialect, JsonSource source = {})
      : fields_(json, path, std::move(source)), is_chat_(dialect == Dialect::kChatCompletions) {
    message_.path = path;
  }

  Message Read() {
    message_.role = ReadRole();
    if (const Json* content = FindContent()) ReadContent(*content);
    if (is_chat_) ReadChatFields();
    if (fields_.Bool("wo_eos", false)) message_.without_eos = true;
    ReadTask();
    if (message_.role == Role::kTool) {
      if (const std::string* id = fields_.FindString("tool_call_id")) message_.tool_call_id = *id;
    } else if (message_.role != Role::kUser) {
      ReadTools();
      ReadResponseFormat();
    }
    if (message_.role == Role::kAssistant) ReadAnswer();
    if (is_chat_) fields_.RejectUnknown();
    return std::move(message_);
  }

 private:
  Role ReadRole() {
    const std::string& name = fields_.RequireString("role");
    for (const RoleRow& row : kRoles) {
      if (name == row.name) return row.role;
    }
    fields_.Fail("role", "unknown role " + Quoted(name));
  }

  const Json* FindContent() {
    const Json* content = fields_.Find("content");
    if (is_chat_ && content == nullptr && message_.role != Role::kAssistant) {
      fields_.FailMissing("content");
    }
    return content;
  }

  void ReadContent(const Json& content) {
    if (content.IsString()) {
      message_.content = content.text;
    } else if (!content.IsArray()) {
      fields_.FailKind("content", "a string or a list of parts", content);
    } else if (is_chat_) {
      ReadChatParts(content);
    } else {
      ReadEncoderParts(content);
    }
  }

  struct Part {
    bool is_text;
    std::string_view text;  // of other parts: their type
  };

  Part ReadPart(const Json& part, size_t index) {
    JsonFields fields = fields_.Within(part, fields_.Path("content", index));
    const std::string& type = fields.RequireString("type");
    if (type != "text") return {false, type};
    if (!is_chat_) {
      const std::string* text = fields.FindString("text");
      return {true, text == nullptr ? std::string_view() : *text};
    }
    const std::string& text = fields.RequireString("text");
    fields.RejectUnknown();
    return {true, text};
  }

  void ReadChatParts(const Json& list) {
    bool is_plain = true;
    for (size_t i = 0; i < list.items.size(); ++i) {
      const Part part = ReadPart(list.items[i], i);
      is_plain = is_plain && part.is_text;
      if (i > 0) message_.content += "\n\n";
      message_.content += part.is_text ? part.text : UnreadPart(part.text);
    }
    if (!is_plain) message_.parts = list.items;
  }

  void ReadEncoderParts(const Json& list) {
    const Role role = message_.role;
    for (size_t i = 0; i < list.items.size(); ++i) {
      const Part part = ReadPart(list.items[i], i);
      if (role == Role::kUser) {
        ContentBlock& block = message_.blocks.emplace_back();
        if (!part.is_text) block.kind = ContentBlock::Kind::kUnsupported;
        block.text = part.text;
        continue;
      }
      if (!part.is_text && role != Role::kTool) {
        fields_.FailAtPath(fields_.Path("content", i) + ".type",
                           "a " + std::string(RoleName(role)) + " message takes text only, found " +
                               Quoted(part.text));
      }
      if (i > 0) message_.content += "\n\n";
      message_.content += part.is_text ? "" : "[Unsupported ";
      message_.content += part.text;
      message_.content += part.is_text ? "" : "]";
    }
  }

  void RejectUnless(bool allowed, const char* name, const char* message) {
    if (!allowed && fields_.Find(name) != nullptr) fields_.Fail(name, message);
  }

  // What the reference encoder does not know, and what belongs to other roles.
  void ReadChatFields() {
    const Role role = message_.role;
    const bool is_answer = role == Role::kAssistant;
    const bool is_rule = role == Role::kSystem || role == Role::kDeveloper;
    RejectUnless(is_answer, "tool_calls", "only assistant messages carry tool calls");
    RejectUnless(is_answer, "reasoning_content", "only assistant messages carry reasoning");
    RejectUnless(is_answer, "reasoning_details", "only assistant messages carry reasoning");
    RejectUnless(is_answer, "prefix", "only an assistant message can be continued");
    RejectUnless(role == Role::kTool, "tool_call_id", "only tool messages answer a call");
    RejectUnless(is_rule, "tools", "only system and developer messages carry tools");
    RejectUnless(is_rule, "response_format",
                 "only system and developer messages carry a response format");
    RejectUnless(false, "function_call", "is obsolete; use tool_calls");
    if (const std::string* name = fields_.FindString("name")) message_.name = *name;
    if (const Json* details = fields_.FindArray("reasoning_details")) {
      message_.reasoning_details = *details;
    }
    message_.without_eos = fields_.Bool("prefix", false);
    for (const char* name : kIgnored) fields_.Ignore(name);
  }

  void ReadTask() {
    const std::string* task = fields_.FindString("task");
    if (task == nullptr || task->empty()) return;
    if (std::find(std::begin(wire::kTasks), std::end(wire::kTasks), *task) ==
        std::end(wire::kTasks)) {
      fields_.Fail("task", "unknown task " + Quoted(*task));
    }
    message_.task = *task;
  }

  void ReadTools() {
    const Json* tools = fields_.FindArray("tools");
    for (size_t i = 0; tools != nullptr && i < tools->items.size(); ++i) {
      JsonFields tool = fields_.Within(tools->items[i], fields_.Path("tools", i));
      message_.tools.push_back(tool.RequireObject("function"));
    }
  }

  void ReadResponseFormat() {
    const Json* format = fields_.FindObject("response_format");
    if (format == nullptr) return;
    message_.has_response_format = !format->members.empty();
    message_.response_format = *format;
  }

  void ReadAnswer() {
    const std::string* reasoning = fields_.FindString("reasoning_content");
    // As vLLM and gateways call it.
    const std::string* other = is_chat_ ? fields_.FindString("reasoning") : nullptr;
    if (reasoning == nullptr) reasoning = other;
    if (reasoning != nullptr) {
      message_.has_reasoning = true;
      message_.reasoning_content = *reasoning;
    }
    const Json* calls = fields_.FindArray("tool_calls");
    for (size_t i = 0; calls != nullptr && i < calls->items.size(); ++i) {
      JsonFields item = fields_.Within(calls->items[i], fields_.Path("tool_calls", i));
      JsonFields function = item.Within(item.RequireObject("function"), item.Path("function"));
      ToolCall& call = message_.tool_calls.emplace_back();
      const std::string* id = item.FindString("id");
      if (id == nullptr || id->empty()) id = function.FindString("id");
      if (id != nullptr) call.id = *id;
      call.name = function.RequireString("name");
      call.arguments = function.RequireString("arguments");
      if (!is_chat_) continue;
      for (const char* name : {"type", "index"}) item.Ignore(name);
      item.RejectUnknown();
      function.RejectUnknown();
    }
  }

  JsonFields fields_;
  const bool is_chat_;
  Message message_;
};

}  // namespace

std::string_view RoleName(Role role) { return RowOf(role).name; }

std::string_view UnreadPart(std::string_view type) {
  constexpr std::string_view kImage = "[Unsupported Image]", kDocument = "[Unsupported Document]";
  // A file of Chat Completions is shown as an image, which it may be: so the services do it.
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"image_url", kImage},   {"file", kImage},        {"image", kImage},
      {"input_image", kImage}, {"document", kDocument}, {"input_file", kDocument}};
  for (const auto& [name, shown] : kParts) {
    if (name == type) return shown;
  }
  return {};
}

std::vector<Message> ParseChatMessages(const Json& list, const std::string& path,
                                       UnknownMembers* unknown) {
  JsonSource source;
  source.unknown = unknown;
  if (list.items.empty()) FailAt(path, "must not be empty");
  std::vector<Message> messages;
  messages.reserve(list.items.size());
  for (size_t i = 0; i < list.items.size(); ++i) {
    const std::string here = Format("%s[%zu]", path.c_str(), i);
    const Message& message = messages.emplace_back(
        MessageReader(list.items[i], here, Dialect::kChatCompletions, source).Read());
    const bool is_answer = message.role == Role::kAssistant;
    const bool is_last = i + 1 == list.items.size();
    if (!is_last && is_answer && message.without_eos) {
      FailAt(here + ".prefix", "only the last message can be continued");
    }
  }
  return messages;
}

std::vector<PromptMessage> ParsePromptMessages(const Json& list, const std::string& path) {
  if (!list.IsArray()) FailAt(path, Format("expected a list, found %s", KindName(list)));
  std::vector<PromptMessage> messages;
  messages.reserve(list.items.size());
  for (size_t i = 0; i < list.items.size(); ++i) {
    const std::string here = Format("%s[%zu]", path.c_str(), i);
    messages.push_back(MessageReader(list.items[i], here, Dialect::kReferenceEncoder).Read());
  }
  return messages;
}

}  // namespace finback
