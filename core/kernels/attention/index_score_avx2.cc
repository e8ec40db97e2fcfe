// Index scores with AVX2: eight keys side by side (index_score_lanes.h).
//
//   keys     8 keys' packed bytes, of each 4 side by side; nibbles by look-up become
//            12 + 2 * value, 0 to 24
//   queries  nibbles become 2 * value, -12 to 12, once for a block of keys; the sum of a group
//            times 12 is taken off
//   step     per head and group 8 products of 4 x 8 bytes into 16-bit pairs (at most
//            8 * 2 * 24 * 12 = 4608), added; one widening, one conversion, two products with the
//            scales, one sum
//
// Limit: multiplications of bytes, two per cycle.
#include "core/kernels/attention/index_score_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__AVX2__)

#include <immintrin.h>
#include <string.h>

namespace finback {
namespace {

constexpr size_t kKeys = 8;                       // side by side
constexpr size_t kMaxWords = kMaxIndexWidth / 8;  // of 4 packed bytes

// One group of a head's query, as 8 times 4 bytes: even and odd channels of each packed word.
struct QueryGroup {
  int8_t word[4][2][4];
};

struct Queries {
  QueryGroup group[kHeadBlock][kMaxGroups];
  float scale[kHeadBlock][kMaxGroups];
  int32_t bias[kHeadBlock][kMaxGroups];  // 12 * the sum of a group
};

inline __m256i Nibbles(__m256i packed, __m256i table) {
  return _mm256_shuffle_epi8(table, _mm256_and_si256(packed, _mm256_set1_epi8(15)));
}

void ExpandQueries(const IndexScoreArgs& args, size_t first, size_t count, Queries* queries) {
  const size_t groups = args.width / kIndexGroup;
  for (size_t head = 0; head < count; ++head) {
    const uint8_t* q = args.q + (first + head) * args.q_stride;
    for (size_t group = 0; group < groups; ++group) {
      int8_t* to = &queries->group[head][group].word[0][0][0];
      int32_t sum = 0;
      for (size_t i = 0; i < 16; ++i) {
        const uint8_t packed = q[group * 16 + i];
        int8_t* word = to + i / 4 * 8 + i % 4;
        word[0] = kDoubledCode[packed & 15];
        word[4] = kDoubledCode[packed >> 4];
        sum += word[0] + word[4];
      }
      queries->bias[head][group] = 12 * sum;
      queries->scale[head][group] = E8m0ToFloat(q[args.width / 2 + group]) * 0.25f;
    }
  }
}

// Eight keys as steps read them.
struct Keys {
  __m256i word[kMaxWords][2];
  __m256 scale[kMaxGroups];
};

void ExpandKeys(const IndexScoreArgs& args, size_t first, Keys* keys) {
  const size_t words = args.width / 8;
  const uint8_t* key[kKeys];
  for (size_t i = 0; i < kKeys; ++i) key[i] = KeyAt(args, first + i);
  const __m256i offset = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  for (size_t word = 0; word < words; ++word) {
    int32_t packed[kKeys];
    for (size_t i = 0; i < kKeys; ++i) memcpy(packed + i, key[i] + 4 * word, sizeof packed[i]);
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed));
    keys->word[word][0] = Nibbles(v, offset);
    keys->word[word][1] = Nibbles(_mm256_srli_epi16(v, 4), offset);
  }
  for (size_t group = 0; group < args.width / kIndexGroup; ++group) {
    float scale[kKeys];
    for (size_t i = 0; i < kKeys; ++i) scale[i] = E8m0ToFloat(key[i][args.width / 2 + group]);
    keys->scale[group] = _mm256_loadu_ps(scale);
  }
}

inline __m256 RoundToBf16(__m256 v) {  // a NaN may become anything
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  return _mm256_castsi256_ps(
      _mm256_and_si256(rounded, _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}

inline __m256i Spread(const int8_t* four) {
  int32_t bits;
  memcpy(&bits, four, sizeof bits);
  return _mm256_set1_epi32(bits);
}

inline __m256 Dot(const Keys& keys, const Queries& queries, size_t head, size_t groups) {
  __m256 dot = _mm256_setzero_ps();
  for (size_t group = 0; group < groups; ++group) {
    const QueryGroup& q = queries.group[head][group];
    const __m256i* words = &keys.word[group * 4][0];
    __m256i pairs = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const __m256i products = _mm256_maddubs_epi16(words[i], Spread(q.word[i / 2][i % 2]));
      pairs = _mm256_add_epi16(pairs, products);
    }
    const __m256i sum = _mm256_sub_epi32(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)),
                                         _mm256_set1_epi32(queries.bias[head][group]));
    const __m256 scaled =
        _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(queries.scale[head][group]));
    dot = _mm256_add_ps(dot, _mm256_mul_ps(scaled, keys.scale[group]));
  }
  return dot;
}

struct Isa {
  using F = __m256;
  using Queries = finback::Queries;
  using Keys = finback::Keys;
  static constexpr size_t kKeys = finback::kKeys, kScores = 32;
  static constexpr int kScoreBits = 1;

  static F Load(const float* from) { return _mm256_loadu_ps(from); }
  static void Store(float* to, F v) { _mm256_storeu_ps(to, v); }
  static F Sum(F a, F b) { return _mm256_add_ps(a, b); }
  static F Weighted(F dot, const float* weight) {
    const F kept = _mm256_max_ps(RoundToBf16(dot), _mm256_setzero_ps());  // 0 for a NaN
    return RoundToBf16(_mm256_mul_ps(kept, _mm256_broadcast_ss(weight)));
  }
  static size_t CountAtLeast(const int16_t* score, size_t count, int16_t least) {
    return CountAtLeastAvx2(score, count, least);
  }
  static uint64_t NotBelow(const int16_t* score, int16_t least) {
    const __m256i bound = _mm256_set1_epi16(least);
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(score));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(score + 16));
    const __m256i lost =
        _mm256_packs_epi16(_mm256_cmpgt_epi16(bound, low), _mm256_cmpgt_epi16(bound, high));
    const __m256i ordered = _mm256_permute4x64_epi64(lost, 0xD8);
    return static_cast<uint32_t>(~_mm256_movemask_epi8(ordered));
  }
};

}  // namespace

void IndexScoreAvx2(const IndexScoreArgs& args) { IndexScore<Isa>(args); }

size_t CountAtLeastAvx2(const int16_t* score, size_t count, int16_t least) {
  constexpr size_t kBlock = 16 * 4 * 8192;  // 16-bit counts stay below 2^15
  if (least == INT16_MIN) return count;
  const __m256i below = _mm256_set1_epi16(static_cast<int16_t>(least - 1));
  size_t found = 0, i = 0;
  while (i + 64 <= count) {
    const size_t end = count - i < kBlock ? i + (count - i) / 64 * 64 : i + kBlock;
    __m256i sums[4] = {};
    for (; i < end; i += 64) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(score + i + 16 * j));
        sums[j] = _mm256_sub_epi16(sums[j], _mm256_cmpgt_epi16(v, below));
      }
    }
    int32_t lanes[8];
    __m256i wide = _mm256_setzero_si256();
    for (const __m256i& sum : sums) {
      wide = _mm256_add_epi32(wide, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), wide);
    for (const int32_t lane : lanes) found += static_cast<size_t>(lane);
  }
  return found + CountAtLeastScalar(score + i, count - i, least);
}

void TakeAtLeastAvx2(const int16_t* score, size_t count, const Threshold& what, int32_t* index) {
  TakeAtLeast<Isa>(score, count, what, index);
}

}  // namespace finback

#endif  // __AVX2__
