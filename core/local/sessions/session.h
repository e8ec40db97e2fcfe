// What one conversation computes with: a sequence that goes back to the longest beginning of a
// prompt that it or any kept conversation has; the caller evaluates the rest. What it has become is
// kept for others. One stream at a time, guarded by TryBegin() and End().
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "core/local/cache/disk_cache.h"
#include "core/local/sessions/conversations.h"
#include "core/local/together/scheduler.h"
#include "core/network/memory/memory_budget.h"
#include "core/network/sequence.h"

namespace finback {

struct SessionShape {
  int64_t context_tokens = 0;
  int32_t chunk_tokens = 0;
  int32_t restore_points = 0;
};

// Enough for a block at most to be computed again within 65,536 tokens.
inline constexpr size_t kMostCheckpoints = 128;

// Where a prompt goes on from.
struct Reuse {
  enum class Source : uint8_t { kNone, kSession, kKept, kRunning };
  Source source = Source::kNone;
  int64_t tokens = 0;   // of the prompt that need not be computed
  int64_t nearest = 0;  // the longest beginning that anything in memory has
};

class SessionState {
 public:
  // kForItself: what it leaves behind goes with it.
  enum class Leaves : uint8_t { kForAnybody, kForItself };

  // Computes by `scheduler`. Throws Error(kBudget) before anything is taken.
  SessionState(Scheduler* scheduler, const SessionShape& shape, MemoryBudget* budget,
               Conversations* conversations, Leaves leaves = Leaves::kForItself);
  ~SessionState();

  bool TryBegin() noexcept { return !busy_.exchange(true, std::memory_order_acquire); }
  void End() noexcept {
    scheduler_->Leave(sequence_);
    busy_.store(false, std::memory_order_release);
  }

  // Brings the sequence to the longest prefix of `ids` that needs no computation, its last id left
  // out. Of the others, checkpoints are kept where `wanted` says, ascending, the last ones and the
  // heads.
  Reuse Rewind(std::span<const int32_t> ids, std::span<const WantedCheckpoint> wanted);
  // The same with what the disk has, where that is longer; after Rewind(). Returns the length.
  int64_t Restore(std::span<const int32_t> ids, const DiskCache& cache);
  // Keeps the present state for others, if memory allows. kOver: this session's own memory is what
  // makes room for it, when nobody is to have that but it.
  enum class Stream : uint8_t { kRuns, kOver };
  SharedMark Keep(Stream stream) noexcept;

  // As Scheduler::Evaluate() with this segment, whose sequence is this session's, and whose logits
  // are logits() unless it says otherwise; kept conversations make way where the budget is short.
  void Evaluate(Segment segment, const EvaluateControl& control = {});
  void Evaluate(std::span<const int32_t> ids, LogitRows rows, const EvaluateControl& control = {}) {
    Evaluate(Segment{nullptr, ids, rows}, control);
  }

  Sequence& sequence() { return sequence_; }
  std::span<float> logits() { return logits_; }  // [vocab]

 private:
  static Sequence::Plan PlanOf(const Model& model, const SessionShape& shape);
  Reservation ChargeMark(Stream stream, uint64_t bytes);

  Scheduler* scheduler_;
  SessionShape shape_;
  MemoryBudget* budget_;
  Conversations* conversations_;
  Leaves leaves_;
  Reservation reservation_;
  Sequence sequence_;
  std::vector<float> logits_;
  std::atomic<bool> busy_{false};
};

}  // namespace finback
