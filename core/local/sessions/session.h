// What one conversation has computed: a sequence, and restore points at generation prompts. Give it
// the full prompt: it goes back to the longest prefix it can reuse, and the caller evaluates the
// rest. One stream at a time, guarded by TryBegin() and End().
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/local/cache/disk_cache.h"
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

class SessionState {
 public:
  // Computes by `scheduler`. Throws Error(kBudget) before anything is taken.
  SessionState(Scheduler* scheduler, const SessionShape& shape, MemoryBudget* budget);
  ~SessionState() { scheduler_->Leave(sequence_); }

  bool TryBegin() noexcept { return !busy_.exchange(true, std::memory_order_acquire); }
  void End() noexcept {
    scheduler_->Leave(sequence_);
    busy_.store(false, std::memory_order_release);
  }

  // Brings the sequence to the longest prefix of `ids` that needs no computation, its last id left
  // out. Returns the prefix's length.
  int64_t Rewind(std::span<const int32_t> ids);
  // Goes on from there with what a cache has of `ids`, if it has more. Returns the length then.
  int64_t Restore(std::span<const int32_t> ids, const DiskCache& cache);
  // What a cache is to keep, when others may have the session; none if memory does not allow it.
  struct Leaving {
    SequenceMark mark;
    Reservation reservation;
  };
  std::optional<Leaving> Leave() const noexcept;
  // Remembers the present position, if memory allows; the least recently used point makes way.
  void KeepRestorePoint();

  // As Scheduler::Evaluate(), into logits(); restore points make way where the budget is short.
  void Evaluate(std::span<const int32_t> ids, LogitRows rows, const EvaluateControl& control = {});

  Sequence& sequence() { return sequence_; }
  std::span<float> logits() { return logits_; }  // [vocab]

 private:
  struct RestorePoint {
    SequenceMark mark;
    Reservation reservation;
    uint64_t whole_bytes = 0;
    uint64_t last_use = 0;
  };
  static Sequence::Plan PlanOf(const Model& model, const SessionShape& shape);
  void TakeBlocks(size_t tokens);
  RestorePoint* FindPoint(std::span<const int32_t> ids, int64_t longest);
  bool MakeRoom(uint64_t whole_bytes);
  void DropOldest();

  Scheduler* scheduler_;
  SessionShape shape_;
  uint64_t most_bytes_;  // of a session whose context is full
  MemoryBudget* budget_;
  Reservation reservation_;
  Sequence sequence_;
  std::vector<float> logits_;
  std::vector<RestorePoint> points_;
  uint64_t points_bytes_ = 0;  // if no entries were shared
  uint64_t uses_ = 0;
  std::atomic<bool> busy_{false};
};

}  // namespace finback
