// The CSA indexer: which compressed entries each query reads (docs/architecture.md 3.8).
#pragma once

#include "core/network/pass.h"

namespace finback {

struct Selection {
  const int32_t* entries = nullptr;  // [rows, index_topk] entry numbers, ascending
  const int32_t* counts = nullptr;   // [rows]
};

// What the indexer computes its queries from.
struct IndexInput {
  Activation q_low;  // the normed low-rank query
  Activation x;      // the normed layer input
};

// For the pass's tokens, whose entries are already in their segments' memory of the layer.
Selection SelectEntries(const Pass& pass, const AttentionWeights& w, size_t layer,
                        const RotaryAngles& angles, const IndexInput& input);

}  // namespace finback
