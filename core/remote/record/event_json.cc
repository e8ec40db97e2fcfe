#include "core/remote/record/event_json.h"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "core/base/utf8.h"
#include "core/json/json_fields.h"
#include "core/json/json_writer.h"

namespace finback {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
constexpr int64_t kLargestIndex = std::numeric_limits<int32_t>::max();
constexpr int64_t kSmallestIndex = std::numeric_limits<int32_t>::min();

constexpr const char* kKinds[] = {"none",      "reasoning",      "content",
                                  "tool_call", "tool_arguments", "tool_call_end",
                                  "finish",    "progress",       "notice"};

struct UsageField {
  const char* name;
  int64_t Usage::*field;
};
constexpr UsageField kUsage[] = {{"prompt_tokens", &Usage::prompt_tokens},
                                 {"cached_tokens", &Usage::cached_tokens},
                                 {"completion_tokens", &Usage::completion_tokens},
                                 {"reasoning_tokens", &Usage::reasoning_tokens},
                                 {"cache_write_tokens", &Usage::cache_write_tokens},
                                 {"disk_tokens", &Usage::disk_tokens},
                                 {"proposed_tokens", &Usage::proposed_tokens},
                                 {"accepted_tokens", &Usage::accepted_tokens},
                                 {"reported_cost_pico", &Usage::reported_cost_pico}};

// A text's member, and the one it has when it is not UTF-8.
struct TextName {
  const char *text, *bytes;
};
constexpr TextName kText{"text", "text_bytes"}, kToken{"token", "token_bytes"},
    kToolId{"tool_id", "tool_id_bytes"}, kToolName{"tool_name", "tool_name_bytes"};

bool IsOfTool(EventKind kind) {
  return kind == EventKind::kToolCall || kind == EventKind::kToolArguments ||
         kind == EventKind::kToolCallEnd;
}

void WriteText(const TextName& name, std::string_view text, JsonWriter* json) {
  if (text.empty()) return;
  if (FindInvalidUtf8(text) == kValidUtf8) {
    json->Key(name.text).String(text);
    return;
  }
  json->Key(name.bytes).BeginList();
  for (const char c : text) json->Integer(static_cast<unsigned char>(c));
  json->EndList();
}

std::string ReadText(const TextName& name, JsonFields* fields) {
  const std::string* written = fields->FindString(name.text);
  const Json* bytes = fields->FindArray(name.bytes);
  if (written != nullptr && bytes != nullptr) {
    FailAt(fields->Path(name.bytes), Format("stands beside %s", name.text));
  }
  if (written != nullptr) return *written;
  std::string text;
  for (size_t i = 0; bytes != nullptr && i < bytes->items.size(); ++i) {
    const int64_t value = bytes->items[i].Integer(-1);
    if (value < 0 || value > 255) FailAt(fields->Path(name.bytes), "must hold bytes");
    text += static_cast<char>(value);
  }
  return text;
}

void WriteToken(const TokenLogprob& token, JsonWriter* json) {
  const auto head = [json](int32_t id, const std::string& text, float logprob) {
    json->BeginObject().Key("id").Integer(id);
    WriteText(kToken, text, json);
    json->Key("logprob").Number(logprob);
  };
  head(token.id, token.text, token.logprob);
  if (!token.top.empty()) {
    json->Key("top").BeginList();
    for (const auto& other : token.top) {
      head(other.id, other.text, other.logprob);
      json->EndObject();
    }
    json->EndList();
  }
  json->EndObject();
}

void ReadTokenHead(JsonFields* fields, int32_t* id, std::string* text, float* logprob) {
  int64_t value = 0;
  fields->Integer("id", kSmallestIndex, kLargestIndex, &value);
  *id = static_cast<int32_t>(value);
  *text = ReadText(kToken, fields);
  // What is not finite was written as null.
  double number = -std::numeric_limits<double>::infinity();
  constexpr double kFar = std::numeric_limits<float>::max();
  fields->Number("logprob", -kFar, kFar, &number);
  *logprob = static_cast<float>(number);
}

TokenLogprob ReadToken(const Json& json, const std::string& path) {
  TokenLogprob token;
  JsonFields fields(json, path);
  ReadTokenHead(&fields, &token.id, &token.text, &token.logprob);
  if (const Json* top = fields.FindArray("top")) {
    for (size_t i = 0; i < top->items.size(); ++i) {
      JsonFields other(top->items[i], path + Format(".top[%zu]", i));
      auto& alternative = token.top.emplace_back();
      ReadTokenHead(&other, &alternative.id, &alternative.text, &alternative.logprob);
      other.RejectUnknown();
    }
  }
  fields.RejectUnknown();
  return token;
}

void WriteUsage(const Usage& usage, JsonWriter* json) {
  const Usage nothing;
  json->Key("usage").BeginObject();
  for (const UsageField& row : kUsage) {
    if (usage.*row.field != nothing.*row.field) json->Key(row.name).Integer(usage.*row.field);
  }
  json->EndObject();
}

void ReadUsage(JsonFields* fields, Usage* usage) {
  const Json* json = fields->FindObject("usage");
  if (json == nullptr) return;
  JsonFields inner(*json, fields->Path("usage"));
  for (const UsageField& row : kUsage) inner.Integer(row.name, -1, kLargest, &(usage->*row.field));
  inner.RejectUnknown();
}

EventKind ReadKind(JsonFields* fields) {
  const std::string* name = fields->FindString("kind");
  if (name == nullptr) FailAt(fields->Path("kind"), "is missing");
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    if (*name == kKinds[i]) return static_cast<EventKind>(i);
  }
  FailAt(fields->Path("kind"), "unknown kind \"" + Shown(*name) + "\"");
}

FinishReason ReadFinishReason(JsonFields* fields) {
  const std::string* name = fields->FindString("finish_reason");
  if (name == nullptr) return FinishReason::kNone;
  const std::optional<FinishReason> reason = FindFinishReason(*name);
  if (!reason) FailAt(fields->Path("finish_reason"), "unknown reason \"" + Shown(*name) + "\"");
  return *reason;
}

}  // namespace

void AppendEventJson(const Event& event, std::string* out) {
  JsonWriter json(out);
  json.BeginObject().Key("kind").String(kKinds[static_cast<size_t>(event.kind)]);
  if (IsOfTool(event.kind) || event.tool_index != 0)
    json.Key("tool_index").Integer(event.tool_index);
  WriteText(kToolId, event.tool_id, &json);
  WriteText(kToolName, event.tool_name, &json);
  WriteText(kText, event.text, &json);
  if (event.finish_reason != FinishReason::kNone) {
    json.Key("finish_reason").String(FinishReasonName(event.finish_reason));
  }
  if (event.ends_reasoning) json.Key("ends_reasoning").Bool(true);
  if (event.kind == EventKind::kFinish) WriteUsage(event.usage, &json);
  if (event.kind == EventKind::kProgress) {
    json.Key("done").Integer(event.progress_done).Key("total").Integer(event.progress_total);
  }
  if (!event.logprobs.empty()) {
    json.Key("logprobs").BeginList();
    for (const TokenLogprob& token : event.logprobs) WriteToken(token, &json);
    json.EndList();
  }
  json.EndObject();
}

Event ParseEventJson(std::string_view line, const std::string& what) {
  const Json json = ParseJson(line, what.c_str());
  JsonFields fields(json, what);
  Event event;
  event.kind = ReadKind(&fields);
  int64_t index = 0;
  fields.Integer("tool_index", kSmallestIndex, kLargestIndex, &index);
  event.tool_index = static_cast<int32_t>(index);
  event.tool_id = ReadText(kToolId, &fields);
  event.tool_name = ReadText(kToolName, &fields);
  event.text = ReadText(kText, &fields);
  event.ends_reasoning = fields.Bool("ends_reasoning", false);
  event.finish_reason = ReadFinishReason(&fields);
  ReadUsage(&fields, &event.usage);
  fields.Integer("done", 0, kLargest, &event.progress_done);
  fields.Integer("total", 0, kLargest, &event.progress_total);
  if (const Json* logprobs = fields.FindArray("logprobs")) {
    for (size_t i = 0; i < logprobs->items.size(); ++i) {
      event.logprobs.push_back(
          ReadToken(logprobs->items[i], fields.Path("logprobs") + Format("[%zu]", i)));
    }
  }
  fields.RejectUnknown();
  return event;
}

}  // namespace finback
