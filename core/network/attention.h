// Attention of one layer over its window and compressed entries (docs/architecture.md 3.5 to 3.8).
#pragma once

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// x [rows, hidden] normed input of the tokens -> scratch.y [rows,
// hidden]. Appends the tokens to `state`.
void Attend(const Pass& pass, const AttentionWeights& w, const Activation& x, LayerState* state);

}  // namespace finback
