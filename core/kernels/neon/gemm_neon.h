// Weights of every format decoded in NEON registers, for the products of the ARM tiers: 32 at a
// time as float32, those of odd k apart from those of even k, in the order of the partial sums of
// gemm.h. The values are decode.h's to the bit. For files compiled with ISA flags.
#pragma once

#if defined(__ARM_NEON)

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#include "core/base/number_formats.h"
#include "core/kernels/gemm.h"

namespace finback {

static constexpr size_t kNeonStep = 32;   // of k
static constexpr size_t kNeonTile = 128;  // of FP8 scales
static constexpr int kNeonVectors = 4;    // of 16 partial sums

// vector v has sums 4v .. 4v + 3
struct NeonPairs {
  float32x4_t odd[kNeonVectors], even[kNeonVectors];
};

// l + (l+8), then +4, +2, +1.
static inline float ReduceSums(const float32x4_t* sums) {
  const float32x4_t by4 = vaddq_f32(vaddq_f32(sums[0], sums[2]), vaddq_f32(sums[1], sums[3]));
  const float32x2_t by2 = vadd_f32(vget_low_f32(by4), vget_high_f32(by4));
  return vget_lane_f32(by2, 0) + vget_lane_f32(by2, 1);
}

// Every format says how to decode 32 weights from `code` (of kBits each) and what to multiply them
// by, for output o and the k from k on.
struct NeonF32 {
  static constexpr size_t kBits = 32;
  static float Factor(const GemmArgs&, size_t, size_t) { return 1.0f; }
  static NeonPairs Load(const uint8_t* code, float) {
    NeonPairs pairs;
    for (int v = 0; v < kNeonVectors; ++v) {
      float values[8];
      memcpy(values, code + 32 * v, sizeof values);
      const float32x4x2_t both = vld2q_f32(values);
      pairs.even[v] = both.val[0];
      pairs.odd[v] = both.val[1];
    }
    return pairs;
  }
};

struct NeonBf16 {
  static constexpr size_t kBits = 16;
  static float Factor(const GemmArgs&, size_t, size_t) { return 1.0f; }
  static NeonPairs Load(const uint8_t* code, float) {
    NeonPairs pairs;
    for (int v = 0; v < kNeonVectors; ++v) {
      const uint32x4_t both = vreinterpretq_u32_u8(vld1q_u8(code + 16 * v));
      pairs.even[v] = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
      pairs.odd[v] = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xFFFF0000u)));
    }
    return pairs;
  }
};

// Eight halves, times the factor.
static inline void WidenHalves(uint16x8_t halves, float32x4_t factor, float32x4_t* out) {
  const float16x8_t values = vreinterpretq_f16_u16(halves);
  out[0] = vmulq_f32(vcvt_f32_f16(vget_low_f16(values)), factor);
  out[1] = vmulq_f32(vcvt_high_f32_f16(values), factor);
}

struct NeonFp8 {
  static constexpr size_t kBits = 8;
  static float Factor(const GemmArgs& args, size_t o, size_t k) {
    return E8m0ToFloat(
        args.scale[(o / kNeonTile) * ((args.in + kNeonTile - 1) / kNeonTile) + k / kNeonTile]);
  }
  // The bits of E4M3 in the place of a half's are value * 2^-8.
  static uint16x8_t Halves(uint16x8_t code_above) {
    const uint16x8_t magnitude = vshrq_n_u16(vandq_u16(code_above, vdupq_n_u16(0x7F00)), 1);
    return vorrq_u16(magnitude, vandq_u16(code_above, vdupq_n_u16(0x8000)));
  }
  static NeonPairs Load(const uint8_t* code, float factor) {
    // Two factors, because one could overflow; both products are exact where the second one is.
    const float32x4_t lift = vdupq_n_f32(256.0f), scale = vdupq_n_f32(factor);
    NeonPairs pairs;
    for (int i = 0; i < 2; ++i) {
      const uint16x8_t both = vreinterpretq_u16_u8(vld1q_u8(code + 16 * i));
      WidenHalves(Halves(both), lift, pairs.odd + 2 * i);
      WidenHalves(Halves(vshlq_n_u16(both, 8)), lift, pairs.even + 2 * i);
    }
    for (int v = 0; v < kNeonVectors; ++v) {
      pairs.odd[v] = vmulq_f32(pairs.odd[v], scale);
      pairs.even[v] = vmulq_f32(pairs.even[v], scale);
    }
    return pairs;
  }
};

// The upper bytes of E2M1's values as halves, by code; the lower ones are 0.
static inline uint8x16_t E2m1UpperBytes() {
  static const uint8_t kUpper[16] = {0x00, 0x38, 0x3C, 0x3E, 0x40, 0x42, 0x44, 0x46,
                                     0x80, 0xB8, 0xBC, 0xBE, 0xC0, 0xC2, 0xC4, 0xC6};
  return vld1q_u8(kUpper);
}

struct NeonFp4 {
  static constexpr size_t kBits = 4;
  static float Factor(const GemmArgs& args, size_t o, size_t k) {
    return E8m0ToFloat(args.scale[(o * args.in + k) / 32]);
  }
  static NeonPairs Load(const uint8_t* code, float factor) {
    const uint8x16_t table = E2m1UpperBytes(), codes = vld1q_u8(code), zero = vdupq_n_u8(0);
    const float32x4_t scale = vdupq_n_f32(factor);
    const uint8x16_t even = vqtbl1q_u8(table, vandq_u8(codes, vdupq_n_u8(15)));
    const uint8x16_t odd = vqtbl1q_u8(table, vshrq_n_u8(codes, 4));
    NeonPairs pairs;
    WidenHalves(vreinterpretq_u16_u8(vzip1q_u8(zero, even)), scale, pairs.even);
    WidenHalves(vreinterpretq_u16_u8(vzip2q_u8(zero, even)), scale, pairs.even + 2);
    WidenHalves(vreinterpretq_u16_u8(vzip1q_u8(zero, odd)), scale, pairs.odd);
    WidenHalves(vreinterpretq_u16_u8(vzip2q_u8(zero, odd)), scale, pairs.odd + 2);
    return pairs;
  }
};

// Where a row's code stands at k, and how far its factor reaches.
template <typename Format>
static inline const uint8_t* NeonCode(const GemmArgs& args, size_t o, size_t k) {
  return args.weight + (o * args.in + k) * Format::kBits / 8;
}
template <typename Format>
static constexpr size_t NeonReach() {
  return Format::kBits == 4 ? kNeonStep : kNeonTile;
}

// The weights of [k, end) of an output, 32 at a time and padded with zeros: body(k, pairs).
template <typename Format, typename Body>
static inline void ForNeonSteps(const GemmArgs& args, size_t o, size_t k, size_t end,
                                const Body& body) {
  while (k < end) {
    const float factor = Format::Factor(args, o, k);
    const size_t reach = k + NeonReach<Format>();
    for (; k < end && k < reach; k += kNeonStep) {
      if (end - k >= kNeonStep) {
        body(k, Format::Load(NeonCode<Format>(args, o, k), factor));
        continue;
      }
      uint8_t padded[kNeonStep * Format::kBits / 8] = {};
      memcpy(padded, NeonCode<Format>(args, o, k), (end - k) * Format::kBits / 8);
      body(k, Format::Load(padded, factor));
    }
  }
}

}  // namespace finback

#endif  // __ARM_NEON
