// The CSA indexer: which compressed entries each query reads (docs/architecture.md 3.8).
#pragma once

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// For tokens position .. position + rows - 1, whose entries are already appended: fills
// scratch.selected [rows, index_topk] with entry numbers, ascending, and scratch.selected_count.
// `q_low` is the normed low-rank query, `x` the normed layer input; scratch.cosine/sine are set.
void SelectEntries(const Pass& pass, const AttentionWeights& w, const Activation& q_low,
                   const Activation& x, const CompressorState& state);

}  // namespace finback
