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

// Once for a pass, before its layers: the rotary angles of its rows.
void PreparePass(const Pass& pass);

// One layer over the pass: updates streams [rows, hc, hidden] and the segments' memory in place.
// `layer` counts MTP blocks after the main layers.
void RunLayer(const Pass& pass, const LayerWeights& w, size_t layer, float* streams);

// Final streams [logits.size(), hc, hidden] -> logits [vocab] of each of these rows.
void Head(const Pass& pass, const HyperConnectionWeights& hc, const Vector& norm,
          const float* streams, std::span<float* const> logits);

// The MTP block (docs/architecture.md 3.12), a layer of its own that guesses a token further. The
// pass carries the ids of tokens t + 1, and the block's memory; final streams [rows, hc, hidden] of
// tokens t -> logits [vocab] of the last so many rows, for tokens t + 2, and the block's own
// streams of all rows in scratch; without any logits its memory alone is brought up to date.
void RunDraft(const Pass& pass, const float* streams, DraftScratch* scratch,
              std::span<float* const> logits);

}  // namespace finback
