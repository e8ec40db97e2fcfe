// The mixture of experts of one layer: routing, routed experts, the shared expert
// (architecture 3.9).
#pragma once

#include <cstdint>
#include <span>

#include "core/model/compute.h"
#include "core/model/scratch.h"

namespace finback {

// x [rows, hidden] normed input, ids [rows] their tokens (for hash layers) -> scratch.y [rows,
// hidden], scratch.expert and scratch.expert_weight [rows, experts_per_token]. `layer` counts MTP
// blocks after the main layers; an expert's contents are checked when it is first chosen.
void MixExperts(const Compute& compute, const Weights& weights, const MoeWeights& w, int32_t layer,
                std::span<const int32_t> ids, const Activation& x, Scratch* scratch);

}  // namespace finback
