// A sequence with an evaluator of its own: what a session or a caller's sequence computes with as
// long as no batch is shared. One thread at a time.
#pragma once

#include <cstdint>
#include <span>

#include "core/network/evaluator.h"
#include "core/network/sequence.h"

namespace finback {

class LoneSequence {
 public:
  // Bytes that a LoneSequence takes, memory and scratch together; those of an empty one are not
  // charged to the budget.
  static Sequence::Plan PlanOf(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

  // Enough for a block at most to be computed again within 65,536 tokens.
  static constexpr size_t kMostCheckpoints = 128;

  LoneSequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens,
               MemoryBudget* budget = nullptr);

  Sequence& memory() { return memory_; }
  const Sequence& memory() const { return memory_; }

  // As Evaluator::Run() and RollBack() with this sequence alone.
  void Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                const EvaluateControl& control = {});
  void RollBack(int64_t tokens) { evaluator_.RollBack(&memory_, tokens); }

 private:
  Sequence memory_;
  Evaluator evaluator_;
};

}  // namespace finback
