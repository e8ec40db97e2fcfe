// Pools every `ratio` tokens into one entry (docs/architecture.md 3.10): the main compressors of
// CSA and HCA layers and the indexer's own.
#pragma once

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

enum class EntryRotation : uint8_t { kNone, kHadamard };  // kHadamard: the indexer's keys

// Takes the normed inputs x [rows, hidden] of the tokens, and appends
// every entry whose window closes among them.
void Compress(const Pass& pass, const CompressorWeights& w, EntryRotation rotation,
              const Activation& x, CompressorState* state);

}  // namespace finback
