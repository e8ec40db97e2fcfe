#include "core/local/lone_sequence.h"

#include <algorithm>

namespace finback {
namespace {

// Alone, no more rows than the context come at once.
int32_t Chunk(int64_t context_tokens, int32_t chunk_tokens) {
  return static_cast<int32_t>(std::min<int64_t>(context_tokens, chunk_tokens));
}

}  // namespace

Sequence::Plan LoneSequence::PlanOf(const Model& model, int64_t context_tokens,
                                    int32_t chunk_tokens) {
  const Sequence::Plan memory =
      Sequence::PlanOf(model.config(), model.precision(), context_tokens, chunk_tokens);
  const uint64_t scratch =
      Evaluator::PlanBytes(model, context_tokens, Chunk(context_tokens, chunk_tokens));
  return {memory.empty + scratch, memory.full + scratch};
}

LoneSequence::LoneSequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens,
                           MemoryBudget* budget)
    : memory_(model, context_tokens, chunk_tokens, budget),
      evaluator_(model, context_tokens, Chunk(context_tokens, chunk_tokens)) {}

void LoneSequence::Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                            const EvaluateControl& control) {
  const Segment all{&memory_, ids, rows, logits};
  evaluator_.Run({&all, 1}, control);
}

}  // namespace finback
