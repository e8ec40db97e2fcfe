// Messages, as requests. Answers: anthropic_answer.cc.
#include <string>

#include "core/json/json_writer.h"
#include "core/json/lenient_json.h"
#include "core/remote/wire/wire_codec.h"
#include "core/remote/wire/wire_request.h"

namespace finback {
namespace {

constexpr std::string_view kErrorMark = "ERROR:";  // how a tool's output says that it failed

class Encoder {
 public:
  Encoder(const Request& request, const WirePlan& plan)
      : request_(request), plan_(plan), json_(&body_) {}

  WireCall Run() {
    json_.BeginObject().Key("model").String(plan_.model);
    json_.Key("max_tokens").Integer(plan_.max_tokens);
    WriteSystem();
    WriteTools();
    WriteMessages();
    WriteThinking();
    if (request_.has_temperature) json_.Key("temperature").Number(request_.temperature);
    if (request_.has_top_p) json_.Key("top_p").Number(request_.top_p);
    if (request_.has_top_k) json_.Key("top_k").Integer(request_.top_k);
    if (!request_.stop.empty()) {
      json_.Key("stop_sequences").BeginList();
      for (const std::string& text : request_.stop) json_.String(text);
      json_.EndList();
    }
    json_.Key("stream").Bool(plan_.stream);
    if (!plan_.user.empty()) {
      json_.Key("metadata").BeginObject().Key("user_id").String(plan_.user).EndObject();
    }
    for (const auto& [name, value] : plan_.fields) json_.Key(name).Raw(JsonText(value));
    json_.EndObject();
    return {"/v1/messages", std::move(body_)};
  }

 private:
  static bool IsSystem(const Message& message) {
    return message.role == Role::kSystem || message.role == Role::kDeveloper;
  }

  // The format has one place for it, wherever it stood.
  void WriteSystem() {
    std::string text;
    for (const Message& message : request_.messages) {
      if (!IsSystem(message) || message.content.empty()) continue;
      text += (text.empty() ? "" : "\n\n") + message.content;
    }
    if (!text.empty()) json_.Key("system").String(text);
  }

  void WriteTools() {
    if (request_.tools.empty()) return;
    json_.Key("tools").BeginList();
    for (const Json& tool : request_.tools) {
      json_.BeginObject().Key("name").String(FindText(tool, "name"));
      if (const Json* text = FindValue(tool, "description")) {
        json_.Key("description").Raw(JsonText(*text));
      }
      const Json* parameters = FindObject(tool, "parameters");
      json_.Key("input_schema");
      json_.Raw(parameters != nullptr ? JsonText(*parameters)
                                      : "{\"type\": \"object\", \"properties\": {}}");
      json_.EndObject();
    }
    json_.EndList();
    WriteToolChoice();
  }

  void WriteToolChoice() {
    const bool one_at_a_time = !request_.parallel_tool_calls;
    if (request_.tool_choice == ToolChoice::kAuto && !one_at_a_time) return;
    json_.Key("tool_choice").BeginObject().Key("type");
    switch (request_.tool_choice) {
      case ToolChoice::kAuto:
        json_.String("auto");
        break;
      case ToolChoice::kNone:
        json_.String("none");
        break;
      case ToolChoice::kRequired:
        json_.String("any");
        break;
      case ToolChoice::kNamed:
        json_.String("tool").Key("name").String(request_.tool_name);
        break;
    }
    if (one_at_a_time) json_.Key("disable_parallel_tool_use").Bool(true);
    json_.EndObject();
  }

  // Turns alternate: what the user and the tools say in a row is one message.
  void WriteMessages() {
    json_.Key("messages").BeginList();
    std::string_view open;  // the role whose message is being written
    for (const Message& message : request_.messages) {
      if (IsSystem(message)) continue;
      const bool assistant = message.role == Role::kAssistant;
      if (assistant && !HasBlocks(message)) continue;
      const std::string_view role = assistant ? "assistant" : "user";
      if (role != open) {
        if (!open.empty()) json_.EndList().EndObject();
        json_.BeginObject().Key("role").String(role).Key("content").BeginList();
        open = role;
      }
      if (assistant) {
        WriteAssistant(message);
      } else if (message.role == Role::kTool) {
        WriteToolResult(message);
      } else {
        WriteParts(message, message.content);
      }
    }
    if (!open.empty()) json_.EndList().EndObject();
    json_.EndList();
  }

  void WriteText(std::string_view text) {
    json_.BeginObject().Key("type").String("text").Key("text").String(text).EndObject();
  }

  void WriteParts(const Message& message, std::string_view text) {
    if (message.parts.empty()) return WriteText(text);
    for (const Json& part : message.parts) {
      const std::string_view type = FindText(part, "type");
      if (type == "text") {
        WriteText(FindText(part, "text"));
        continue;
      }
      json_.BeginObject().Key("type").String("image").Key("source").BeginObject().Key("type");
      const std::string_view url = ImageUrl(part);
      if (type == "file") {
        json_.String("file").Key("file_id").String(FindText(part, "file_id"));
      } else if (const std::optional<DataUrl> data = ParseDataUrl(url)) {
        json_.String("base64").Key("media_type").String(data->media_type);
        json_.Key("data").String(data->base64);
      } else {
        json_.String("url").Key("url").String(url);
      }
      json_.EndObject().EndObject();
    }
  }

  void WriteToolResult(const Message& message) {
    const std::string_view output = ToolOutput(message);
    json_.BeginObject().Key("type").String("tool_result");
    json_.Key("tool_use_id").String(message.tool_call_id).Key("content");
    if (message.parts.empty()) {
      json_.String(output);
    } else {
      json_.BeginList();
      WriteParts(message, output);
      json_.EndList();
    }
    if (output.substr(0, kErrorMark.size()) == kErrorMark) json_.Key("is_error").Bool(true);
    json_.EndObject();
  }

  bool HasBlocks(const Message& message) const {
    return !message.content.empty() || !message.tool_calls.empty() || HasThinking(message);
  }

  bool HasThinking(const Message& message) const {
    return ReplayedReasoning(request_, plan_, message).has_value() ||
           !ReplayedDetails(plan_, message, "thinking").empty() ||
           !ReplayedDetails(plan_, message, "redacted_thinking").empty();
  }

  // As it came, signatures included, where it came from a service of this format.
  void WriteThinkingBlocks(const Message& message) {
    bool written = false;
    if (plan_.replay_reasoning) {
      for (const Json& item : message.reasoning_details.items) {
        const std::string_view type = FindText(item, "type");
        if (type != "thinking" && type != "redacted_thinking") continue;
        json_.Raw(JsonText(item));
        written = true;
      }
    }
    const std::optional<std::string_view> text = ReplayedReasoning(request_, plan_, message);
    if (written || !text) return;
    json_.BeginObject().Key("type").String("thinking").Key("thinking").String(*text);
    json_.Key("signature").String("").EndObject();
  }

  void WriteAssistant(const Message& message) {
    WriteThinkingBlocks(message);
    if (!message.content.empty()) WriteText(message.content);
    for (const ToolCall& call : message.tool_calls) {
      json_.BeginObject().Key("type").String("tool_use").Key("id").String(call.id);
      json_.Key("name").String(call.name);
      json_.Key("input").Raw(IsJsonObject(call.arguments, nullptr) ? call.arguments : "{}");
      json_.EndObject();
    }
  }

  void WriteThinking() {
    if (!plan_.model_entry.thinking || plan_.provider->thinking == ThinkingStyle::kNone) return;
    json_.Key("thinking").BeginObject().Key("type");
    json_.String(plan_.thinking ? "enabled" : "disabled");
    if (plan_.thinking_budget > 0) json_.Key("budget_tokens").Integer(plan_.thinking_budget);
    json_.EndObject();
    if (!plan_.thinking) return;
    json_.Key("output_config").BeginObject().Key("effort");
    json_.String(EffortText(plan_)).EndObject();
  }

  const Request& request_;
  const WirePlan& plan_;
  std::string body_;
  JsonWriter json_;
};

}  // namespace

WireCall EncodeAnthropic(const Request& request, const WirePlan& plan) {
  return Encoder(request, plan).Run();
}

const WireCodec kAnthropicCodec = {
    .name = "anthropic",
    .words = {.top_k = true, .stop = true, .needs_max_tokens = true, .prefix = true},
    .encode = EncodeAnthropic,
    .decoder = DecodeAnthropic,
};

}  // namespace finback
