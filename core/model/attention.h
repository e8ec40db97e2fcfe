// Attention of one layer over its window and compressed entries (architecture 3.5 to 3.8).
#pragma once

#include "core/model/compute.h"
#include "core/model/scratch.h"

namespace finback {

// x [rows, hidden] normed input of tokens position .. position + rows - 1 -> scratch.y [rows,
// hidden]. Appends the tokens to `state`.
void Attend(const Compute& compute, const AttentionWeights& w, const Activation& x,
            int64_t position, Scratch* scratch, LayerState* state);

}  // namespace finback
