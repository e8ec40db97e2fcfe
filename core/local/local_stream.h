// One answer: prefill, then decode token by token, through detokenizer and reader into events.
// Owns its session's busy flag until it is over.
// One thread at a time but for Cancel().
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/backend.h"
#include "core/engine/options.h"
#include "core/local/answer_reader.h"
#include "core/local/drafts/drafter.h"
#include "core/local/event_queue.h"
#include "core/local/prompt.h"
#include "core/local/sessions/session.h"
#include "core/local/sessions/written_answers.h"
#include "core/network/sampler.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

// Everything an answer needs to know, decided when it starts.
struct AnswerPlan {
  std::vector<int32_t> ids;       // the prompt
  std::vector<PromptPart> parts;  // of it, by tokens
  AnswerReading reading;          // of the answer's text
  SamplerOptions sampling;
  int64_t max_tokens = -1;
  int32_t top_logprobs = -1;
  int32_t chunk_tokens = 256;
  int32_t restore_points = 0;
  bool remember = false;  // it comes back as a message of its own
  bool progress_events = false;
  std::vector<std::string> notices;  // to be told first; "" for none
};

// The parts of the engine that an answer uses; they outlive it.
struct AnswerContext {
  const Model& model;
  const Tokenizer& tokenizer;
  const ProgressFunction& progress;
  const std::vector<int32_t>& eos_ids;  // any of them ends the answer
  const LogFunction& log;
  WrittenAnswers* answers;  // of plans that are to be remembered
  DiskCache* cache;         // null: there is none
  DraftSources drafts;
  MemoryBudget* budget;
  SharedAccount* draft_account;
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
  void Rewind();
  void LogReuse(const Reuse& reuse) const;
  void RestoreFromDisk();
  void Prefill();
  void EvaluatePrompt(std::span<const int32_t> ids, LogitRows rows, int64_t done);
  void EvaluateNext();
  void Evaluate(const Segment& segment, EvaluateControl control = {});
  size_t MostDrafts() const;
  void DropDrafts();
  int64_t Evaluated() const;
  std::span<float> logits();
  void Decode();
  void RecordLogprobs(int32_t id);
  void Finish(FinishReason reason);
  void ReserveAnswer();
  void Collect(const Event& event);
  void End() noexcept;
  void KeepOnDisk() noexcept;

  const AnswerContext context_;
  AnswerPlan plan_;
  std::unique_ptr<SessionState> own_;
  SessionState* session_;  // null once the stream is over
  Phase phase_ = Phase::kRewind;
  std::atomic<bool> cancelled_{false};
  std::exception_ptr failure_;

  Sampler sampler_;
  Drafter drafter_;
  Detokenizer detokenizer_;
  EventQueue queue_;
  AnswerReader reader_;
  Usage usage_;
  WrittenAnswer written_;
  int32_t open_calls_ = 0;
  std::vector<WrittenAnswers::Record> records_;  // of it, until they are on the disk
  SharedMark leaving_;                           // when it is over, until it is on the disk
  int32_t next_id_ = -1;                         // sampled and emitted, not evaluated yet

  // Buffers of one step, kept from token to token.
  std::string text_;
  std::vector<Logprob> logprobs_;
};

}  // namespace finback
