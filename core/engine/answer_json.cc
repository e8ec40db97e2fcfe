#include "core/engine/answer_json.h"

#include <cmath>

#include "core/base/utf8.h"

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

}  // namespace

std::string MessageJson(const ParsedCompletion& message, MessageForm form,
                        const std::string& reasoning_details) {
  const bool answer = form == MessageForm::kAnswer;
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("role").String("assistant").Key("content").String(message.content);
  json.Key("reasoning_content");
  const std::string& reasoning = message.reasoning_content;
  answer&& reasoning.empty() ? json.Null() : json.String(reasoning);
  if (!reasoning_details.empty()) json.Key("reasoning_details").Raw(reasoning_details);
  if (!answer || !message.tool_calls.empty()) {
    json.Key("tool_calls").BeginList();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      json.BeginObject();
      if (answer) json.Key("index").Integer(static_cast<int64_t>(i)).Key("id").String(call.id);
      json.Key("type").String("function");
      json.Key("function").BeginObject().Key("name").String(call.name);
      json.Key("arguments").String(call.arguments).EndObject().EndObject();
    }
    json.EndList();
  }
  json.EndObject();
  return out;
}

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

void WriteLogprobs(const std::string& content, const std::string& reasoning,
                   AnswerName::Shape shape, JsonWriter* json) {
  json->BeginObject().Key("content").Raw("[" + content + "]");
  if (shape == AnswerName::Shape::kChat) {
    json->Key("reasoning_content").Raw("[" + reasoning + "]");
  }
  json->EndObject();
}

void WriteUsage(const Usage& usage, JsonWriter* json) {
  json->BeginObject();
  json->Key("prompt_tokens").Integer(usage.prompt_tokens);
  json->Key("prompt_cache_hit_tokens").Integer(usage.cached_tokens);
  json->Key("prompt_cache_miss_tokens").Integer(usage.prompt_tokens - usage.cached_tokens);
  json->Key("prompt_tokens_details").BeginObject();
  json->Key("cached_tokens").Integer(usage.cached_tokens);
  if (usage.disk_tokens > 0) json->Key("disk_tokens").Integer(usage.disk_tokens);
  json->EndObject();
  json->Key("completion_tokens").Integer(usage.completion_tokens);
  json->Key("completion_tokens_details").BeginObject();
  json->Key("reasoning_tokens").Integer(usage.reasoning_tokens);
  if (usage.proposed_tokens > 0) {
    json->Key("accepted_prediction_tokens").Integer(usage.accepted_tokens);
    json->Key("rejected_prediction_tokens").Integer(usage.proposed_tokens - usage.accepted_tokens);
  }
  json->EndObject();
  json->Key("total_tokens").Integer(usage.prompt_tokens + usage.completion_tokens);
  json->EndObject();
}

void WriteFingerprint(const ServiceAnswer& service, JsonWriter* json) {
  if (!service.fingerprint.empty()) json->Key("system_fingerprint").String(service.fingerprint);
}

void WriteService(const ServiceAnswer& service, JsonWriter* json) {
  json->BeginObject().Key("provider").String(service.provider);
  json->Key("attempts").Integer(service.attempts).Key("cost_picodollars");
  service.cost_pico < 0 ? json->Null() : json->Integer(service.cost_pico);
  json->Key("cost_source").String(CostSourceName(service.cost_source));
  if (!service.tariff.empty()) json->Key("tariff").String(service.tariff);
  json->EndObject();
}

}  // namespace finback
