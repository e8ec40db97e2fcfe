#include "core/engine/chunk.h"

#include <string_view>

#include "core/engine/answer_json.h"
#include "core/json/json_writer.h"

namespace finback {
namespace {

void WriteCall(const Event& event, std::string_view arguments, JsonWriter* json) {
  const bool begins = event.kind == EventKind::kToolCall;
  json->Key("tool_calls").BeginList().BeginObject().Key("index").Integer(event.tool_index);
  if (begins) json->Key("id").String(event.tool_id).Key("type").String("function");
  json->Key("function").BeginObject();
  if (begins) json->Key("name").String(event.tool_name);
  json->Key("arguments").String(arguments).EndObject().EndObject().EndList();
}

bool IsText(EventKind kind) { return kind == EventKind::kReasoning || kind == EventKind::kContent; }

}  // namespace

void ChunkWriter::WriteDelta(const Event& event, const ServiceAnswer* service,
                             JsonWriter* json) const {
  switch (event.kind) {
    case EventKind::kReasoning:
      json->Key("reasoning_content").String(event.text);
      break;
    case EventKind::kContent:
      json->Key("content").String(event.text);
      break;
    case EventKind::kToolCall:
      WriteCall(event, "", json);
      break;
    case EventKind::kToolArguments:
      WriteCall(event, event.text, json);
      break;
    case EventKind::kToolCallEnd:
      WriteCall(event, std::string_view(event.text).substr(said_), json);
      break;
    default:  // kFinish: what is whole only at the end
      if (service != nullptr && !service->reasoning_details.empty()) {
        json->Key("reasoning_details").Raw(service->reasoning_details);
      }
      break;
  }
}

void ChunkWriter::Add(const Event& event, const ResponseBuilder& response) {
  has_ = first_ = false;
  const bool chat = name_.shape == AnswerName::Shape::kChat;
  switch (event.kind) {
    case EventKind::kReasoning:
    case EventKind::kToolCall:
    case EventKind::kToolArguments:
      has_ = chat;
      break;
    case EventKind::kContent:
    case EventKind::kFinish:
      has_ = true;
      break;
    case EventKind::kToolCallEnd: {
      // Usually all has been said; what was repaired otherwise than at its end cannot be unsaid.
      const std::string_view said = response.ArgumentsOf(event.tool_index);
      said_ = said.size();
      has_ = chat && event.text.size() > said_ && event.text.starts_with(said);
      break;
    }
    case EventKind::kNone:
    case EventKind::kProgress:
    case EventKind::kNotice:
      break;
  }
  first_ = has_ && !begun_;
  begun_ = begun_ || has_;
}

std::string ChunkWriter::Json(const Event& event, const Usage& usage,
                              const ServiceAnswer* service) {
  if (!has_ || event.kind == EventKind::kNone) return {};
  if (!named_ && service != nullptr) {
    if (!service->id.empty()) name_.id = service->id;
    if (!service->model.empty()) name_.model = service->model;
  }
  named_ = true;
  const bool chat = name_.shape == AnswerName::Shape::kChat;
  const bool finish = event.kind == EventKind::kFinish;
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("id").String(name_.id);
  json.Key("object").String(chat ? "chat.completion.chunk" : "text_completion");
  json.Key("created").Integer(name_.created).Key("model").String(name_.model);
  if (service != nullptr) WriteFingerprint(*service, &json);
  json.Key("choices").BeginList().BeginObject().Key("index").Integer(0);
  if (chat) {
    json.Key("delta").BeginObject();
    if (first_) json.Key("role").String("assistant");
    WriteDelta(event, service, &json);
    json.EndObject();
  } else {
    json.Key("text").String(finish ? std::string_view() : event.text);
  }
  if (IsText(event.kind) && !event.logprobs.empty()) {  // both lists, one of them empty
    std::string content, reasoning;
    AppendLogprobs(event.logprobs, event.kind == EventKind::kReasoning ? &reasoning : &content);
    json.Key("logprobs");
    WriteLogprobs(content, reasoning, name_.shape, &json);
  }
  json.Key("finish_reason");
  finish ? json.String(FinishReasonName(event.finish_reason)) : json.Null();
  json.EndObject().EndList().Key("usage");
  finish ? WriteUsage(usage, &json) : static_cast<void>(json.Null());
  if (finish && service != nullptr) {
    json.Key("service");
    WriteService(*service, &json);
  }
  json.EndObject();
  return out;
}

}  // namespace finback
