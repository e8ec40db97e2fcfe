// What a stream yields, one at a time, whichever backend produced it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

enum class EventKind : int32_t {  // values are those of FINBACK_EVENT_* in finback.h
  kNone = 0,
  kReasoning = 1,      // text: a piece of reasoning
  kContent = 2,        // text: a piece of the answer
  kToolCall = 3,       // a call begins: tool_index, tool_id, tool_name
  kToolArguments = 4,  // text: a piece of the call's arguments (JSON text); the same three
  kToolCallEnd = 5,    // the call is complete: text holds the whole arguments; the same three
  kFinish = 6,         // finish_reason, usage
  kProgress = 7,       // prefill: progress_done of progress_total tokens (only when asked for)
  kNotice = 8,         // text: {"code": .., "message": ..}, what was changed or left out
};

// The text of a kNotice event.
std::string NoticeText(std::string_view code, std::string_view message);

// Why an answer ended.
enum class FinishReason : uint8_t {
  kNone,           // it has not
  kStop,           // the model ended it, or a stop string
  kLength,         // max_tokens, or the context is full
  kToolCalls,      // the model waits for the results of its calls
  kContentFilter,  // a service's moderation
  kOther,          // what a service calls by a name that is none of these
};

// As events, responses and records spell it; "" for kNone.
const char* FinishReasonName(FinishReason reason);
// The reason of that name; nothing for "" and for names that are not ours.
std::optional<FinishReason> FindFinishReason(std::string_view name);

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
  std::string text;  // the token's bytes (may be part of a character)
  struct Alternative {
    int32_t id;
    float logprob;
    std::string text;
  };
  std::vector<Alternative> top;
};

struct Usage {
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  int64_t cache_write_tokens = 0;   // of a service that bills them
  int64_t reported_cost_pico = -1;  // pico-dollars, as the service says; -1: it does not
  int64_t disk_tokens = 0;          // of cached_tokens, read from the cache folder
  // Tokens that drafts proposed, and of them those that were sampled then.
  int64_t proposed_tokens = 0, accepted_tokens = 0;
};

// Where a cost comes from.
enum class CostSource : uint8_t { kUnknown, kTable, kReported, kEstimated };
inline constexpr const char* kCostSourceNames[] = {"unknown", "table", "reported", "estimated"};
inline const char* CostSourceName(CostSource source) {
  return kCostSourceNames[static_cast<size_t>(source)];
}

// What a service says of an answer, beyond the events; empty strings are unknown.
struct ServiceAnswer {
  std::string provider, id, model, fingerprint;  // model: the one that answered
  std::string reasoning_details;                 // JSON, to be given back as it is
  int32_t attempts = 0;
  int64_t cost_pico = -1;  // pico-dollars; -1: not known
  CostSource cost_source = CostSource::kUnknown;
  std::string tariff;
};

struct Event {
  EventKind kind = EventKind::kNone;
  std::string text;
  int32_t tool_index = 0;
  std::string tool_id, tool_name;
  FinishReason finish_reason = FinishReason::kNone;
  Usage usage;
  int64_t progress_done = 0, progress_total = 0;
  // Of kContent: the text is a tag behind reasoning that was told as content, being left in it. A
  // collected answer has it as reasoning, and this text not at all.
  bool ends_reasoning = false;
  // Of the tokens that ended in this event's text, if asked for.
  std::vector<TokenLogprob> logprobs;
};

// A kNotice with such a text.
Event NoticeEvent(std::string text);

}  // namespace finback
