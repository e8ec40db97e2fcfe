// The whole graph, readable top to bottom (architecture 3.0, 3.2, 3.12).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/compute.h"
#include "core/model/scratch.h"

namespace finback {

// What a forward pass chose, for tests: per layer, rows appended in token order.
struct LayerTrace {
  std::vector<int32_t> experts;                // [tokens, experts_per_token]
  std::vector<std::vector<int32_t>> selected;  // CSA: [tokens] of ascending entry numbers
};
using Trace = std::vector<LayerTrace>;  // by layer

// One layer over a chunk: updates streams [ids.size(), hc, hidden] and the layer's state in place.
// `trace` may be null.
void RunLayer(const Compute& compute, const Weights& weights, const LayerWeights& w, int32_t layer,
              std::span<const int32_t> ids, int64_t position, float* streams, Scratch* scratch,
              LayerState* state, LayerTrace* trace);

// streams[i] = the token's embedding in every stream.
void Embed(const Compute& compute, const Weights& weights, std::span<const int32_t> ids,
           float* streams);

// Final streams [rows, hc, hidden] -> logits [rows, vocab].
void Head(const Compute& compute, const Weights& weights, const HyperConnectionWeights& hc,
          const Vector& norm, const float* streams, size_t rows, Scratch* scratch, float* logits);

// The MTP block: final streams of tokens t and the ids of tokens t + 1 -> logits for tokens t + 2.
void RunDraft(const Compute& compute, const Weights& weights, std::span<const int32_t> next_ids,
              int64_t position, const float* streams, Scratch* scratch, LayerState* state,
              float* logits);

}  // namespace finback
