#include "core/kernels/isa.h"

#include <stdlib.h>
#include <string.h>

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
#else
bool CpuHasAvx2() { return false; }
#endif

uint32_t DetectIsa() {
  const char* limit = getenv("FINBACK_ISA");
  if (limit == nullptr) limit = "";
  if (strcmp(limit, "scalar") == 0) return kIsaScalar;
  const uint32_t cpu = CpuIsa();
  if ((cpu & kIsaAvx2) != 0 && strcmp(limit, "blas") != 0) return cpu;
  return OpenBlas() ? kIsaScalar | kIsaBlas : kIsaScalar;
}

}  // namespace

uint32_t CpuIsa() { return CpuHasAvx2() ? kIsaScalar | kIsaAvx2 : kIsaScalar; }

uint32_t ActiveIsa() {
  static const uint32_t isa = DetectIsa();
  return isa;
}

const char* IsaName(uint32_t bits) {
  if ((bits & kIsaAvx2) != 0) return "avx2";
  return (bits & kIsaBlas) != 0 ? "blas" : "scalar";
}

const char* CompiledIsas() {
#if defined(__x86_64__)
  return "avx2 blas scalar";
#else
  return "blas scalar";
#endif
}

}  // namespace finback
