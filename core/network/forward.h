// The whole graph, readable top to bottom (docs/architecture.md 3.0, 3.2, 3.12).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// What a forward pass chose, for tests: per layer, rows appended in token order.
struct LayerTrace {
  std::vector<int32_t> experts;                // [tokens, experts_per_token]
  std::vector<std::vector<int32_t>> selected;  // CSA: [tokens] of ascending entry numbers
};
using Trace = std::vector<LayerTrace>;  // by layer

// One layer over the chunk: updates streams [rows, hc, hidden] and the layer's state in place.
// `trace` may be null.
void RunLayer(const Pass& pass, const LayerWeights& w, int32_t layer, float* streams,
              LayerState* state, LayerTrace* trace);

// out [hidden] = the token's embedding.
void EmbedToken(const Compute& compute, const Linear& embed, int32_t id, float* out);

// streams [rows, hc, hidden] = the token's embedding in every stream.
void Embed(const Compute& compute, const Weights& weights, std::span<const int32_t> ids,
           float* streams);

// Final streams [rows, hc, hidden] -> logits [rows, vocab].
void Head(const Pass& pass, const HyperConnectionWeights& hc, const Vector& norm,
          const float* streams, size_t rows, float* logits);

// The MTP block (docs/architecture.md 3.12), a layer of its own that guesses a token further.
// Nothing in the library proposes tokens yet; the oracle holds it against its goldens. The pass
// carries the ids of tokens t + 1; final streams [rows, hc, hidden] of tokens t -> logits
// [rows, vocab] for tokens t + 2.
void RunDraft(const Pass& pass, const float* streams, LayerState* state, DraftScratch* scratch,
              float* logits);

}  // namespace finback
