#include "core/kernels/isa.h"

#include <stdlib.h>
#include <string.h>

#include <iterator>

#include "core/kernels/gemm_blas.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace finback {
namespace {

#if defined(__x86_64__)
// The operating system saves the 256-bit registers: XCR0 bits 1 (SSE) and 2 (AVX).
bool SystemSavesYmm() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & 6u) == 6u;
}

bool CpuHasAvx2() {
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;
  constexpr uint32_t kNeeded = kFma | kOsxsave | kAvx | kF16c;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kNeeded) != kNeeded || !SystemSavesYmm())
    return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (b & (1u << 5)) != 0;
}
#endif

constexpr IsaTier kTiers[] = {
#if defined(__x86_64__)
    {kIsaAvx2, "avx2", CpuHasAvx2},
#endif
    {kIsaBlas, "blas", OpenBlas},
    {0, "scalar", [] { return true; }},
};

}  // namespace

std::span<const IsaTier> IsaTiers() { return kTiers; }

uint32_t AvailableIsa(const char* limit) {
  const IsaTier* tier = kTiers;
  for (const IsaTier& named : kTiers) {
    if (strcmp(named.name, limit) == 0) tier = &named;
  }
  uint32_t isa = 0;
  for (; tier != std::end(kTiers); ++tier) {
    if (tier->bit == kIsaBlas && isa != 0) continue;
    if (tier->is_available()) isa |= tier->bit;
  }
  return isa;
}

const char* IsaLimit() {
  const char* limit = getenv(kIsaVariable);
  return limit == nullptr ? "" : limit;
}

uint32_t ActiveIsa() {
  static const uint32_t isa = AvailableIsa(IsaLimit());
  return isa;
}

uint32_t RunnableIsa() {
  static const uint32_t isa = [] {
    uint32_t all = 0;
    for (const IsaTier& tier : kTiers) all |= tier.is_available() ? tier.bit : 0;
    return all;
  }();
  return isa;
}

const char* IsaName(uint32_t bits) {
  const IsaTier* tier = kTiers;
  while ((tier->bit & bits) != tier->bit) ++tier;
  return tier->name;
}

}  // namespace finback
