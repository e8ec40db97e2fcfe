// Roof of NEON's BF16: bfmmla, which adds 16 products to 4 sums, twice as many as bfdot. 24 chains.
#include "core/kernels/roofs/roofs.h"

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#include <arm_neon.h>

namespace finback {

double Bf16RoofNeonBf16(size_t rounds) {
  float32x4_t sum[24];
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) sum[j] = vdupq_n_f32(static_cast<float>(j));
  const float32x4_t half = vdupq_n_f32(0.5f), quarter = vdupq_n_f32(0.25f);
  const bfloat16x8_t a = vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(half), half);
  const bfloat16x8_t b = vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(quarter), quarter);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; ++j) sum[j] = vbfmmlaq_f32(sum[j], a, b);
  }
  double total = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) total += static_cast<double>(vgetq_lane_f32(sum[j], 0));
  return total;
}

}  // namespace finback
#endif
