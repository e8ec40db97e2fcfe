// The CSA indexer: which compressed entries each query reads (docs/architecture.md 3.8).
#pragma once

#include "core/network/pass.h"

namespace finback {

struct Selection {
  const int32_t* entries = nullptr;  // [rows, index_topk] entry numbers, ascending
  const int32_t* counts = nullptr;   // [rows]
};

// Some heads of one row's index queries, in place, as the keys are: rotary, Hadamard, FP4; packed
// where the keys are, each from the place on where it was.
// Channels [begin, end) of q [index_heads * index_head_dim].
void RoundIndexQueries(const Compute& compute, const RotaryAngles& angles, size_t begin, size_t end,
                       float* q);

// For the pass's tokens, whose entries are already in their segments' memory of the layer. Takes
// the rounded queries and the projection of the heads' weights from the scratch.
Selection SelectEntries(const Pass& pass, size_t layer);

}  // namespace finback
