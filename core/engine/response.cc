#include "core/engine/response.h"

#include <utility>

#include "core/engine/answer_json.h"
#include "core/json/json_writer.h"

namespace finback {

size_t ResponseBuilder::FindCall(int32_t tool_index) const {
  const size_t count = message_.tool_calls.size();
  for (size_t i = count; i-- > 0;) {
    if (tool_indexes_[i] == tool_index) return i;
  }
  return count;
}

std::string_view ResponseBuilder::ArgumentsOf(int32_t tool_index) const {
  const size_t call = FindCall(tool_index);
  if (call == message_.tool_calls.size()) return {};
  return message_.tool_calls[call].arguments;
}

void ResponseBuilder::Add(const Event& event) {
  std::vector<ToolCall>& calls = message_.tool_calls;
  const size_t call = FindCall(event.tool_index);
  switch (event.kind) {
    case EventKind::kReasoning:
      message_.reasoning_content += event.text;
      AppendLogprobs(event.logprobs, &reasoning_logprobs_);
      break;
    case EventKind::kContent:
      if (event.ends_reasoning) {
        message_.reasoning_content += std::exchange(message_.content, {});
        if (!reasoning_logprobs_.empty() && !content_logprobs_.empty()) reasoning_logprobs_ += ", ";
        reasoning_logprobs_ += std::exchange(content_logprobs_, {});
        AppendLogprobs(event.logprobs, &reasoning_logprobs_);
        break;
      }
      message_.content += event.text;
      AppendLogprobs(event.logprobs, &content_logprobs_);
      break;
    case EventKind::kToolCall:
      tool_indexes_.resize(calls.size() + 1);
      tool_indexes_.back() = event.tool_index;
      calls.push_back({event.tool_id, event.tool_name, ""});
      break;
    case EventKind::kToolArguments:
      if (call < calls.size()) calls[call].arguments += event.text;
      break;
    case EventKind::kToolCallEnd:
      if (call < calls.size()) calls[call].arguments = event.text;
      break;
    case EventKind::kFinish:
      finish_reason_ = event.finish_reason;
      break;
    case EventKind::kNone:
    case EventKind::kProgress:
    case EventKind::kNotice:
      break;
  }
}

std::string ResponseBuilder::Message(const ServiceAnswer* service) const {
  return MessageJson(message_, MessageForm::kAnswer,
                     service != nullptr ? service->reasoning_details : std::string());
}

std::string ResponseBuilder::Json(const Usage& usage, const ServiceAnswer* service) const {
  const bool chat = name_.shape == AnswerName::Shape::kChat;
  const bool named = service != nullptr && !service->id.empty();
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("id").String(named ? service->id : name_.id);
  json.Key("object").String(chat ? "chat.completion" : "text_completion");
  json.Key("created").Integer(name_.created).Key("model");
  json.String(service != nullptr && !service->model.empty() ? service->model : name_.model);
  json.Key("choices").BeginList().BeginObject().Key("index").Integer(0);
  json.Key("finish_reason");
  finish_reason_ == FinishReason::kNone ? json.Null()
                                        : json.String(FinishReasonName(finish_reason_));
  json.Key("logprobs");
  if (content_logprobs_.empty() && reasoning_logprobs_.empty()) {
    json.Null();
  } else {
    WriteLogprobs(content_logprobs_, reasoning_logprobs_, name_.shape, &json);
  }
  if (chat) {
    json.Key("message").Raw(Message(service));
  } else {
    json.Key("text").String(message_.content);
  }
  json.EndObject().EndList().Key("usage");
  WriteUsage(usage, &json);
  if (service != nullptr) {
    WriteFingerprint(*service, &json);
    json.Key("service");
    WriteService(*service, &json);
  }
  json.EndObject();
  return out;
}

}  // namespace finback
