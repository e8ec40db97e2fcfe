// The mixture of experts of one layer: routing, routed experts, the shared expert
// (docs/architecture.md 3.9).
#pragma once

#include <cstdint>
#include <span>

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// x [rows, hidden] normed input of the tokens (hash layers route by id) -> scratch.y [rows,
// hidden], scratch.expert and scratch.expert_weight [rows, experts_per_token]. `layer` counts MTP
// blocks after the main layers; an expert's contents are checked when it is first chosen.
void MixExperts(const Pass& pass, const MoeWeights& w, int32_t layer, const Activation& x);

}  // namespace finback
