// Roofs of NEON, as every 64-bit ARM has it. Read: four cache lines a step, left to the hardware's
// own prefetching. Multiply: 24 chains of fused multiply-adds of 4, enough for four units with a
// latency of 4 and more; 8 of bytes, whose 16 products go through 16-bit sums in three
// instructions, since one that adds to 32 bits came later.
#include "core/kernels/roofs/roofs.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace finback {

uint64_t ReadRoofNeon(const uint8_t* data, size_t bytes) {
  uint8x16_t sum[8];
  for (int j = 0; j < 8; ++j) sum[j] = vdupq_n_u8(0);
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) sum[j % 8] = veorq_u8(sum[j % 8], vld1q_u8(data + i + 16 * j));
  }
  for (int j = 1; j < 8; ++j) sum[0] = veorq_u8(sum[0], sum[j]);
  const uint64x2_t words = vreinterpretq_u64_u8(sum[0]);
  return vgetq_lane_u64(words, 0) ^ vgetq_lane_u64(words, 1);
}

double F32RoofNeon(size_t rounds) {
  float32x4_t sum[24];
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) sum[j] = vdupq_n_f32(static_cast<float>(j));
  const float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(0.001f);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; ++j) sum[j] = vfmaq_f32(sum[j], a, b);
  }
  double total = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) total += static_cast<double>(vgetq_lane_f32(sum[j], 0));
  return total;
}

double Int8RoofNeon(size_t rounds) {
  int32x4_t sum[8];
  int8x16_t a[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    sum[j] = vdupq_n_s32(j);
    a[j] = vdupq_n_s8(static_cast<int8_t>(j + 1));
  }
  const int8x16_t b = vdupq_n_s8(3);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      __asm__ volatile("" : "+w"(a[j]));  // else it is computed once
      const int16x8_t low = vmull_s8(vget_low_s8(a[j]), vget_low_s8(b));
      sum[j] = vpadalq_s16(sum[j], vmlal_high_s8(low, a[j], b));
    }
  }
  double total = 0;
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) total += vgetq_lane_s32(sum[j], 0);
  return total;
}

}  // namespace finback
#endif
