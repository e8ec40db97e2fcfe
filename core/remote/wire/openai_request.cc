// Chat Completions, and the plain completions beside it, as requests. Answers: openai_answer.cc.
#include <string>

#include "core/json/json.h"
#include "core/json/json_writer.h"
#include "core/remote/wire/wire_codec.h"
#include "core/remote/wire/wire_request.h"

namespace finback {
namespace {

constexpr std::string_view kDetailsField = "reasoning_details";

class Encoder {
 public:
  Encoder(const Request& request, const WirePlan& plan)
      : request_(request), plan_(plan), provider_(*plan.provider), json_(&body_) {}

  WireCall Run() {
    json_.BeginObject().Key("model").String(plan_.model);
    if (request_.is_chat) {
      WriteMessages();
      WriteTools();
      WriteFormat();
      WriteThinking();
    } else {
      json_.Key("prompt").String(request_.prompt);
      if (request_.has_suffix) json_.Key("suffix").String(request_.suffix);
      if (request_.echo) json_.Key("echo").Bool(true);
    }
    WriteSampling();
    json_.Key("stream").Bool(plan_.stream);
    if (plan_.stream && provider_.supports.stream_usage) {
      json_.Key("stream_options").BeginObject().Key("include_usage").Bool(true).EndObject();
    }
    if (!plan_.user.empty()) json_.Key(provider_.user_field).String(plan_.user);
    for (const auto& [name, value] : plan_.fields) json_.Key(name).Raw(JsonText(value));
    json_.EndObject();
    return {request_.is_chat ? "/chat/completions" : "/completions", std::move(body_)};
  }

 private:
  void WriteMessages() {
    json_.Key("messages").BeginList();
    for (const Message& message : request_.messages) {
      json_.BeginObject();
      const bool renamed = message.role == Role::kDeveloper && !provider_.supports.developer_role;
      json_.Key("role").String(RoleName(renamed ? Role::kSystem : message.role));
      WriteContent(message);
      if (!message.name.empty()) json_.Key("name").String(message.name);
      if (message.role == Role::kAssistant) WriteAssistant(message);
      if (message.role == Role::kTool) json_.Key("tool_call_id").String(message.tool_call_id);
      json_.EndObject();
    }
    json_.EndList();
  }

  void WriteContent(const Message& message) {
    json_.Key("content");
    if (message.parts.empty()) {
      json_.String(message.role == Role::kTool ? ToolOutput(message) : message.content);
      return;
    }
    json_.BeginList();
    for (const Json& part : message.parts) json_.Raw(JsonText(part));
    json_.EndList();
  }

  void WriteAssistant(const Message& message) {
    WriteReasoning(message);
    if (!message.tool_calls.empty()) {
      json_.Key("tool_calls").BeginList();
      for (const ToolCall& call : message.tool_calls) {
        json_.BeginObject().Key("id").String(call.id).Key("type").String("function");
        json_.Key("function").BeginObject().Key("name").String(call.name);
        json_.Key("arguments").String(ReplayedArguments(call.arguments)).EndObject().EndObject();
      }
      json_.EndList();
    }
    if (message.without_eos) json_.Key("prefix").Bool(true);
  }

  // A gateway's own form where it has one and knows it; never both, it would count them twice.
  void WriteReasoning(const Message& message) {
    const auto details = ReplayedDetails(plan_, message, "reasoning.");
    bool knows_details = false;
    for (const std::string& field : provider_.reasoning_in) knows_details |= field == kDetailsField;
    if (knows_details && !details.empty()) {
      json_.Key(kDetailsField).BeginList();
      for (const Json* item : details) json_.Raw(JsonText(*item));
      json_.EndList();
      return;
    }
    const std::optional<std::string_view> text = ReplayedReasoning(request_, plan_, message);
    if (!text) return;
    const std::string& field = provider_.reasoning_out;
    json_.Key(field.empty() ? std::string_view("reasoning_content") : field).String(*text);
  }

  void WriteTools() {
    if (request_.tools.empty()) return;
    json_.Key("tools").BeginList();
    for (const Json& tool : request_.tools) {
      json_.BeginObject().Key("type").String("function");
      json_.Key("function").Raw(JsonText(tool)).EndObject();
    }
    json_.EndList();
    switch (request_.tool_choice) {
      case ToolChoice::kAuto:
        break;
      case ToolChoice::kNone:
        json_.Key("tool_choice").String("none");
        break;
      case ToolChoice::kRequired:
        json_.Key("tool_choice").String("required");
        break;
      case ToolChoice::kNamed:
        json_.Key("tool_choice").BeginObject().Key("type").String("function");
        json_.Key("function").BeginObject().Key("name").String(request_.tool_name);
        json_.EndObject().EndObject();
        break;
    }
    if (!request_.parallel_tool_calls) json_.Key("parallel_tool_calls").Bool(false);
  }

  void WriteFormat() {
    if (plan_.response_format == ResponseFormat::kJsonObject) {
      json_.Key("response_format").BeginObject().Key("type").String("json_object").EndObject();
    } else if (plan_.response_format == ResponseFormat::kJsonSchema) {
      json_.Key("response_format").Raw(JsonText(request_.format));
    }
  }

  void WriteThinking() {
    if (!plan_.model_entry.thinking) return;
    const std::string_view effort = EffortText(plan_);
    switch (provider_.thinking) {
      case ThinkingStyle::kThinkingObject:
        json_.Key("thinking").BeginObject().Key("type");
        json_.String(plan_.thinking ? "enabled" : "disabled").EndObject();
        if (plan_.thinking) json_.Key("reasoning_effort").String(effort);
        break;
      case ThinkingStyle::kEffort:
        json_.Key("reasoning_effort").String(effort);
        break;
      case ThinkingStyle::kReasoningObject:
        json_.Key("reasoning").BeginObject().Key("effort").String(effort).EndObject();
        break;
      case ThinkingStyle::kReasoningEnabled:
        json_.Key("reasoning").BeginObject().Key("enabled").Bool(plan_.thinking).EndObject();
        if (plan_.thinking) json_.Key("reasoning_effort").String(effort);
        break;
      case ThinkingStyle::kChatTemplateKwargs:
        json_.Key("chat_template_kwargs").BeginObject().Key("thinking").Bool(plan_.thinking);
        if (plan_.thinking) json_.Key("reasoning_effort").String(effort);
        if (!request_.drop_thinking) json_.Key("drop_thinking").Bool(false);
        json_.EndObject();
        break;
      case ThinkingStyle::kNone:
        break;
    }
  }

  void WriteSampling() {
    if (plan_.send_max_tokens) json_.Key("max_tokens").Integer(plan_.max_tokens);
    if (request_.has_temperature) json_.Key("temperature").Number(request_.temperature);
    if (request_.has_top_p) json_.Key("top_p").Number(request_.top_p);
    if (request_.has_top_k) json_.Key("top_k").Integer(request_.top_k);
    if (request_.min_p > 0) json_.Key("min_p").Number(request_.min_p);
    if (plan_.send_penalties) {
      json_.Key("frequency_penalty").Number(request_.frequency_penalty);
      json_.Key("presence_penalty").Number(request_.presence_penalty);
    }
    // Negative seeds are kept as two's complement.
    if (request_.has_seed) json_.Key("seed").Integer(static_cast<int64_t>(request_.seed));
    if (!request_.logit_bias.empty()) {
      json_.Key("logit_bias").BeginObject();
      for (const auto& [id, bias] : request_.logit_bias) {
        json_.Key(std::to_string(id)).Number(bias);
      }
      json_.EndObject();
    }
    if (!request_.stop.empty()) {
      json_.Key("stop").BeginList();
      for (const std::string& text : request_.stop) json_.String(text);
      json_.EndList();
    }
    WriteLogprobs();
  }

  void WriteLogprobs() {
    if (request_.top_logprobs < 0) return;
    if (!request_.is_chat) {
      json_.Key("logprobs").Integer(request_.top_logprobs);
      return;
    }
    json_.Key("logprobs").Bool(true);
    if (request_.top_logprobs > 0) json_.Key("top_logprobs").Integer(request_.top_logprobs);
  }

  const Request& request_;
  const WirePlan& plan_;
  const Provider& provider_;
  std::string body_;
  JsonWriter json_;
};

}  // namespace

WireCall EncodeOpenAi(const Request& request, const WirePlan& plan) {
  return Encoder(request, plan).Run();
}

const WireCodec kOpenAiCodec = {
    .name = "openai",
    .words = {.completions = true,
              .response_format = true,
              .logprobs = true,
              .sampling_extras = true,
              .top_k = true,
              .stop = true,
              .prefix = true,
              .file_data = true},
    .encode = EncodeOpenAi,
    .decoder = DecodeOpenAi,
};

}  // namespace finback
