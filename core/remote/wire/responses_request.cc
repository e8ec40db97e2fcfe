// Responses, as requests; always stateless. Answers: responses_answer.cc.
#include <string>

#include "core/json/json_writer.h"
#include "core/json/lenient_json.h"
#include "core/remote/wire/wire_codec.h"
#include "core/remote/wire/wire_request.h"

namespace finback {
namespace {

constexpr std::string_view kUnnamedSchema = "answer";

class Encoder {
 public:
  Encoder(const Request& request, const WirePlan& plan)
      : request_(request), plan_(plan), json_(&body_) {}

  WireCall Run() {
    json_.BeginObject().Key("model").String(plan_.model);
    WriteInput();
    WriteTools();
    WriteFormat();
    if (plan_.model_entry.thinking && plan_.provider->thinking != ThinkingStyle::kNone) {
      json_.Key("reasoning").BeginObject().Key("effort");
      json_.String(EffortText(plan_)).EndObject();
    }
    if (plan_.send_max_tokens) json_.Key("max_output_tokens").Integer(plan_.max_tokens);
    if (request_.has_temperature) json_.Key("temperature").Number(request_.temperature);
    if (request_.has_top_p) json_.Key("top_p").Number(request_.top_p);
    if (request_.top_logprobs >= 0) {
      json_.Key("top_logprobs").Integer(request_.top_logprobs);
      json_.Key("include").BeginList().String("message.output_text.logprobs").EndList();
    }
    json_.Key("stream").Bool(plan_.stream).Key("store").Bool(false);
    if (!plan_.user.empty()) json_.Key(plan_.provider->user_field).String(plan_.user);
    for (const auto& [name, value] : plan_.fields) json_.Key(name).Raw(JsonText(value));
    json_.EndObject();
    return {"/responses", std::move(body_)};
  }

 private:
  // A system message at the beginning is the instructions; later ones keep their place.
  void WriteInput() {
    size_t first = 0;
    const Role role = request_.messages[0].role;
    if (request_.messages.size() > 1 && (role == Role::kSystem || role == Role::kDeveloper)) {
      json_.Key("instructions").String(request_.messages[0].content);
      first = 1;
    }
    json_.Key("input").BeginList();
    for (size_t i = first; i < request_.messages.size(); ++i) {
      const Message& message = request_.messages[i];
      if (message.role == Role::kAssistant) {
        WriteAssistant(message);
      } else if (message.role == Role::kTool) {
        WriteOutput(message);
      } else {
        WriteMessage(message.role == Role::kDeveloper ? Role::kSystem : message.role, message);
      }
    }
    json_.EndList();
  }

  void WriteText(std::string_view type, std::string_view text) {
    json_.BeginObject().Key("type").String(type).Key("text").String(text).EndObject();
  }

  void WriteMessage(Role role, const Message& message) {
    json_.BeginObject().Key("type").String("message").Key("role").String(RoleName(role));
    json_.Key("content").BeginList();
    WriteParts(message);
    json_.EndList().EndObject();
  }

  void WriteParts(const Message& message) {
    if (message.parts.empty()) return WriteText("input_text", message.content);
    for (const Json& part : message.parts) {
      const std::string_view type = FindText(part, "type");
      if (type == "text") {
        WriteText("input_text", FindText(part, "text"));
      } else if (type == "image_url") {
        WriteImage(part);
      } else {
        json_.BeginObject().Key("type").String("input_file");
        for (const char* field : {"file_id", "file_data", "filename"}) {
          const std::string_view text = FindText(part, field);
          if (!text.empty()) json_.Key(field).String(text);
        }
        json_.EndObject();
      }
    }
  }

  void WriteImage(const Json& part) {
    json_.BeginObject().Key("type").String("input_image");
    json_.Key("image_url").String(ImageUrl(part));
    const std::string_view detail = FindText(*FindObject(part, "image_url"), "detail");
    if (!detail.empty()) json_.Key("detail").String(detail);
    json_.EndObject();
  }

  // Reasoning items as they came, where they came from a service of this format.
  void WriteReasoning(const Message& message) {
    const auto items = ReplayedDetails(plan_, message, "reasoning");
    bool written = false;
    for (const Json* item : items) {
      if (FindText(*item, "type") != "reasoning") continue;  // a gateway's "reasoning.text"
      json_.Raw(JsonText(*item));
      written = true;
    }
    const std::optional<std::string_view> text = ReplayedReasoning(request_, plan_, message);
    if (written || !text) return;
    json_.BeginObject().Key("type").String("reasoning");
    if (plan_.provider->supports.reasoning_summary) json_.Key("summary").BeginList().EndList();
    json_.Key("content").BeginList();
    WriteText("reasoning_text", *text);
    json_.EndList().EndObject();
  }

  void WriteAssistant(const Message& message) {
    WriteReasoning(message);
    if (!message.content.empty()) {
      json_.BeginObject().Key("type").String("message").Key("role").String("assistant");
      json_.Key("content").BeginList();
      WriteText("output_text", message.content);
      json_.EndList().EndObject();
    }
    for (const ToolCall& call : message.tool_calls) {
      json_.BeginObject().Key("type").String("function_call").Key("call_id").String(call.id);
      json_.Key("name").String(call.name);
      json_.Key("arguments").String(ReplayedArguments(call.arguments)).EndObject();
    }
  }

  void WriteOutput(const Message& message) {
    json_.BeginObject().Key("type").String("function_call_output");
    json_.Key("call_id").String(message.tool_call_id).Key("output");
    if (message.parts.empty()) {
      json_.String(ToolOutput(message));
    } else {
      json_.BeginList();
      WriteParts(message);
      json_.EndList();
    }
    json_.EndObject();
  }

  void WriteTools() {
    if (request_.tools.empty()) return;
    json_.Key("tools").BeginList();
    for (const Json& tool : request_.tools) {
      json_.BeginObject().Key("type").String("function");
      for (const auto& [name, value] : tool.members) {
        if (name != "type") json_.Key(name).Raw(JsonText(value));
      }
      json_.EndObject();
    }
    json_.EndList();
    if (request_.tool_choice == ToolChoice::kNamed) {
      json_.Key("tool_choice").BeginObject().Key("type").String("function");
      json_.Key("name").String(request_.tool_name).EndObject();
    } else if (request_.tool_choice != ToolChoice::kAuto) {
      const bool none = request_.tool_choice == ToolChoice::kNone;
      json_.Key("tool_choice").String(none ? "none" : "required");
    }
    if (!request_.parallel_tool_calls) json_.Key("parallel_tool_calls").Bool(false);
  }

  void WriteFormat() {
    if (plan_.response_format == ResponseFormat::kText) return;
    json_.Key("text").BeginObject().Key("format").BeginObject().Key("type");
    if (plan_.response_format == ResponseFormat::kJsonObject) {
      json_.String("json_object");
    } else {
      json_.String("json_schema");
      const Json* format = FindObject(request_.format, "json_schema");
      const Json none;
      if (format == nullptr) format = &none;
      if (FindText(*format, "name").empty()) json_.Key("name").String(kUnnamedSchema);
      for (const auto& [name, value] : format->members) json_.Key(name).Raw(JsonText(value));
    }
    json_.EndObject().EndObject();
  }

  const Request& request_;
  const WirePlan& plan_;
  std::string body_;
  JsonWriter json_;
};

}  // namespace

WireCall EncodeResponses(const Request& request, const WirePlan& plan) {
  return Encoder(request, plan).Run();
}

const WireCodec kResponsesCodec = {
    .name = "responses",
    .words = {.response_format = true, .logprobs = true, .file_data = true},
    .encode = EncodeResponses,
    .decoder = DecodeResponses,
};

}  // namespace finback
