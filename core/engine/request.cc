#include "core/engine/request.h"

#include <cmath>
#include <limits>
#include <optional>

#include "core/base/status.h"
#include "core/engine/request_tools.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int kMaxStops = 16;
constexpr int kMaxTopLogprobs = 20;

// Fields that say nothing about the text to be produced. finback.h lists them.
constexpr const char* kServiceFields[] = {"stream_options",
                                          "user",
                                          "user_id",
                                          "metadata",
                                          "store",
                                          "service_tier",
                                          "safety_identifier",
                                          "safety_check",
                                          "prompt_cache_key",
                                          "prompt_cache_retention"};

// Fields that extra_body cannot have.
constexpr const char* kOwnFields[] = {"messages",
                                      "prompt",
                                      "model",
                                      "stream",
                                      "stream_options",
                                      "n",
                                      "max_tokens",
                                      "max_completion_tokens",
                                      "temperature",
                                      "top_p",
                                      "top_k",
                                      "min_p",
                                      "seed",
                                      "stop",
                                      "logit_bias",
                                      "logprobs",
                                      "top_logprobs",
                                      "frequency_penalty",
                                      "presence_penalty",
                                      "tools",
                                      "tool_choice",
                                      "parallel_tool_calls",
                                      "response_format",
                                      "thinking",
                                      "reasoning_effort",
                                      "suffix",
                                      "echo",
                                      "extra_body"};

// What requests may call an effort besides.
constexpr EffortLevel kEffortAliases[] = {{"minimal", Effort::kLow},
                                          {"medium", Effort::kHigh},
                                          {"xhigh", Effort::kHigh},
                                          {"ultra", Effort::kMax}};

std::optional<Effort> FindRequestedEffort(std::string_view name) {
  for (const EffortLevel& alias : kEffortAliases) {
    if (alias.name == name) return alias.effort;
  }
  return FindEffort(name);
}

void ReadThinking(JsonFields* fields, Request* request) {
  if (const Json* thinking = fields->FindObject("thinking")) {
    JsonFields inner = fields->Within(*thinking, "thinking");
    const std::string& type = inner.RequireString("type");
    if (type == "enabled" || type == "adaptive") {
      request->thinking = Toggle::kOn;
    } else if (type == "disabled") {
      request->thinking = Toggle::kOff;
    } else {
      inner.Fail("type", "must be \"enabled\", \"adaptive\" or \"disabled\", got " + Quoted(type));
    }
    inner.RejectUnknown();
  }
  if (const std::string* effort = fields->FindString("reasoning_effort")) {
    if (*effort == kNoEffort) {
      // As services have it: the switch itself counts, if it was said.
      if (request->thinking == Toggle::kDefault) request->thinking = Toggle::kOff;
    } else if (const auto found = FindRequestedEffort(*effort)) {
      request->effort = *found;
    } else {
      FailAt("reasoning_effort", "must be none, low, high or max, got \"" + Shown(*effort) + "\"");
    }
    // Asking for effort is asking for thinking, unless it was disabled in so many words.
    if (request->thinking == Toggle::kDefault) request->thinking = Toggle::kOn;
  }
}

void ReadSeed(JsonFields* fields, Request* request) {
  const Json* seed = fields->Find("seed");
  if (seed == nullptr) return;
  if (!seed->IsInteger()) {
    fields->FailKind("seed", "an integer", *seed);
  }
  // Any integer of 64 bits, signed or not.
  const bool negative = seed->text[0] == '-';
  uint64_t magnitude = 0;
  for (const char c : seed->text.substr(negative ? 1 : 0)) {
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (magnitude > (std::numeric_limits<uint64_t>::max() - digit) / 10 ||
        (negative && magnitude * 10 + digit > uint64_t{1} << 63)) {
      FailAt("seed", "does not fit 64 bits: " + Shown(seed->text));
    }
    magnitude = magnitude * 10 + digit;
  }
  request->has_seed = true;
  request->seed = negative ? uint64_t{0} - magnitude : magnitude;
}

void ReadStop(JsonFields* fields, Request* request) {
  const Json* stop = fields->Find("stop");
  if (stop == nullptr) return;
  if (stop->IsString()) {
    if (stop->text.empty()) FailAt("stop", "must not be empty");
    request->stop.push_back(stop->text);
    return;
  }
  if (!stop->IsArray()) {
    fields->FailKind("stop", "a string or a list of strings", *stop);
  }
  if (stop->items.size() > kMaxStops) {
    FailAt("stop", Format("at most %d strings, got %zu", kMaxStops, stop->items.size()));
  }
  for (size_t i = 0; i < stop->items.size(); ++i) {
    const Json& item = stop->items[i];
    const std::string path = Format("stop[%zu]", i);
    if (!item.IsString()) FailAt(path, Format("expected a string, found %s", KindName(item)));
    if (item.text.empty()) FailAt(path, "must not be empty");
    request->stop.push_back(item.text);
  }
}

void ReadLogitBias(JsonFields* fields, Request* request) {
  const Json* bias = fields->FindObject("logit_bias");
  if (bias == nullptr) return;
  for (const auto& [key, value] : bias->members) {
    int64_t id = 0;
    bool good = !key.empty() && key.size() <= 9;
    for (const char c : key) {
      good = good && c >= '0' && c <= '9';
      if (good) id = id * 10 + (c - '0');
    }
    if (!good) FailAt("logit_bias", "\"" + Shown(key) + "\" is not a token id");
    const std::string path = "logit_bias." + key;
    if (!value.IsNumber()) FailAt(path, Format("expected a number, found %s", KindName(value)));
    if (!(value.number >= -100 && value.number <= 100)) {
      FailAt(path, "must be between -100 and 100, got " + Shown(value.text));
    }
    request->logit_bias.emplace_back(static_cast<int32_t>(id), static_cast<float>(value.number));
  }
}

void ReadLogprobs(JsonFields* fields, Request* request) {
  int64_t top = 0;
  if (!request->is_chat) {
    if (fields->Integer("logprobs", 0, kMaxTopLogprobs, &top)) {
      request->top_logprobs = static_cast<int32_t>(top);
    }
    return;
  }
  const bool wanted = fields->Bool("logprobs", false);
  const bool has_top = fields->Integer("top_logprobs", 0, kMaxTopLogprobs, &top);
  if (has_top && !wanted) FailAt("top_logprobs", "needs \"logprobs\": true");
  if (wanted) request->top_logprobs = static_cast<int32_t>(top);
}

void ReadMaxTokens(JsonFields* fields, Request* request) {
  int64_t value = 0, other = 0;
  const bool has = fields->Integer("max_tokens", 1, kMaxInt, &value);
  if (has) request->max_tokens = value;
  if (request->is_chat && fields->Integer("max_completion_tokens", 1, kMaxInt, &other)) {
    if (has && other != value) {
      FailAt("max_completion_tokens", "differs from max_tokens; give one of them");
    }
    request->max_tokens = other;
  }
}

void ReadSampling(JsonFields* fields, Request* request) {
  request->has_temperature = fields->Number("temperature", 0, 2, &request->temperature);
  request->has_top_p = fields->Number("top_p", 0, 1, &request->top_p);
  if (request->has_top_p && request->top_p <= 0) {
    FailAt("top_p", "must be greater than 0 and at most 1, got 0");
  }
  int64_t top_k = 0;
  request->has_top_k = fields->Integer("top_k", 0, std::numeric_limits<int32_t>::max(), &top_k);
  request->top_k = static_cast<int32_t>(top_k);
  request->has_min_p = fields->Number("min_p", 0, 1, &request->min_p);
  fields->Number("frequency_penalty", -2, 2, &request->frequency_penalty);
  fields->Number("presence_penalty", -2, 2, &request->presence_penalty);
  ReadSeed(fields, request);
  ReadStop(fields, request);
  ReadLogitBias(fields, request);
  ReadLogprobs(fields, request);
  ReadMaxTokens(fields, request);
  int64_t n = 1;
  fields->Integer("n", 1, 128, &n);
  if (n > 1) {
    FailAt(fields->Path("n"),
           Format("one answer at a time: must be 1, got %d; ask again for each further answer, "
                  "with another seed or none",
                  static_cast<int>(n)));
  }
}

// What a request says for itself is said there alone, or two places could disagree.
void ReadExtraBody(JsonFields* fields, Request* request) {
  const Json* extra = fields->FindObject("extra_body");
  if (extra == nullptr) return;
  for (const auto& [name, value] : extra->members) {
    if (value.IsNull()) continue;
    for (const char* own : kOwnFields) {
      if (name != own) continue;
      FailAt("extra_body." + name, "is a field of the request itself; give it there");
    }
    request->extra_body.emplace_back(name, value);
  }
}

void ReadCommon(JsonFields* fields, Request* request) {
  if (const std::string* model = fields->FindString("model")) request->model = *model;
  request->progress_events = fields->Bool("progress", false);
  fields->Bool("stream", false);
  for (const char* name : kServiceFields) {
    if (const Json* value = fields->Find(name)) request->service_fields.emplace_back(name, *value);
  }
  ReadExtraBody(fields, request);
}

void ReadToolChoice(JsonFields* fields, Request* request) {
  const Json* choice = fields->Find("tool_choice");
  if (choice == nullptr) return;
  if (choice->IsObject()) {
    JsonFields inner = fields->Within(*choice, "tool_choice");
    const std::string& type = inner.RequireString("type");
    if (type != "function") {
      inner.Fail("type", "must be \"function\", got \"" + Shown(type) + "\"");
    }
    JsonFields named = inner.Within(inner.RequireObject("function"), inner.Path("function"));
    inner.RejectUnknown();
    const std::string& name = named.RequireString("name");
    named.RejectUnknown();
    for (const Json& tool : request->tools) {
      const Json* defined = tool.Find("name");
      if (defined != nullptr && defined->text == name) {
        request->tool_choice = ToolChoice::kNamed;
        request->tool_name = name;
        return;
      }
    }
    named.Fail("name", "no tool is called \"" + Shown(name) + "\"");
  }
  if (!choice->IsString()) {
    fields->FailKind("tool_choice", "a string or an object", *choice);
  }
  if (choice->text == "none") {
    request->tool_choice = ToolChoice::kNone;
  } else if (choice->text == "required") {
    request->tool_choice = ToolChoice::kRequired;
    if (request->tools.empty()) FailAt("tool_choice", "\"required\" needs tools");
  } else if (choice->text != "auto") {
    FailAt("tool_choice", "must be \"none\", \"auto\", \"required\" or a named function, got \"" +
                              Shown(choice->text) + "\"");
  }
}

void ReadResponseFormat(JsonFields* fields, Request* request) {
  const Json* format = fields->FindObject("response_format");
  if (format == nullptr) return;
  JsonFields inner = fields->Within(*format, "response_format");
  const std::string& type = inner.RequireString("type");
  if (type == "json_object") {
    request->response_format = ResponseFormat::kJsonObject;
  } else if (type == "json_schema") {
    request->response_format = ResponseFormat::kJsonSchema;
    JsonFields schema = inner.Within(inner.RequireObject("json_schema"), inner.Path("json_schema"));
    schema.FindString("name");
    schema.FindString("description");
    schema.Bool("strict", false);
    schema.RequireObject("schema");
    schema.RejectUnknown();
  } else if (type != "text") {
    inner.Fail("type",
               "must be \"text\", \"json_object\" or \"json_schema\", got \"" + Shown(type) + "\"");
  }
  inner.RejectUnknown();
  request->format = *format;
}

EffortPrefix ReadEffortPrefix(JsonFields* fields) {
  const std::string* name = fields->FindString("effort_prefix");
  if (name == nullptr || *name == "none") return EffortPrefix::kNone;
  if (*name == "max") return EffortPrefix::kMax;
  if (*name == "beyond_max") return EffortPrefix::kBeyondMax;
  FailAt("effort_prefix", "must be none, max or beyond_max, got \"" + Shown(*name) + "\"");
}

}  // namespace

Request ParseChatRequest(std::string_view json) {
  const Json document = ParseJson(json, JsonSource{});
  Request request;
  JsonSource source;
  source.unknown = &request.unknown;
  JsonFields fields(document, "", source);
  ReadCommon(&fields, &request);
  ReadThinking(&fields, &request);
  ReadSampling(&fields, &request);
  request.drop_thinking = fields.Bool("drop_thinking", true);
  if (fields.Find("trust_all") != nullptr) {
    request.trust_all = fields.Bool("trust_all", false) ? Toggle::kOn : Toggle::kOff;
  }
  request.parallel_tool_calls = fields.Bool("parallel_tool_calls", true);
  if (fields.Find("context") != nullptr) {
    FailAt("context",
           "belongs to the prompt encoder alone; give the whole conversation in messages");
  }
  if (fields.Find("functions") != nullptr || fields.Find("function_call") != nullptr) {
    FailAt(fields.Find("functions") != nullptr ? "functions" : "function_call",
           "is obsolete; use tools and tool_choice");
  }
  request.messages =
      ParseChatMessages(fields.RequireArray("messages"), "messages", &request.unknown);
  if (const Json* list = fields.FindArray("tools")) {
    request.tools = ParseTools(*list, "tools", &request.unknown);
  }
  ReadToolChoice(&fields, &request);
  ReadResponseFormat(&fields, &request);
  fields.RejectUnknown();
  return request;
}

Request ParseCompletionRequest(std::string_view json) {
  const Json document = ParseJson(json, JsonSource{});
  Request request;
  JsonSource source;
  source.unknown = &request.unknown;
  JsonFields fields(document, "", source);
  request.is_chat = false;
  ReadCommon(&fields, &request);
  ReadSampling(&fields, &request);
  request.prompt = fields.RequireString("prompt");
  request.recognize_special = fields.Bool("recognize_special", true);
  if (fields.Find("add_bos") != nullptr) {
    request.add_bos = fields.Bool("add_bos", false) ? Toggle::kOn : Toggle::kOff;
  }
  request.echo = fields.Bool("echo", false);
  if (const std::string* suffix = fields.FindString("suffix")) {
    request.has_suffix = true;
    request.suffix = *suffix;
  }
  fields.RejectUnknown();
  return request;
}

EncodeRequest ParseEncodeRequest(std::string_view json) {
  return ParseEncodeRequest(ParseJson(json, JsonSource{}));
}

EncodeRequest ParseEncodeRequest(const Json& document) {
  EncodeRequest request;
  if (document.IsArray()) {
    request.messages = ParsePromptMessages(document, "messages");
    return request;
  }
  JsonFields fields(document, "");
  request.messages = ParsePromptMessages(fields.RequireArray("messages"), "messages");
  if (const Json* context = fields.FindArray("context")) {
    request.context = ParsePromptMessages(*context, "context");
  }
  if (const Json* tools = fields.FindArray("tools")) {
    PlaceTools(ParseTools(*tools, "tools"), &request.messages);
  }
  if (const std::string* mode = fields.FindString("thinking_mode")) {
    if (*mode != "thinking" && *mode != "chat") {
      FailAt("thinking_mode", "must be \"thinking\" or \"chat\", got \"" + Shown(*mode) + "\"");
    }
    request.options.thinking = *mode == "chat" ? ThinkingMode::kChat : ThinkingMode::kThinking;
  }
  request.options.effort = ReadEffortPrefix(&fields);
  request.options.drop_thinking = fields.Bool("drop_thinking", true);
  request.options.add_bos = fields.Bool("add_bos", true);
  request.options.trust_all = true;
  fields.Ignore("check_service");  // its reader comes first
  fields.RejectUnknown();
  return request;
}

}  // namespace finback
