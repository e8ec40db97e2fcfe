#include "core/local/lone_sequence.h"

#include <algorithm>

namespace finback {
namespace {

// Alone, no more rows than the context come at once.
int32_t Chunk(int64_t context_tokens, int32_t chunk_tokens) {
  return static_cast<int32_t>(std::min<int64_t>(context_tokens, chunk_tokens));
}

}  // namespace

uint64_t LoneSequence::PlanBytes(const Model& model, int64_t context_tokens, int32_t chunk_tokens) {
  return Sequence::PlanBytes(model.config(), model.precision(), context_tokens, chunk_tokens) +
         Evaluator::PlanBytes(model, context_tokens, Chunk(context_tokens, chunk_tokens));
}

LoneSequence::LoneSequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens)
    : memory_(model, context_tokens, chunk_tokens),
      evaluator_(model, context_tokens, Chunk(context_tokens, chunk_tokens)) {}

void LoneSequence::Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                            const EvaluateControl& control) {
  const Segment all{&memory_, ids, rows, logits};
  evaluator_.Run({&all, 1}, control);
}

}  // namespace finback
