// The CSA indexer: which compressed entries each query reads (docs/architecture.md 3.8).
#pragma once

#include "core/network/pass.h"
#include "core/network/state.h"

namespace finback {

struct Selection {
  const int32_t* entries = nullptr;  // [rows, index_topk] entry numbers, ascending
  const int32_t* counts = nullptr;   // [rows]
};

// For the pass's tokens, whose entries are already appended. `q_low` is the normed
// low-rank query, `x` the normed layer input.
Selection SelectEntries(const Pass& pass, const AttentionWeights& w, const RotaryAngles& angles,
                        const Activation& q_low, const Activation& x, const CompressorState& state);

}  // namespace finback
