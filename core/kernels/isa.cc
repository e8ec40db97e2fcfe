#include "core/kernels/isa.h"

#include <stdlib.h>
#include <string.h>

#include <iterator>

#include "core/kernels/gemm_blas.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace finback {
namespace {

#if defined(__x86_64__)
// What the operating system saves: XCR0 bits 1 (SSE) and 2 (AVX) for the 256-bit registers, 5 to 7
// for those of AVX-512 and its masks. Only where the processor has XGETBV.
constexpr uint32_t kSavesYmm = 0x06, kSavesZmm = 0xE6;
bool SystemSaves(uint32_t needed) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & needed) == needed;
}

bool CpuHasAvx2() {
  constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28, kF16c = 1u << 29;
  constexpr uint32_t kNeeded = kFma | kOsxsave | kAvx | kF16c;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kNeeded) != kNeeded || !SystemSaves(kSavesYmm))
    return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (b & (1u << 5)) != 0;
}

bool CpuHasAvx512() {
  constexpr uint32_t kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;
  constexpr uint32_t kNeeded = kF | kDq | kBw | kVl, kVnni = 1u << 11;
  uint32_t a, b, c, d;
  if (!CpuHasAvx2() || !SystemSaves(kSavesZmm) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return false;
  return (b & kNeeded) == kNeeded && (c & kVnni) != 0;
}

bool CpuHasAvx512Bf16() {
  constexpr uint32_t kVbmi = 1u << 1, kBf16 = 1u << 5;
  uint32_t a, b, c, d;
  if (!CpuHasAvx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (c & kVbmi) == 0) return false;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & kBf16) != 0;
}
#endif

#if defined(__aarch64__)
bool CpuHasNeonDot() {
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProduct) != 0;
}

bool CpuHasNeonBf16() {
  constexpr unsigned long kBf16 = 1ul << 14;  // HWCAP2_BF16, which older headers lack
  return (getauxval(AT_HWCAP2) & kBf16) != 0;
}
#endif

constexpr IsaTier kTiers[] = {
#if defined(__aarch64__)
    {kIsaNeonBf16, "neonbf16", CpuHasNeonBf16},
    {kIsaNeonDot, "neondot", CpuHasNeonDot},
    {kIsaNeon, "neon", [] { return true; }},
#endif
#if defined(__x86_64__)
    {kIsaAvx512Bf16, "avx512bf16", CpuHasAvx512Bf16},
    {kIsaAvx512, "avx512", CpuHasAvx512},
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
