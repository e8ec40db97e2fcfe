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
  // Bytes that a LoneSequence reserves, memory and scratch together.
  static uint64_t PlanBytes(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

  LoneSequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

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
