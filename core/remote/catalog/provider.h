// Services as data: one row each, and what is known of the models they serve. Built-in rows come
// from data/providers.json and data/models.json; a user's file {"providers": [..], "models": [..]}
// of the same form adds rows and replaces fields of those that exist.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/options.h"
#include "core/json/json.h"

namespace finback {

// How thinking is switched on and off.
enum class ThinkingStyle : uint8_t {
  kThinkingObject,      // "thinking": {"type": ..}, "reasoning_effort": ..
  kEffort,              // "reasoning_effort" alone, "none" for off
  kReasoningObject,     // "reasoning": {"effort": ..}             (OpenRouter, Responses)
  kReasoningEnabled,    // "reasoning": {"enabled": ..}, "reasoning_effort": ..   (Together)
  kChatTemplateKwargs,  // "chat_template_kwargs": {"thinking": .., "reasoning_effort": ..}
  kNone,
};
enum class AuthStyle : uint8_t { kBearer, kApiKeyHeader, kNone };
enum class Rescue : uint8_t { kOff, kStrip, kParse };  // of DSML that leaks into text

struct ProviderSupport {
  bool json_object = true, json_schema = false, strict_tools = false;
  bool forced_tool_while_thinking = false;
  bool logprobs = false, parallel_tool_calls = false, images = false;
  bool developer_role = false, latest_reminder = false;  // roles of messages
  bool stream_usage = true;                              // stream_options.include_usage
  bool sampling_extras = false;                          // top_k, min_p, seed, logit_bias
  bool penalties = false;                                // frequency_penalty, presence_penalty
  bool thinking_budget = false;                          // Messages: thinking needs budget_tokens
  bool prefix = false;
  bool optional_max_tokens = false;  // without it a chat's answer may fill the context
  bool completions = false;          // plain text at /completions
  bool fim = false;                  // the same with a suffix
  bool named_tool = true;            // tool_choice may name the function
  bool reasoning_summary = true;     // Responses: reasoning items have one, as in OpenAI's
};

struct Provider {
  std::string name;  // "deepseek", "openrouter": what stands before the colon of a model
  std::string wire_format = "openai";  // a name of wire_formats.inc
  std::string base_url, beta_url;      // without a slash at the end
  AuthStyle auth = AuthStyle::kBearer;
  std::vector<std::string> key_environment;  // first one set wins
  bool key_required = true;
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request
  std::string models_path = "/models", balance_path;         // "": none
  ThinkingStyle thinking = ThinkingStyle::kThinkingObject;
  // Efforts that the service spells otherwise or lacks: {"max", "xhigh"}. See EffortName.
  std::vector<std::pair<std::string, std::string>> efforts;
  // Which texts of the prompt stand for which effort there; kAuto: not known.
  LadderChoice effort_ladder = LadderChoice::kAuto;
  std::vector<std::string> reasoning_in;  // fields of a delta or message, first non-empty wins
  std::string reasoning_out;              // the field that replays it; "": never replayed
  bool reasoning_required = false;  // with tools: on every assistant turn, "" where there is none
  ProviderSupport supports;
  Rescue rescue = Rescue::kOff;
  std::string user_field;              // "user_id", "user", "": not sent
  std::vector<std::string> forwarded;  // further fields of a request, sent as they came
  int64_t max_tokens_limit = 0;        // 0: unknown
  int32_t max_stop = 16;
  int32_t concurrency = 0;    // requests at once; 0: unknown. A model's own limit comes first
  std::string cost_field;     // of usage, in dollars: "cost"; "": none
  std::string prices;         // key of the price table: "deepseek"
  std::string peak_calendar;  // "": no peak hours
  // The row of the same service's Responses endpoint, which alone takes schemas; "": none.
  std::string responses;
  std::string models;  // rows of the model table that also hold here; "": none but its own
  // What DeepSeek's own ids are called here: {"deepseek-v4-pro", "deepseek/deepseek-v4-pro"}.
  std::vector<std::pair<std::string, std::string>> ids;

  // "low", "high", "max" or "none" as the service spells it.
  std::string_view EffortName(std::string_view effort) const;
};

// What a model id stands for.
struct ModelEntry {
  std::string pattern;  // of the whole id, in any case: '*' matches any characters, even none
  std::string family;   // "deepseek-v4", "deepseek-v4.1"
  int64_t context_tokens = 0, max_output_tokens = 0;
  bool images = false, thinking = true;
  bool replays_reasoning = true;  // false: earlier reasoning is refused
  int32_t concurrency = 0;        // 0: the provider's
  std::string price_id;           // the id that it is billed as; "": itself
  // Retired and never-existing ids.
  bool refused = false;
  std::string instead;       // "deepseek-flash"
  std::string instead_with;  // request fields to set on translation, as JSON: an object, or ""
  std::string reason;        // "retired on 2026-07-24", for the error
};

// The row of addresses that no other row knows, and of providers that are like none.
inline constexpr const char* kCustomProvider = "custom";

class ProviderTable {
 public:
  // The built-in rows, with those of `user_json` (may be empty) put over them. A new provider
  // starts from the row that its field "like" names, else from "custom". New model rows come before
  // the built-in ones. Throws Error(kInvalidArgument) naming the row and field.
  static ProviderTable Load(std::string_view user_json);

  const std::vector<Provider>& providers() const { return providers_; }
  // By the name of a provider, or "*".
  const std::vector<std::pair<std::string, ModelEntry>>& models() const { return models_; }

  const Provider* Find(std::string_view name) const;  // nullptr: unknown
  std::string Names() const;                          // "deepseek, openrouter, ...", for messages
  // What is known of `model` at `provider`; an entry of defaults when nothing is. Of the rows that
  // match, the provider's own come first, then those of its `models`, then those of "*".
  const ModelEntry& Model(const Provider& provider, std::string_view model) const;

 private:
  std::vector<Provider> providers_;                         // names are unique
  std::vector<std::pair<std::string, ModelEntry>> models_;  // provider name or "*"
  ModelEntry unknown_;
};

}  // namespace finback
