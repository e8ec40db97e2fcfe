// Attention of one layer over its window and compressed entries (docs/architecture.md 3.5 to 3.8).
#pragma once

#include "core/network/pass.h"

namespace finback {

// x [rows, hidden] normed input of the tokens, which are appended to their segments' memory of the
// layer -> [rows, hidden].
const float* Attend(const Pass& pass, const AttentionWeights& w, size_t layer, const Activation& x);

// The memory's part of it, of a layer with nothing but a window.
void AppendToWindow(const Pass& pass, const AttentionWeights& w, size_t layer, const Activation& x);

}  // namespace finback
