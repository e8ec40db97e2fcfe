// The checkpoint's draft block at work (docs/architecture.md 3.12): what it remembers of one
// sequence, a window like a layer's, and the memory that it computes with. What it guesses are
// proposals. Follows one sequence at a time; one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/buffer.h"
#include "core/network/memory/state.h"
#include "core/network/model.h"
#include "core/network/scratch.h"

namespace finback {

class DraftBlock {
 public:
  static constexpr size_t kRows = 16;  // that are computed at once

  // Whether the model has a block that this runs: one, with nothing but a window.
  static bool IsIn(const Model& model);
  static uint64_t PlanBytes(const Model& model);
  explicit DraftBlock(const Model& model);

  // Tokens at `position` and on: the final streams [next.size(), hc, hidden] that the last layer
  // left of them, and the token after each. What it knew from there on is forgotten; it all is if
  // tokens before `position` are missing.
  void Remember(size_t position, const float* streams, std::span<const int32_t> next);
  // The same, then guesses what comes after the last of `next`: the likeliest token, and on from
  // there with what the block itself leaves.
  void Guess(size_t position, const float* streams, std::span<const int32_t> next,
             std::span<int32_t> out);

  // The positions that it knows, [begin, end): of the last ones as many as its window has.
  size_t begin() const { return origin_; }
  size_t end() const { return end_; }
  const float* logits() const { return memory_.logits.data(); }  // of the last guess

 private:
  struct Memory {
    std::vector<LayerState> layers;  // empty but for the block's
    Scratch scratch;
    DraftScratch draft;
    Buffer<float> logits, chained;
    uint64_t ReserveAll(const Model& model, Reserve::Mode mode);
  };
  void Run(size_t position, const float* streams, std::span<const int32_t> next,
           std::span<float* const> logits);
  void GoTo(size_t position);

  const Model& model_;
  Memory memory_;
  // Positions are relative to the first that it knows: attention depends on nothing else.
  size_t origin_ = 0, end_ = 0;
  size_t written_ = 0;  // where guesses that went on have written up to
};

}  // namespace finback
