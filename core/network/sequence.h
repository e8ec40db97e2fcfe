// What one conversation leaves behind: token ids, and every layer's memory of them at trained
// precision. An Evaluator extends it; the same ids leave the same bytes, however they were
// computed. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/buffer.h"
#include "core/network/memory/checkpoints.h"
#include "core/network/memory/memory_budget.h"
#include "core/network/memory/state.h"
#include "core/network/model.h"

namespace finback {

// How many ids both begin with.
size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b);

// What a sequence was, to go back to, also part of the way: shares its entries and checkpoints, and
// has a copy of what slides. Never changes, so that any threads may read it.
struct SequenceMark {
  std::vector<int32_t> ids;
  BlockRef rings;
  std::vector<BlockList> entries;  // [layers, main and index]
  std::vector<Checkpoint> checkpoints;

  // The most tokens, at most `position`, of which it has all.
  size_t NearestBack(size_t position) const;
};

class Sequence {
 public:
  // Bytes that a Sequence takes, when it is new and when its context is full.
  struct Plan {
    uint64_t empty, full;
  };
  static Plan PlanOf(const Config& config, Precision precision, int64_t context_tokens,
                     int32_t chunk_tokens);
  static uint64_t PlanBytes(const Config& config, Precision precision, int64_t context_tokens,
                            int32_t chunk_tokens) {
    return PlanOf(config, precision, context_tokens, chunk_tokens).full;
  }

  // Holds up to `context_tokens`, of which at most `chunk_tokens` are appended at once. What it
  // takes as it grows is charged to the budget, if there is one; what it takes when new is not.
  Sequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens,
           MemoryBudget* budget = nullptr);

  const Model& model() const { return model_; }
  int64_t position() const { return static_cast<int64_t>(position_); }  // tokens held
  int64_t context_tokens() const { return static_cast<int64_t>(shape_.context_tokens); }
  std::span<const int32_t> tokens() const { return {memory_.ids.data(), position_}; }

  void Reset() noexcept { GoTo(0); }
  int64_t roll_back_floor() const { return static_cast<int64_t>(floor_); }
  // Forgets the last tokens; throws kInvalidArgument below roll_back_floor(), where some must be
  // computed again (Evaluator::RollBack).
  void RollBack(int64_t tokens);
  // The same below it, too: goes back further, and returns what is to be computed again.
  std::vector<int32_t> RollBackFar(int64_t tokens);
  // Keeps checkpoints every kCheckpointTokens, at most so many and of so many bytes together, where
  // the budget leaves room; none unless this is called. The further back, the fewer.
  void KeepCheckpoints(size_t most, uint64_t most_bytes, size_t most_ends = 0);
  // Besides, at these positions, ascending, when they come to be computed: the last `most_ends`.
  void WantCheckpoints(std::span<const WantedCheckpoint> wanted) { checkpoints_.Want(wanted); }
  size_t checkpoints() const { return checkpoints_.count(); }
  // The most tokens, at most `position`, that it can go back to without computing any.
  int64_t NearestBack(int64_t position) const;
  void GoBackTo(int64_t nearest) noexcept;       // what NearestBack() returned
  std::vector<uint8_t> Snapshot() const;         // versioned, little-endian, tied to the config
  void Restore(std::span<const uint8_t> bytes);  // throws kInvalidArgument; unchanged on failure
  std::unique_ptr<Sequence> Fork() const;        // the entries of both are the same memory
  // Becomes what `other` is, of the same model and with no more tokens than the context. Throws
  // nothing.
  void CopyFrom(const Sequence& other);

  // The present state, of which MarkBytes() are copied, at the caller's charge; WholeBytes() counts
  // what is shared, too. ReturnTo() takes marks of sequences of the same model, and what their
  // NearestBack() says, of no more tokens than the context.
  SequenceMark Mark() const;
  uint64_t MarkBytes() const;
  uint64_t WholeBytes() const;
  void ReturnTo(const SequenceMark& mark) noexcept { ReturnTo(mark, mark.ids.size()); }
  void ReturnTo(const SequenceMark& mark, size_t position) noexcept;

  // For what computes the next tokens. TakeBlocks() makes room for so many, or changes nothing and
  // throws kBudget or std::bad_alloc; DropSpare() lets go of what is not used. BeginChunk() says
  // that the memory of some of them is about to be written, at layers() and from position() on;
  // EndChunk() that it has been. In between the sequence holds what it held before.
  void TakeBlocks(size_t tokens);
  void DropSpare() noexcept;
  size_t chunk_tokens() const { return shape_.chunk_tokens; }
  std::span<LayerState> layers() { return memory_.layers; }
  void BeginChunk(size_t tokens) noexcept;
  void EndChunk(std::span<const int32_t> ids);
  // For who kept a sequence elsewhere: holds `ids`, of which the first position() are what it holds
  // now. Entries of the others have been written at layers(), where TakeBlocks() has made room, and
  // `rings` is what a mark or a checkpoint of these ids has.
  void Continue(std::span<const int32_t> ids, const uint8_t* rings) noexcept;
  // For measuring: holds these tokens, and as their memory whatever there is.
  void Pretend(std::span<const int32_t> ids);

 private:
  size_t BackFrom(size_t end) const;
  void Grow(size_t begin, size_t end);
  // Holds so many tokens, whose memory is there.
  void GoTo(size_t position) noexcept;

  struct Memory {
    std::vector<LayerState> layers;
    Buffer<int32_t> ids;  // [context_tokens]
    Plan ReserveAll(const Config& config, Precision precision, const StateShape& shape,
                    Reserve::Mode mode);
  };

  const Model& model_;
  MemoryBudget* const budget_;
  StateShape shape_;
  Memory memory_;
  size_t position_ = 0;
  // The rings hold what positions down to here need.
  size_t floor_ = 0;
  size_t taken_ = 0;  // there are blocks for so many tokens, if that is more than position_
  Checkpoints checkpoints_;
};

}  // namespace finback
