// Pools every `ratio` tokens into one entry (docs/architecture.md 3.10).
#pragma once

#include "core/network/pass.h"

namespace finback {

// The compressors of CSA and HCA layers, or the indexer's own, whose keys are Hadamard-rotated.
enum class EntryKind : uint8_t { kMain, kIndex };

// Takes the tokens' projections from the scratch, and appends to their segments' memory of the
// layer every entry whose window closes among them.
void Compress(const Pass& pass, const CompressorWeights& w, size_t layer, EntryKind kind);

}  // namespace finback
