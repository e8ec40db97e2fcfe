// The graph, readable top to bottom (docs/architecture.md 3.0, 3.2): token ids become streams,
// every layer reads and writes them, a head makes logits of what they are at the end.
#pragma once

#include <cstdint>
#include <span>

#include "core/network/pass.h"

namespace finback {

// streams [rows, hc, hidden] = the token's embedding in every stream.
void Embed(const Compute& compute, const Weights& weights, std::span<const int32_t> ids,
           float* streams);

// One layer over the chunk: updates streams [rows, hc, hidden] and the layer's state in place.
// `layer` counts MTP blocks after the main layers.
void RunLayer(const Pass& pass, const LayerWeights& w, int32_t layer, float* streams,
              LayerState* state);

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
