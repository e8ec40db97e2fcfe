// Instruction sets that kernels are written for, and which of them this process uses.
#pragma once

#include <stdint.h>

namespace finback {

enum IsaBits : uint32_t {
  kIsaScalar = 1u << 0,  // always set
  kIsaBlas = 1u << 1,    // OpenBLAS could be opened (dense products only; below every SIMD tier)
  kIsaAvx2 = 1u << 2,    // AVX2 + FMA + F16C
};

// What CPUID and XGETBV report, lowered by FINBACK_ISA=scalar|blas|avx2 (which never raises; any
// other value means no limit). Computed once. OpenBLAS is opened only when no SIMD tier is
// available, or when FINBACK_ISA=blas.
uint32_t ActiveIsa();
uint32_t CpuIsa();                   // what the processor has, whatever FINBACK_ISA says
const char* IsaName(uint32_t bits);  // the best tier in `bits`: "scalar", "blas", "avx2"
const char* CompiledIsas();          // space-separated, best first

}  // namespace finback
