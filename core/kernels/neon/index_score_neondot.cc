// Index scores with NEON's dot product, for keys of 128 channels whose scales lie within 2^3, as
// rotated keys' do; others go to NEON.
//
//   codes    nibbles by look-up become 2 * value, times 2 to the excess of the group's scale over
//            the least: -96 to 96
//   keys     sixteen, transposed by 4 bytes of a key, so that a place holds those of one
//   queries  once for all keys
//   step     4 heads x 16 keys: 4 loads of keys and one of each head's four words for 16 products
//            of 4 x 4 bytes; at the end of 32 steps one conversion, two roundings, maximum, product
//            and sum for 4 dots
//
// Dots stay below 2^21, so they are exact as float32 too. The least scales wait until the end: all
// that is done in between commutes with powers of two, since nothing leaves the normal numbers.
// Limit: sdot, one to four per cycle.
#include "core/kernels/attention/index_score.h"
#include "core/kernels/kernels.h"

#if defined(__ARM_FEATURE_DOTPROD)

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace finback {
namespace {

constexpr size_t kWidth = 128, kGroups = kWidth / kIndexGroup, kBytes = IndexKeyBytes(kWidth);
constexpr size_t kWords = 4;  // of a group: of 4 packed bytes each
constexpr size_t kPlaces = 4, kVectors = 4, kRows = 4;
constexpr size_t kKeys = kPlaces * kVectors;
constexpr size_t kHeads = 64;

struct Halves {
  int8x16_t half[2];  // even, odd channels
};

inline Halves Expand(const uint8_t* packed, int excess) {
  static const int8_t kDoubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const int8x16_t table = vld1q_s8(kDoubled), shift = vdupq_n_s8(static_cast<int8_t>(excess));
  const uint8x16_t codes = vld1q_u8(packed);
  return {vshlq_s8(vqtbl1q_s8(table, vandq_u8(codes, vdupq_n_u8(15))), shift),
          vshlq_s8(vqtbl1q_s8(table, vshrq_n_u8(codes, 4)), shift)};
}

inline float PowerOf(int scale) { return BitsToFloat(static_cast<uint32_t>(scale) << 23); }

struct Queries {
  Halves group[kHeads][kGroups];
  float weight[kHeads];  // times a quarter of the least scale
};

inline bool ExpandQueries(const IndexScoreArgs& args, Queries* queries) {
  for (size_t head = 0; head < args.heads; ++head) {
    const uint8_t* q = args.q + head * args.q_stride;
    const uint8_t* scale = q + kWidth / 2;
    const int least = LeastPlainScale(scale);
    if (least < 0 || !IsPlainWeight(args.weight[head])) return false;
    for (size_t group = 0; group < kGroups; ++group) {
      queries->group[head][group] = Expand(q + group * 16, scale[group] - least);
    }
    queries->weight[head] = args.weight[head] * (PowerOf(least) * 0.25f);
  }
  return true;
}

struct Keys {
  int8x16_t word[kGroups][2][kWords][kVectors];  // a place is a key
  float scale[kKeys];                            // the least of each
};

// Four rows of four words, transposed, as one vector of each word.
inline void StoreTransposed(const Halves* rows, int half, int8x16_t (*to)[kVectors],
                            size_t vector) {
  const auto words = [](int8x16_t v) { return vreinterpretq_s32_s8(v); };
  const auto pairs = [](int32x4_t v) { return vreinterpretq_s64_s32(v); };
  const auto bytes = [](int64x2_t v) { return vreinterpretq_s8_s64(v); };
  const int32x4_t a = words(rows[0].half[half]), b = words(rows[1].half[half]);
  const int32x4_t c = words(rows[2].half[half]), d = words(rows[3].half[half]);
  const int64x2_t even_ab = pairs(vtrn1q_s32(a, b)), odd_ab = pairs(vtrn2q_s32(a, b));
  const int64x2_t even_cd = pairs(vtrn1q_s32(c, d)), odd_cd = pairs(vtrn2q_s32(c, d));
  to[0][vector] = bytes(vtrn1q_s64(even_ab, even_cd));
  to[1][vector] = bytes(vtrn1q_s64(odd_ab, odd_cd));
  to[2][vector] = bytes(vtrn2q_s64(even_ab, even_cd));
  to[3][vector] = bytes(vtrn2q_s64(odd_ab, odd_cd));
}

// Missing keys repeat the last one. False: the scales of a key are not as they must be.
inline bool ArrangeKeys(const uint8_t* keys, size_t count, Keys* to) {
  for (size_t vector = 0; vector < kVectors; ++vector) {
    const uint8_t* key[kPlaces];
    int least[kPlaces];
    for (size_t place = 0; place < kPlaces; ++place) {
      const size_t i = vector * kPlaces + place;
      key[place] = keys + (i < count ? i : count - 1) * kBytes;
      least[place] = LeastPlainScale(key[place] + kWidth / 2);
      if (least[place] < 0) return false;
      to->scale[i] = PowerOf(least[place]);
    }
    for (size_t group = 0; group < kGroups; ++group) {
      Halves rows[kPlaces];
      for (size_t place = 0; place < kPlaces; ++place) {
        const int excess = key[place][kWidth / 2 + group] - least[place];
        rows[place] = Expand(key[place] + group * 16, excess);
      }
      for (int half = 0; half < 2; ++half) {
        StoreTransposed(rows, half, to->word[group][half], vector);
      }
    }
  }
  return true;
}

inline float32x4_t RoundToBf16(float32x4_t v) {  // finite
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd);
  return vreinterpretq_f32_u32(vandq_u32(rounded, vdupq_n_u32(0xFFFF0000u)));
}

// One word of R heads with that of all keys.
template <int R, int kWord>
inline void AddWord(const int8x16_t* keys, const int8x16_t* q, int32x4_t* dots) {
#pragma GCC unroll 4
  for (size_t v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      dots[r * kVectors + v] = vdotq_laneq_s32(dots[r * kVectors + v], keys[v], q[r], kWord);
    }
  }
}

// Adds what R heads give the keys.
template <int R>
inline void AddHeads(const Keys& keys, const Queries& queries, size_t head, float32x4_t* sums) {
  int32x4_t dots[R * kVectors];
#pragma GCC unroll 16
  for (size_t i = 0; i < R * kVectors; ++i) dots[i] = vdupq_n_s32(0);
  for (size_t group = 0; group < kGroups; ++group) {
#pragma GCC unroll 1  // or gcc runs out of registers
    for (int half = 0; half < 2; ++half) {
      const auto& word = keys.word[group][half];
      int8x16_t q[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) q[r] = queries.group[head + r][group].half[half];
      AddWord<R, 0>(word[0], q, dots);
      AddWord<R, 1>(word[1], q, dots);
      AddWord<R, 2>(word[2], q, dots);
      AddWord<R, 3>(word[3], q, dots);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      const int32x4_t kept = vmaxq_s32(dots[r * kVectors + v], vdupq_n_s32(0));
      const float32x4_t rounded = RoundToBf16(vcvtq_f32_s32(kept));
      sums[v] = vaddq_f32(sums[v], RoundToBf16(vmulq_n_f32(rounded, queries.weight[head + r])));
    }
  }
}

}  // namespace

void IndexScoreNeonDot(const IndexScoreArgs& args) {
  Queries queries;
  if (args.width != kWidth || args.heads > kHeads || !ExpandQueries(args, &queries)) {
    IndexScoreNeon(args);
    return;
  }
  for (size_t first = 0; first < args.count; first += kKeys) {
    const size_t count = args.count - first < kKeys ? args.count - first : kKeys;
    const uint8_t* at = args.keys + first * kBytes;
    Keys keys;
    if (!ArrangeKeys(at, count, &keys)) {
      IndexScoreArgs part = args;
      part.keys = at;
      part.count = count;
      part.score = args.score + first;
      IndexScoreNeon(part);
      continue;
    }
    float32x4_t sums[kVectors];
    for (float32x4_t& sum : sums) sum = vdupq_n_f32(0.0f);
    size_t head = 0;
    for (; head + kRows <= args.heads; head += kRows) AddHeads<kRows>(keys, queries, head, sums);
    for (; head < args.heads; ++head) AddHeads<1>(keys, queries, head, sums);
    float total[kKeys];
    for (size_t v = 0; v < kVectors; ++v) {
      vst1q_f32(total + v * kPlaces, vmulq_f32(sums[v], vld1q_f32(keys.scale + v * kPlaces)));
    }
    for (size_t i = 0; i < count; ++i) args.score[first + i] = ScoreCode(FloatToBf16(total[i]));
  }
}

}  // namespace finback

#endif  // __ARM_FEATURE_DOTPROD
