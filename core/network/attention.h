// Attention of one layer over its window and compressed entries (docs/architecture.md 3.5 to 3.8).
#pragma once

#include "core/network/pass.h"
#include "core/network/state.h"

namespace finback {

// x [rows, hidden] normed input of the tokens, which are appended to `state` -> [rows, hidden].
const float* Attend(const Pass& pass, const AttentionWeights& w, const Activation& x,
                    LayerState* state);

}  // namespace finback
