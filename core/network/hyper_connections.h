// Manifold-constrained hyper-connections: how a layer reads from and writes to the
// residual streams (docs/architecture.md 3.3).
#pragma once

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// What a sublayer read from the streams, and how its output goes back.
struct StreamMix {
  const float* x;     // [rows, hidden] the sublayer's input, before its norm
  const float* post;  // [rows, hc]
  const float* comb;  // [rows, hc (source), hc (destination)]
};

// streams [rows, hc, hidden].
StreamMix ReadStreams(const Compute& compute, const HyperConnectionWeights& w, const float* streams,
                      size_t rows, Scratch* scratch);

// streams[k] = post[k] * y + sum_j comb[j][k] * streams[j], in place; y [rows, hidden].
void WriteStreams(const Compute& compute, const StreamMix& mix, const float* y, size_t rows,
                  float* streams);

// streams [rows, hc, hidden] -> [rows, hidden]: the weighted sum that ends the model.
const float* JoinStreams(const Compute& compute, const HyperConnectionWeights& w,
                         const float* streams, size_t rows, Scratch* scratch);

}  // namespace finback
