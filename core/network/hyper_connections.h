// Manifold-constrained hyper-connections: how a layer reads from and writes to the
// residual streams (docs/architecture.md 3.3).
#pragma once

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// streams [rows, hc, hidden] -> scratch.x [rows, hidden] (the layer's input, before its norm),
// scratch.hc_post [rows, hc], scratch.hc_comb [rows, hc (source), hc (destination)].
void HyperConnectionPre(const Compute& compute, const HyperConnectionWeights& w,
                        const float* streams, size_t rows, Scratch* scratch);

// streams[k] = post[k] * y + sum_j comb[j][k] * streams[j], in place; y [rows, hidden].
void HyperConnectionPost(const Compute& compute, const float* y, size_t rows,
                         const Scratch& scratch, float* streams);

// streams [rows, hc, hidden] -> out [rows, hidden]: the weighted sum that ends the model.
void HyperConnectionHead(const Compute& compute, const HyperConnectionWeights& w,
                         const float* streams, size_t rows, Scratch* scratch, float* out);

}  // namespace finback
