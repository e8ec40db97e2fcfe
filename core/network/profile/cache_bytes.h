// What a sequence's memory holds, and what a token reads of it, in bytes.
#pragma once

#include <cstdint>

#include "core/checkpoint/config.h"
#include "core/network/compute.h"

namespace finback {

// The memory of all layers at `n` tokens, at the precision it is stored in (docs/architecture.md
// 5.2).
struct CacheBytes {
  uint64_t window = 0, csa = 0, hca = 0, index = 0;
  uint64_t read = 0;  // by the token at position n
  uint64_t sum() const { return window + csa + hca + index; }
};

CacheBytes CacheAt(const Config& config, Precision precision, uint64_t n);

}  // namespace finback
