// Where a sequence can go back to, further than its rings reach: copies of its windows and of what
// open entries need, taken while chunks pass, every 512 tokens. Entries need none: what a sequence
// has made it keeps, in blocks. As many as are asked for and the budget leaves; the further back,
// the fewer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/network/memory/blocks.h"
#include "core/network/memory/state.h"

namespace finback {

inline constexpr size_t kCheckpointTokens = 512;

struct Checkpoint {
  size_t position;
  BlockRef rings;
};

class Checkpoints {
 public:
  // At most so many, of sequences with such a window.
  void Keep(size_t most, size_t window);
  void KeepAs(const Checkpoints& other) { Keep(other.most_, other.window_); }
  static uint64_t BytesAt(std::span<const LayerState> layers, size_t window, size_t position);

  // Tokens [begin, end) are about to be computed; End() says that they have been, Abandon() that
  // they will not.
  void Begin(std::span<LayerState> layers, size_t begin, size_t end, MemoryBudget* budget) noexcept;
  void End(std::span<LayerState> layers) noexcept;
  void Abandon(std::span<LayerState> layers) noexcept;

  // The last one with at most so many tokens, or null.
  const Checkpoint* Nearest(size_t position) const;
  void Restore(const Checkpoint& checkpoint, std::span<LayerState> layers) const;
  void Cut(size_t position) noexcept;  // forgets those with more tokens
  bool DropFirst() noexcept;           // false: there is none
  void CopyFrom(const Checkpoints& other) noexcept;
  size_t count() const { return list_.size(); }
  std::span<const Checkpoint> list() const { return list_; }

 private:
  void Thin() noexcept;

  size_t most_ = 0, window_ = 0;
  std::vector<Checkpoint> list_;     // ascending
  std::vector<Checkpoint> pending_;  // of the chunk that is computed
  std::vector<CarryCopy> copies_;    // [layers, 2, pending]
};

}  // namespace finback
