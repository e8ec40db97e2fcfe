#include "capi/response.h"

#include <cmath>
#include <utility>

#include "core/base/utf8.h"
#include "core/json/json_writer.h"

namespace finback {
namespace {

constexpr float kNever = -9999.0f;  // what the service sends for a probability of zero

void WriteToken(int32_t id, float logprob, const std::string& bytes, JsonWriter* json) {
  // A token may be part of a character.
  json->Key("token").String(ValidUtf8(bytes)).Key("id").Integer(id);
  json->Key("logprob").Number(std::isfinite(logprob) ? logprob : kNever);
  json->Key("bytes").BeginList();
  for (const char c : bytes) json->Integer(static_cast<unsigned char>(c));
  json->EndList();
}

void WriteUsage(const Usage& usage, JsonWriter* json) {
  json->BeginObject();
  json->Key("prompt_tokens").Integer(usage.prompt_tokens);
  json->Key("prompt_cache_hit_tokens").Integer(usage.cached_tokens);
  json->Key("prompt_cache_miss_tokens").Integer(usage.prompt_tokens - usage.cached_tokens);
  json->Key("prompt_tokens_details").BeginObject();
  json->Key("cached_tokens").Integer(usage.cached_tokens).EndObject();
  json->Key("completion_tokens").Integer(usage.completion_tokens);
  json->Key("completion_tokens_details").BeginObject();
  json->Key("reasoning_tokens").Integer(usage.reasoning_tokens).EndObject();
  json->Key("total_tokens").Integer(usage.prompt_tokens + usage.completion_tokens);
  json->EndObject();
}

void WriteService(const ServiceAnswer& service, JsonWriter* json) {
  if (!service.fingerprint.empty()) {
    json->Key("system_fingerprint").String(service.fingerprint);
  }
  json->Key("service").BeginObject().Key("provider").String(service.provider);
  json->Key("attempts").Integer(service.attempts).Key("cost_picodollars");
  service.cost_pico < 0 ? json->Null() : json->Integer(service.cost_pico);
  json->Key("cost_source").String(CostSourceName(service.cost_source));
  if (!service.tariff.empty()) json->Key("tariff").String(service.tariff);
  json->EndObject();
}

}  // namespace

void AppendLogprobs(const std::vector<TokenLogprob>& tokens, std::string* out) {
  for (const TokenLogprob& token : tokens) {
    if (!out->empty()) *out += ", ";
    JsonWriter json(out);
    json.BeginObject();
    WriteToken(token.id, token.logprob, token.text, &json);
    json.Key("top_logprobs").BeginList();
    for (const TokenLogprob::Alternative& other : token.top) {
      json.BeginObject();
      WriteToken(other.id, other.logprob, other.text, &json);
      json.EndObject();
    }
    json.EndList().EndObject();
  }
}

void ResponseBuilder::Start(Shape shape, std::string model, std::string id, int64_t created) {
  shape_ = shape;
  model_ = std::move(model);
  id_ = std::move(id);
  created_ = created;
}

ResponseBuilder::Call* ResponseBuilder::FindCall(int32_t tool_index) {
  for (size_t i = calls_.size(); i-- > 0;) {
    if (calls_[i].index == tool_index) return &calls_[i];
  }
  return nullptr;
}

void ResponseBuilder::Add(const Event& event) {
  switch (event.kind) {
    case EventKind::kReasoning:
      reasoning_ += event.text;
      AppendLogprobs(event.logprobs, &reasoning_logprobs_);
      break;
    case EventKind::kContent:
      content_ += event.text;
      AppendLogprobs(event.logprobs, &content_logprobs_);
      break;
    case EventKind::kToolCall:
      calls_.push_back({event.tool_index, event.tool_id, event.tool_name, ""});
      break;
    case EventKind::kToolArguments:
      if (Call* call = FindCall(event.tool_index)) call->arguments += event.text;
      break;
    case EventKind::kToolCallEnd:
      if (Call* call = FindCall(event.tool_index)) call->arguments = event.text;
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
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("role").String("assistant").Key("content").String(content_);
  json.Key("reasoning_content");
  reasoning_.empty() ? json.Null() : json.String(reasoning_);
  if (service != nullptr && !service->reasoning_details.empty()) {
    json.Key("reasoning_details").Raw(service->reasoning_details);
  }
  if (!calls_.empty()) {
    json.Key("tool_calls").BeginList();
    for (size_t i = 0; i < calls_.size(); ++i) {
      json.BeginObject().Key("index").Integer(static_cast<int64_t>(i));
      json.Key("id").String(calls_[i].id).Key("type").String("function");
      json.Key("function").BeginObject().Key("name").String(calls_[i].name);
      json.Key("arguments").String(calls_[i].arguments).EndObject().EndObject();
    }
    json.EndList();
  }
  json.EndObject();
  return out;
}

std::string ResponseBuilder::Json(const Usage& usage, const ServiceAnswer* service) const {
  const bool chat = shape_ == Shape::kChat;
  const bool named = service != nullptr && !service->id.empty();
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("id").String(named ? service->id : id_);
  json.Key("object").String(chat ? "chat.completion" : "text_completion");
  json.Key("created").Integer(created_).Key("model");
  json.String(service != nullptr && !service->model.empty() ? service->model : model_);
  json.Key("choices").BeginList().BeginObject().Key("index").Integer(0);
  json.Key("finish_reason");
  finish_reason_ == FinishReason::kNone ? json.Null()
                                        : json.String(FinishReasonName(finish_reason_));
  json.Key("logprobs");
  if (content_logprobs_.empty() && reasoning_logprobs_.empty()) {
    json.Null();
  } else {
    json.BeginObject().Key("content").Raw("[" + content_logprobs_ + "]");
    if (chat) json.Key("reasoning_content").Raw("[" + reasoning_logprobs_ + "]");
    json.EndObject();
  }
  if (chat) {
    json.Key("message").Raw(Message(service));
  } else {
    json.Key("text").String(content_);
  }
  json.EndObject().EndList().Key("usage");
  WriteUsage(usage, &json);
  if (service != nullptr) WriteService(*service, &json);
  json.EndObject();
  return out;
}

}  // namespace finback
