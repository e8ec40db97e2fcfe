// Inputs and comparisons for kernel tests. Buffers have exactly the promised size, so that
// AddressSanitizer sees a kernel that reads or writes beyond.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/number_formats.h"
#include "core/kernels/kernel_list.h"

namespace finback {

inline constexpr unsigned kSeed = 20261122;

// Whatever FINBACK_ISA says.
inline bool CanRun(uint32_t isa) { return (isa & RunnableIsa()) == isa; }

inline bool SameBits(float a, float b) {
  return FloatToBits(a) == FloatToBits(b) || (std::isnan(a) && std::isnan(b));
}

inline ::testing::AssertionResult SameFloats(const std::vector<float>& expected,
                                             const std::vector<float>& found) {
  if (expected.size() != found.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!SameBits(expected[i], found[i])) {
      return ::testing::AssertionFailure()
             << "index " << i << " of " << expected.size() << ": expected " << expected[i]
             << ", found " << found[i];
    }
  }
  return ::testing::AssertionSuccess();
}

inline float LargestMagnitude(const std::vector<float>& x) {
  float largest = 0.0f;
  for (const float v : x) largest = std::max(largest, std::fabs(v));
  return largest;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  float Normal() { return normal_(engine_); }
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }
  uint8_t Byte() { return static_cast<uint8_t>(Below(256)); }
  std::vector<float> Normals(size_t n) {
    std::vector<float> x(n);
    for (float& v : x) v = Normal();
    return x;
  }
  // On the bfloat16 grid, over a wide range of magnitudes, with zeros of both signs.
  std::vector<float> Bf16Values(size_t n) {
    std::vector<float> x(n);
    for (float& v : x) {
      const size_t kind = Below(16);
      v = kind == 0   ? 0.0f
          : kind == 1 ? -0.0f
                      : RoundBf16(std::ldexp(Normal(), int(Below(24)) - 12));
    }
    return x;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

}  // namespace finback
