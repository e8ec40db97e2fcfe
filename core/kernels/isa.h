// Tiers of instruction sets that kernels are written for, and which of them this process uses.
#pragma once

#include <stdint.h>

#include <span>

namespace finback {

enum IsaBits : uint32_t {
  kIsaBlas = 1u << 0,    // OpenBLAS could be opened (dense products only; below every SIMD tier)
  kIsaAvx2 = 1u << 1,    // AVX2 + FMA + F16C
  kIsaAvx512 = 1u << 2,  // AVX-512 F, BW, VL, DQ, VNNI
  kIsaAvx512Bf16 = 1u << 3,  // AVX-512 BF16, VBMI
  kIsaNeon = 1u << 8,        // of every 64-bit ARM
  kIsaNeonDot = 1u << 9,     // dot product
  kIsaNeonBf16 = 1u << 10,   // BF16
};

// Tiers whose products read activations as bfloat16: only for activations that are.
inline constexpr uint32_t kIsaBf16Activations = kIsaAvx512Bf16 | kIsaNeonBf16;

struct IsaTier {
  uint32_t bit;  // 0 for plain C++
  const char* name;
  bool (*is_available)();
};

// What was compiled, best first; the last tier is plain C++.
std::span<const IsaTier> IsaTiers();

// Bits of the available tiers from the one named `limit` down; of all if no tier has that name.
// OpenBLAS starts threads when it is opened, so it is tried only where no tier above is available.
uint32_t AvailableIsa(const char* limit);

// The variable that names such a limit, and its value; "" if it is not set.
inline constexpr char kIsaVariable[] = "FINBACK_ISA";
const char* IsaLimit();

uint32_t ActiveIsa();                // within kIsaVariable, computed once
uint32_t RunnableIsa();              // every available tier, OpenBLAS too; for tests and benchmarks
const char* IsaName(uint32_t bits);  // of the best tier in `bits`

}  // namespace finback
