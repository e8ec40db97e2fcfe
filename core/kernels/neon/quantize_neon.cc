// Activation roundings and cache entries with NEON, bit for bit what quantize_scalar.cc defines.
//
//   E4M3 codes    v * 2^-8 as a half has the code's bits, one place to the left
//   E2M1 codes    the number of boundaries below |v|; ties go to even codes
//   E2M1 values   a look-up of a half's upper byte
//
// Limit: the stores (16 bytes per 4 values).
#include "core/kernels/kernels.h"
#include "core/kernels/kv_entry.h"
#include "core/kernels/neon/gemm_neon.h"

#if defined(__ARM_NEON)

#include <arm_neon.h>
#include <string.h>

#include "core/base/number_formats.h"

namespace finback {
namespace {

inline float LargestMagnitude(const float* x, size_t n) {
  float32x4_t largest = vdupq_n_f32(0.0f);
  for (size_t i = 0; i < n; i += 4) {
    largest = vmaxnmq_f32(largest, vabsq_f32(vld1q_f32(x + i)));  // a NaN leaves `largest`
  }
  return vmaxnmvq_f32(largest);
}

inline uint32x4_t Bits(float32x4_t v) { return vreinterpretq_u32_f32(v); }
inline float32x4_t Floats(uint32x4_t v) { return vreinterpretq_f32_u32(v); }

// RoundBf16 of number_formats.h.
inline float32x4_t RoundToBf16(float32x4_t v) {
  const uint32x4_t bits = Bits(v), top = vdupq_n_u32(0xFFFF0000u);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd);
  const uint32x4_t nan = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return Floats(vandq_u32(vbslq_u32(vceqq_f32(v, v), rounded, nan), top));
}

// v on the grid of E4M3 (FloatToE4m3, then back) for |v| <= 448.
inline float32x4_t RoundToE4m3(float32x4_t v) {
  const float32x4_t magnitude = vabsq_f32(v);
  const uint32x4_t bits = Bits(magnitude), sign = veorq_u32(Bits(v), bits);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 20), vdupq_n_u32(1));
  const uint32x4_t rounded =
      vandq_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFFF)), odd), vdupq_n_u32(0xFFF00000u));
  const float32x4_t magic = vdupq_n_f32(16384.0f);  // its last bit is worth 2^-9
  const float32x4_t tiny = vsubq_f32(vaddq_f32(magnitude, magic), magic);
  const uint32x4_t is_tiny = vcltq_f32(magnitude, vdupq_n_f32(0.015625f));
  return Floats(vorrq_u32(vbslq_u32(is_tiny, Bits(tiny), rounded), sign));
}

// The codes of eight values that RoundToE4m3 gave.
inline uint8x8_t E4m3Codes(float32x4_t low, float32x4_t high) {
  const float32x4_t shift = vdupq_n_f32(0.00390625f);
  const float16x8_t halves =
      vcvt_high_f16_f32(vcvt_f16_f32(vmulq_f32(low, shift)), vmulq_f32(high, shift));
  const uint16x8_t bits = vreinterpretq_u16_f16(halves);
  const uint16x8_t code = vandq_u16(vshrq_n_u16(bits, 7), vdupq_n_u16(0x7F));
  return vmovn_u16(vorrq_u16(code, vandq_u16(vshrq_n_u16(bits, 8), vdupq_n_u16(0x80))));
}

// FloatToE2m1 for |v| <= 6.
inline uint32x4_t E2m1Codes(float32x4_t v) {
  const float32x4_t magnitude = vabsq_f32(v);
  const float beyond[4] = {0.25f, 1.25f, 2.5f, 5.0f};
  const float from[3] = {0.75f, 1.75f, 3.5f};
  uint32x4_t code = vdupq_n_u32(0);
  for (const float limit : beyond) {
    code = vsubq_u32(code, vcgtq_f32(magnitude, vdupq_n_f32(limit)));
  }
  for (const float limit : from) {
    code = vsubq_u32(code, vcgeq_f32(magnitude, vdupq_n_f32(limit)));
  }
  return vorrq_u32(code, vandq_u32(vshrq_n_u32(Bits(v), 28), vdupq_n_u32(8)));
}

// Values of eight halves, times the factor.
inline void StoreHalves(uint16x8_t halves, float32x4_t factor, float* out) {
  float32x4_t values[2];
  WidenHalves(halves, factor, values);
  vst1q_f32(out, values[0]);
  vst1q_f32(out + 4, values[1]);
}

}  // namespace

void RoundBf16Neon(float* x, size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) vst1q_f32(x + i, RoundToBf16(vld1q_f32(x + i)));
  RoundBf16Scalar(x + i, n - i);
}

void QuantizeFp8Neon(float* x, size_t n, size_t block) {
  for (size_t begin = 0; begin < n; begin += block) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(x + begin, block));
    const float scale = PowerOfTwo(exponent), inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + block; i += 4) {
      const float32x4_t v = RoundToE4m3(vmulq_n_f32(vld1q_f32(x + i), inverse));
      vst1q_f32(x + i, vmulq_n_f32(v, scale));
    }
  }
}

void PackKvNeon(const KvFormat& format, const float* values, uint8_t* entry) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t begin = 0; begin < channels; begin += kKvBlock) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(values + begin, kKvBlock));
    const float inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + kKvBlock; i += 8) {
      const float32x4_t low = RoundToE4m3(vmulq_n_f32(vld1q_f32(values + i), inverse));
      const float32x4_t high = RoundToE4m3(vmulq_n_f32(vld1q_f32(values + i + 4), inverse));
      vst1_u8(entry + i, E4m3Codes(low, high));
    }
    entry[channels + begin / kKvBlock] = static_cast<uint8_t>(exponent + 127);
  }
  PackRope(values + channels, format.rope_dim, entry + RopeBegin(format));
}

void UnpackKvNeon(const KvFormat& format, const uint8_t* entry, float* values) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t i = 0; i < channels; i += 8) {
    const float factor = E8m0ToFloat(entry[channels + i / kKvBlock]);
    const uint16x8_t half = NeonFp8::Halves(vshll_n_u8(vld1_u8(entry + i), 8));
    StoreHalves(half, vdupq_n_f32(256.0f), values + i);
    vst1q_f32(values + i, vmulq_n_f32(vld1q_f32(values + i), factor));
    vst1q_f32(values + i + 4, vmulq_n_f32(vld1q_f32(values + i + 4), factor));
  }
  UnpackRope(entry + RopeBegin(format), format.rope_dim, values + channels);
}

void PackIndexNeon(const float* values, size_t n, uint8_t* key) {
  for (size_t begin = 0; begin < n; begin += kIndexBlock) {
    const int exponent = Fp4ScaleExponent(LargestMagnitude(values + begin, kIndexBlock));
    const float inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + kIndexBlock; i += 8) {
      const float32x4x2_t pairs = vld2q_f32(values + i);  // even ones, odd ones
      const uint32x4_t low = E2m1Codes(vmulq_n_f32(pairs.val[0], inverse));
      const uint32x4_t high = E2m1Codes(vmulq_n_f32(pairs.val[1], inverse));
      const uint16x4_t bytes = vmovn_u32(vorrq_u32(low, vshlq_n_u32(high, 4)));
      const uint8x8_t packed = vmovn_u16(vcombine_u16(bytes, bytes));
      const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(packed), 0);
      memcpy(key + i / 2, &four, sizeof four);
    }
    key[n / 2 + begin / kIndexBlock] = static_cast<uint8_t>(exponent + 127);
  }
}

void UnpackIndexNeon(const uint8_t* key, size_t n, float* values) {
  const uint8x16_t table = E2m1UpperBytes(), zero = vdupq_n_u8(0);
  for (size_t begin = 0; begin < n; begin += kIndexBlock) {
    const float32x4_t scale = vdupq_n_f32(E8m0ToFloat(key[n / 2 + begin / kIndexBlock]));
    const uint8x16_t bytes = vld1q_u8(key + begin / 2);
    const uint8x16_t even = vandq_u8(bytes, vdupq_n_u8(15)), odd = vshrq_n_u8(bytes, 4);
    const uint8x16_t first = vqtbl1q_u8(table, vzip1q_u8(even, odd));
    const uint8x16_t second = vqtbl1q_u8(table, vzip2q_u8(even, odd));
    float* out = values + begin;
    StoreHalves(vreinterpretq_u16_u8(vzip1q_u8(zero, first)), scale, out);
    StoreHalves(vreinterpretq_u16_u8(vzip2q_u8(zero, first)), scale, out + 8);
    StoreHalves(vreinterpretq_u16_u8(vzip1q_u8(zero, second)), scale, out + 16);
    StoreHalves(vreinterpretq_u16_u8(vzip2q_u8(zero, second)), scale, out + 24);
  }
}

}  // namespace finback

#endif  // __ARM_NEON
