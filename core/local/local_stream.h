// One answer: prefill, then decode token by token, through detokenizer, stop strings and parser
// into events. Owns its session's busy flag until it is over.
// One thread at a time but for Cancel().
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/engine/backend.h"
#include "core/engine/options.h"
#include "core/local/event_queue.h"
#include "core/local/session.h"
#include "core/local/stop_filter.h"
#include "core/network/sampler.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

// Everything an answer needs to know, decided when it starts.
struct AnswerPlan {
  std::vector<int32_t> ids;             // the prompt
  std::optional<ThinkingMode> parsing;  // how to parse the answer; nothing: raw text
  std::vector<Json> tools;              // that the prompt offers; without them no call is read
  SamplerOptions sampling;
  std::vector<std::string> stop;
  int64_t max_tokens = -1;
  int32_t top_logprobs = -1;
  int32_t chunk_tokens = 256;
  bool progress_events = false;
  std::string notice;  // to be told first; "" for none
};

// The parts of the engine that an answer uses; they outlive it.
struct AnswerContext {
  const Model& model;
  const Tokenizer& tokenizer;
  const ProgressFunction& progress;
  const std::vector<int32_t>& eos_ids;  // any of them ends the answer
};

class LocalStream final : public Stream {
 public:
  // `session` has begun for this stream. `own` keeps a session that is this stream's alone.
  LocalStream(const AnswerContext& context, AnswerPlan plan, SessionState* session,
              std::unique_ptr<SessionState> own);
  ~LocalStream() override;

  bool Step(Event* event) override;
  Usage usage() const override { return usage_; }
  void Cancel() noexcept override { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  enum class Phase : uint8_t { kRewind, kPrefill, kDecode, kOver };

  void Advance();
  void Prefill();
  void Evaluate(std::span<const int32_t> ids, LogitRows rows, int64_t done);
  void Decode();
  void Emit(std::string_view text);
  void EmitParsed();
  std::string CheckCall(const std::string& said, int32_t tool_index);
  void EmitContent(std::string_view text);
  void FlushContent();
  Event* PushText(EventKind kind);
  void RecordLogprobs(int32_t id);
  void Finish(FinishReason reason);
  void End() noexcept;

  const AnswerContext context_;
  AnswerPlan plan_;
  std::unique_ptr<SessionState> own_;
  SessionState* session_;  // null once the stream is over
  Phase phase_ = Phase::kRewind;
  std::atomic<bool> cancelled_{false};
  std::exception_ptr failure_;

  Sampler sampler_;
  Detokenizer detokenizer_;
  std::optional<CompletionParser> parser_;
  StopFilter stops_;
  EventQueue queue_;
  Usage usage_;
  bool has_reasoning_ = false;
  int32_t next_id_ = -1;  // sampled and emitted, not evaluated yet

  // Buffers of one step, kept from token to token.
  std::string text_, content_;
  std::vector<ParserEvent> parsed_;
  std::vector<Logprob> logprobs_;
  std::vector<TokenLogprob> pending_logprobs_;  // of tokens whose text no event has carried yet
  std::string call_id_, call_name_;
};

}  // namespace finback
