// Roof of NEON's dot product: sdot, which adds 16 products of bytes to 4 sums. 24 chains.
#include "core/kernels/roofs/roofs.h"

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

namespace finback {

double Int8RoofNeonDot(size_t rounds) {
  int32x4_t sum[24];
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) sum[j] = vdupq_n_s32(j);
  const int8x16_t a = vdupq_n_s8(2), b = vdupq_n_s8(3);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; ++j) {
      __asm__ volatile("" : "+w"(sum[j]));  // else rounds are one multiplication
      sum[j] = vdotq_s32(sum[j], a, b);
    }
  }
  double total = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) total += vgetq_lane_s32(sum[j], 0);
  return total;
}

}  // namespace finback
#endif
