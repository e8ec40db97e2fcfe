// Where a sequence can go back to, further than its rings reach: copies of its windows and of what
// open entries need, taken while chunks pass, every 512 tokens and where somebody wants one.
// Entries need none: what a sequence has made it keeps, in blocks. As many as are asked for and the
// budget leaves; the further back, the fewer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/network/memory/blocks.h"
#include "core/network/memory/state.h"

namespace finback {

inline constexpr size_t kCheckpointTokens = 512;

// Why there is one: of what somebody wants the last ones stay, and those that others begin with.
enum class CheckpointKind : uint8_t { kRegular, kEnd, kHead };

struct WantedCheckpoint {
  size_t position;
  CheckpointKind kind;
};

struct Checkpoint {
  size_t position;
  BlockRef rings;
  CheckpointKind kind = CheckpointKind::kRegular;
};

// The last one with at most so many tokens, or null.
const Checkpoint* NearestCheckpoint(std::span<const Checkpoint> ascending, size_t position);

class Checkpoints {
 public:
  // At most so many regular ones and ends, of sequences with such a window.
  struct Most {
    size_t regular = 0, ends = 0;
  };
  void Keep(const Most& most, size_t window);
  void KeepAs(const Checkpoints& other) { Keep(other.most_, other.window_); }
  // Also at these positions, ascending, when they come to be computed.
  void Want(std::span<const WantedCheckpoint> wanted);
  static uint64_t BytesAt(std::span<const LayerState> layers, size_t window, size_t position);

  // Tokens [begin, end) are about to be computed; End() says that they have been, Abandon() that
  // they will not.
  void Begin(std::span<LayerState> layers, size_t begin, size_t end, MemoryBudget* budget) noexcept;
  void End(std::span<LayerState> layers) noexcept;
  void Abandon(std::span<LayerState> layers) noexcept;

  const Checkpoint* Nearest(size_t position) const { return NearestCheckpoint(list_, position); }
  void Restore(const Checkpoint& checkpoint, std::span<LayerState> layers) const;
  void Cut(size_t position) noexcept;  // forgets those with more tokens
  bool DropFirst() noexcept;           // false: there is none
  // Becomes what these are, but for those with more tokens.
  void CopyFrom(std::span<const Checkpoint> others, size_t position) noexcept;
  size_t count() const { return list_.size(); }
  std::span<const Checkpoint> list() const { return list_; }

 private:
  static constexpr size_t kMostHeads = 2;

  void ListPending(size_t begin, size_t end);
  void Thin() noexcept;
  bool DropFirst(CheckpointKind kind) noexcept;

  Most most_;
  size_t window_ = 0;
  std::vector<WantedCheckpoint> wanted_;
  std::vector<Checkpoint> list_;     // ascending
  std::vector<Checkpoint> pending_;  // of the chunk that is computed
  std::vector<CarryCopy> copies_;    // [layers, 2, pending]
};

}  // namespace finback
