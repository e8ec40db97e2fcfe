// Attention over bfloat16 keys with the NEON of every 64-bit ARM (attention_lanes.h,
// entries_lanes.h).
//
//   product    blocks of 4 rows x 16 columns: 4 loads and 8 splits of b, 4 loads and 8 splits of a
//              for 32 fused multiply-adds of 4
//   softmax    exp on 4 slots at a time, the operations of exp.h
//   codes      16 codes: 2 widen, 2 shift, 2 mask, 4 half-to-float, 4 multiply, 4 narrow
//   arrange    by channel: 4 x 4 pairs transposed by 8 interleaves; by key: 2 interleaves for 8
//              channels of two keys
//
// Limit: fused multiply-adds, two or four per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/attention/entries_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__ARM_NEON)

#include <arm_neon.h>

namespace finback {
namespace {

struct Isa {
  static constexpr int kWidth = 4, kRows = 4, kVectors = 4;
  using F = float32x4_t;
  struct Pairs {
    float32x4_t even, odd;
  };
  using Spread = Pairs;

  static F Zero() { return vdupq_n_f32(0.0f); }
  static F Set(float v) { return vdupq_n_f32(v); }
  static F Load(const float* from) { return vld1q_f32(from); }
  static void Store(float* to, F v) { vst1q_f32(to, v); }
  static F Sum(F a, F b) { return vaddq_f32(a, b); }
  static F Difference(F a, F b) { return vsubq_f32(a, b); }
  static F Product(F a, F b) { return vmulq_f32(a, b); }
  static F Max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }  // b if either is NaN

  static Pairs Split(uint32x4_t pairs) {
    return {vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16)),
            vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xFFFF0000u)))};
  }
  static Pairs LoadPairs(const Bf16* from) { return Split(vreinterpretq_u32_u16(vld1q_u16(from))); }
  static Spread Broadcast(const Bf16* pair) {
    uint32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return Split(vdupq_n_u32(bits));
  }
  static F Step(F sum, const Spread& a, const Pairs& b) {
    return vfmaq_f32(vfmaq_f32(sum, a.odd, b.odd), a.even, b.even);
  }

  // 2^n, from n + round and round as exp.h adds them.
  static F PowerOfTwo(F rounded, F round) {
    const int32x4_t n = vsubq_s32(vreinterpretq_s32_f32(rounded), vreinterpretq_s32_f32(round));
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
  }
  static F ZeroUnlessAtLeast(F v, F x, F lowest) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vcgeq_f32(x, lowest)));
  }
  static uint16x4_t Rounded(F v) {  // codes of finite values
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vshrn_n_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd), 16);
  }
  static void StoreSixteenCodes(Bf16* to, const F* v) {
    vst1q_u16(to, vcombine_u16(Rounded(v[0]), Rounded(v[1])));
    vst1q_u16(to + 8, vcombine_u16(Rounded(v[2]), Rounded(v[3])));
  }
  static float Reduce(const F* sums) {
    const F by4 = vaddq_f32(vaddq_f32(sums[0], sums[2]), vaddq_f32(sums[1], sums[3]));
    const float32x2_t by2 = vadd_f32(vget_low_f32(by4), vget_high_f32(by4));
    return vget_lane_f32(by2, 0) + vget_lane_f32(by2, 1);
  }
};

// The upper halves of 4 + 4 32-bit values.
inline uint16x8_t UpperHalves(float32x4_t first, float32x4_t second) {
  return vcombine_u16(vshrn_n_u32(vreinterpretq_u32_f32(first), 16),
                      vshrn_n_u32(vreinterpretq_u32_f32(second), 16));
}

// Eight E4M3 codes times `factor`, which is 2^8 times their scale: in the place of a half's bits a
// code's are value * 2^-8.
inline uint16x8_t DecodeE4m3(uint8x8_t code, float32x4_t factor) {
  const int16x8_t above = vreinterpretq_s16_u16(vshll_n_u8(code, 8));
  const float16x8_t half = vreinterpretq_f16_u16(
      vandq_u16(vreinterpretq_u16_s16(vshrq_n_s16(above, 1)), vdupq_n_u16(0xBF80)));
  return UpperHalves(vmulq_f32(vcvt_f32_f16(vget_low_f16(half)), factor),
                     vmulq_f32(vcvt_high_f32_f16(half), factor));
}

struct Entries {
  static constexpr size_t kChannels = 8;
  static constexpr int kLeastScale = 0, kMostScale = 246;  // 2^(scale - 127 + 8) is a float
  using Codes = uint16x8_t;

  static Codes LoadCodes(const void* from) {
    return vreinterpretq_u16_u8(vld1q_u8(static_cast<const uint8_t*>(from)));
  }
  static void StoreCodes(void* to, Codes codes) {
    vst1q_u8(static_cast<uint8_t*>(to), vreinterpretq_u8_u16(codes));
  }
  static Codes NoCodes() { return vdupq_n_u16(0); }
  static Codes UpperHalves(const float* x) {
    return finback::UpperHalves(vld1q_f32(x), vld1q_f32(x + 4));
  }
  static void StoreInterleaved(Bf16* to, Codes first, Codes second) {
    vst1q_u16(to, vzip1q_u16(first, second));
    vst1q_u16(to + 8, vzip2q_u16(first, second));
  }
  static void DecodeBlock(const uint8_t* code, int scale, Bf16* to) {
    const float32x4_t factor = vdupq_n_f32(BitsToFloat(static_cast<uint32_t>(scale + 8) << 23));
    for (int i = 0; i < 64; i += 16) {
      const uint8x16_t codes = vld1q_u8(code + i);
      vst1q_u16(to + i, DecodeE4m3(vget_low_u8(codes), factor));
      vst1q_u16(to + i + 8, DecodeE4m3(vget_high_u8(codes), factor));
    }
  }
  static void Transpose(Codes* r) {
    const auto pairs = [r](int i) { return vreinterpretq_u32_u16(r[i]); };
    const uint64x2_t a = vreinterpretq_u64_u32(vtrn1q_u32(pairs(0), pairs(1)));
    const uint64x2_t b = vreinterpretq_u64_u32(vtrn2q_u32(pairs(0), pairs(1)));
    const uint64x2_t c = vreinterpretq_u64_u32(vtrn1q_u32(pairs(2), pairs(3)));
    const uint64x2_t d = vreinterpretq_u64_u32(vtrn2q_u32(pairs(2), pairs(3)));
    r[0] = vreinterpretq_u16_u64(vtrn1q_u64(a, c));
    r[1] = vreinterpretq_u16_u64(vtrn1q_u64(b, d));
    r[2] = vreinterpretq_u16_u64(vtrn2q_u64(a, c));
    r[3] = vreinterpretq_u16_u64(vtrn2q_u64(b, d));
  }
};

}  // namespace

void PairProductNeon(const PairProductArgs& args) { PairProduct<Isa>(args); }

SoftmaxSums SoftmaxNeon(const SoftmaxArgs& args) { return Softmax<Isa>(args); }

void EntryCodesNeon(const EntryCodesArgs& args) { EntryCodes<Entries>(args); }

void KeysByChannelNeon(const ArrangeArgs& args) {
  KeysByChannel<Entries, KeysByChannelScalar>(args);
}

void KeysByKeyNeon(const ArrangeArgs& args) { KeysByKey<Entries>(args); }

void CodesInPlaceNeon(float* x, size_t n) { CodesInPlace<Entries>(x, n); }

void ScaleNeon(float* x, size_t n, float factor, float divisor) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    vst1q_f32(x + i, vdivq_f32(vmulq_n_f32(vld1q_f32(x + i), factor), vdupq_n_f32(divisor)));
  }
  ScaleScalar(x + i, n - i, factor, divisor);
}

}  // namespace finback

#endif  // __ARM_NEON
