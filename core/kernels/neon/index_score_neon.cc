// Index scores with the NEON of every 64-bit ARM: four keys side by side
// (index_score_lanes.h).
//
//   codes    nibbles of 16 packed bytes become 2 * value, -12 to 12, by two look-ups: the even and
//            the odd channels of a group; queries once for a block of keys, keys once for all heads
//   step     per head, group and key 4 products of 8 bytes into 16-bit lanes (at most
//            4 * 144), one widening; 3 pairwise sums, one conversion, two products with the scales
//            and one sum for four keys
//
// Limit: multiplications of bytes.
#include "core/kernels/attention/index_score_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__ARM_NEON)

#include <arm_neon.h>
#include <string.h>

namespace finback {
namespace {

constexpr size_t kKeys = 4;  // side by side

struct Group {
  int8x16_t even, odd;
};

inline Group Expand(const uint8_t* packed) {
  const int8x16_t table = vld1q_s8(kDoubledCode);
  const uint8x16_t codes = vld1q_u8(packed);
  return {vqtbl1q_s8(table, vandq_u8(codes, vdupq_n_u8(15))),
          vqtbl1q_s8(table, vshrq_n_u8(codes, 4))};
}

struct Queries {
  Group group[kHeadBlock][kMaxGroups];
  float scale[kHeadBlock][kMaxGroups];
};

void ExpandQueries(const IndexScoreArgs& args, size_t first, size_t count, Queries* queries) {
  for (size_t head = 0; head < count; ++head) {
    const uint8_t* q = args.q + (first + head) * args.q_stride;
    for (size_t group = 0; group < args.width / kIndexGroup; ++group) {
      queries->group[head][group] = Expand(q + group * 16);
      queries->scale[head][group] = E8m0ToFloat(q[args.width / 2 + group]) * 0.25f;
    }
  }
}

struct Keys {
  Group group[kKeys][kMaxGroups];
  float32x4_t scale[kMaxGroups];  // of the four keys
};

void ExpandKeys(const IndexScoreArgs& args, size_t first, Keys* keys) {
  float scale[kMaxGroups][kKeys];
  for (size_t i = 0; i < kKeys; ++i) {
    const uint8_t* key = KeyAt(args, first + i);
    for (size_t group = 0; group < args.width / kIndexGroup; ++group) {
      keys->group[i][group] = Expand(key + group * 16);
      scale[group][i] = E8m0ToFloat(key[args.width / 2 + group]);
    }
  }
  for (size_t group = 0; group < args.width / kIndexGroup; ++group) {
    keys->scale[group] = vld1q_f32(scale[group]);
  }
}

inline int32x4_t Products(const Group& a, const Group& b) {
  int16x8_t sums = vmull_s8(vget_low_s8(a.even), vget_low_s8(b.even));
  sums = vmlal_high_s8(sums, a.even, b.even);
  sums = vmlal_s8(sums, vget_low_s8(a.odd), vget_low_s8(b.odd));
  return vpaddlq_s16(vmlal_high_s8(sums, a.odd, b.odd));
}

inline float32x4_t RoundToBf16(float32x4_t v) {  // a NaN may become anything
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd);
  return vreinterpretq_f32_u32(vandq_u32(rounded, vdupq_n_u32(0xFFFF0000u)));
}

inline float32x4_t Dot(const Keys& keys, const Queries& queries, size_t head, size_t groups) {
  float32x4_t dot = vdupq_n_f32(0.0f);
  for (size_t group = 0; group < groups; ++group) {
    const Group& q = queries.group[head][group];
    const int32x4_t first =
        vpaddq_s32(Products(q, keys.group[0][group]), Products(q, keys.group[1][group]));
    const int32x4_t second =
        vpaddq_s32(Products(q, keys.group[2][group]), Products(q, keys.group[3][group]));
    const float32x4_t sum = vcvtq_f32_s32(vpaddq_s32(first, second));
    const float32x4_t scaled = vmulq_n_f32(sum, queries.scale[head][group]);
    dot = vaddq_f32(dot, vmulq_f32(scaled, keys.scale[group]));
  }
  return dot;
}

// 0 for a NaN.
inline float32x4_t Positive(float32x4_t v) {
  const uint32x4_t above = vcgtq_f32(v, vdupq_n_f32(0.0f));
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), above));
}

struct Isa {
  using F = float32x4_t;
  using Queries = finback::Queries;
  using Keys = finback::Keys;
  static constexpr size_t kKeys = finback::kKeys, kScores = 16;
  static constexpr int kScoreBits = 4;

  static F Load(const float* from) { return vld1q_f32(from); }
  static void Store(float* to, F v) { vst1q_f32(to, v); }
  static F Sum(F a, F b) { return vaddq_f32(a, b); }
  static F Weighted(F dot, const float* weight) {
    return RoundToBf16(vmulq_n_f32(Positive(RoundToBf16(dot)), *weight));
  }
  static size_t CountAtLeast(const int16_t* score, size_t count, int16_t least) {
    return CountAtLeastNeon(score, count, least);
  }
  static uint64_t NotBelow(const int16_t* score, int16_t least) {
    const int16x8_t bound = vdupq_n_s16(least);
    const uint8x16_t kept = vcombine_u8(vmovn_u16(vcgeq_s16(vld1q_s16(score), bound)),
                                        vmovn_u16(vcgeq_s16(vld1q_s16(score + 8), bound)));
    const uint8x8_t halves = vshrn_n_u16(vreinterpretq_u16_u8(kept), 4);
    return vget_lane_u64(vreinterpret_u64_u8(halves), 0);
  }
};

}  // namespace

void IndexScoreNeon(const IndexScoreArgs& args) { IndexScore<Isa>(args); }

size_t CountAtLeastNeon(const int16_t* score, size_t count, int16_t least) {
  const int16x8_t wanted = vdupq_n_s16(least);
  size_t found = 0, i = 0;
  while (i + 8 <= count) {
    constexpr size_t kBlock = 8 * 65535;  // counts of a lane stay below 2^16
    const size_t end = count - i < kBlock ? i + (count - i) / 8 * 8 : i + kBlock;
    uint16x8_t sums = vdupq_n_u16(0);
    for (; i < end; i += 8) sums = vsubq_u16(sums, vcgeq_s16(vld1q_s16(score + i), wanted));
    found += vaddlvq_u16(sums);
  }
  return found + CountAtLeastScalar(score + i, count - i, least);
}

void TakeAtLeastNeon(const int16_t* score, size_t count, const Threshold& what, int32_t* index) {
  TakeAtLeast<Isa>(score, count, what, index);
}

}  // namespace finback

#endif  // __ARM_NEON
