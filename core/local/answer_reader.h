// What a model writes -> events: stop strings, the markup of reasoning and calls, calls judged.
// Knows no model, so that tests feed it text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/chat/stop_filter.h"
#include "core/engine/event.h"
#include "core/engine/think_tags.h"
#include "core/json/json.h"
#include "core/local/event_queue.h"

namespace finback {

struct AnswerReading {
  std::optional<ThinkingMode> parsing;  // nothing: raw text
  bool goes_on = false;                 // of an answer that the prompt has begun
  std::vector<Json> tools = {};         // that the prompt offers; without them no call is read
  std::vector<std::string> stop = {};
  bool object = false;  // the content should be a JSON object
};

class AnswerReader {
 public:
  // `call_seed` makes the ids of calls. The queue outlives the reader.
  AnswerReader(AnswerReading reading, uint64_t call_seed, EventQueue* queue);

  // `text` is whole characters of the answer as the model wrote it.
  void Push(std::string_view text);
  // The answer ends with `text`. Returns why, which what was still held back may change.
  FinishReason Finish(std::string_view text, FinishReason reason);

  bool is_chat() const { return parser_.has_value(); }
  bool in_reasoning() const;
  bool over() const;  // nothing that follows counts
  // Of a token that the next event is to carry.
  void AddLogprob(TokenLogprob token) { pending_logprobs_.push_back(std::move(token)); }

 private:
  bool stopped() const { return stops_.stopped() || (parser_.has_value() && parser_->stopped()); }
  void TellRaw();
  void FlushStops();
  void TellParsed();
  void Tell(EventKind kind, std::string_view text);
  void TellThought(EventKind source);
  void TellCall(ParserEvent* parsed);
  std::string CheckCall(const ParserEvent& end);
  Event* AddText(EventKind kind, std::string_view text);
  Event* Add(EventKind kind);

  const std::vector<Json> tools_;
  const bool thinking_;
  const bool object_;
  const uint64_t call_seed_;
  EventQueue* const queue_;
  std::optional<CompletionParser> parser_;
  StopFilter stops_;  // of raw text, and of content that the parser takes for reasoning
  ThinkTags think_;   // of other spellings than the parser's
  bool has_reasoning_;
  std::string call_id_, call_name_;
  std::string call_told_;  // its arguments so far
  std::string content_;    // so far, where it should be an object
  // Buffers, kept from token to token.
  std::string raw_;
  std::vector<ParserEvent> parsed_;
  std::vector<ThinkTags::Text> thought_;
  std::vector<TokenLogprob> pending_logprobs_;  // of tokens whose text no event has carried yet
};

}  // namespace finback
