// The mixture of experts of one layer: routing, routed experts, the shared expert
// (docs/architecture.md 3.9).
#pragma once

#include <cstdint>

#include "core/network/pass.h"

namespace finback {

// x [rows, hidden] normed input of the tokens (hash layers route by id) -> [rows, hidden].
// `layer` counts MTP blocks after the main layers; an expert's contents are checked when it is
// first chosen.
const float* MixExperts(const Pass& pass, const MoeWeights& w, size_t layer, const Activation& x);

}  // namespace finback
