// The environment's limit of the instruction set, and what was chosen within it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finback {

// Throws Error(kInvalidArgument) for a value that names no tier: it would be no limit, which is not
// what it was set for.
void CheckIsaLimit();

// Names of the tiers that this machine has, best first, without OpenBLAS where there is a better
// one and it is not in use: to look for it starts threads.
std::vector<const char*> IsasHere();

// Why `isa` is in use, in a few words, where FINBACK_ISA is `limit`: "the best of this machine",
// "the most that FINBACK_ISA=avx2 allows; this machine has avx512".
std::string IsaReason(uint32_t isa, const std::string& limit);

}  // namespace finback
