// Index scores with AVX-512 VNNI, for keys of 128 channels whose scales lie within 2^3, as rotated
// keys' do; others go to AVX2.
//
//   keys     16 keys' packed bytes transposed by 4, so that a place holds 4 bytes of one key;
//            nibbles by look-up become 2 * value, times 2 to the excess of the group's scale over
//            the least: -96 to 96
//   queries  the same, plus 96: 0 to 192; what that adds to a dot, 96 times the sum of the key, is
//            where its sum begins
//   step     4 heads x 32 keys: 2 loads of keys, 4 broadcasts, 8 products of 16 x 4 bytes; at the
//            end of 32 steps one conversion, two roundings, maximum, product and sum for 16 dots
//
// Dots stay below 2^21, so they are exact as float32 too. The least scales wait until the end: all
// that is done in between commutes with powers of two.
// Limit: vpdpbusd, one or two per cycle.
#include "core/kernels/attention/index_score.h"
#include "core/kernels/kernels.h"

#if defined(__AVX512VNNI__)

#include <immintrin.h>
#include <string.h>

namespace finback {
namespace {

constexpr size_t kWidth = 128, kGroups = 4, kWords = 16, kBytes = 68;
constexpr size_t kKeys = 16, kTiles = 2, kRows = 4;
constexpr size_t kHeadBlock = 64;
constexpr int kMostExcess = 3, kLeastScale = 40, kMostScale = 200;
constexpr char kShift = 96;  // 12 << kMostExcess

// Bytes of two times the values of nibbles, times 2^excess by 4 bytes.
inline __m512i Expand(__m512i nibbles, __m512i excess) {
  const __m512i doubled =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, 1, 2, 3, 4, 6, 8, 12));
  const __m512i magnitude = _mm512_sllv_epi32(_mm512_shuffle_epi8(doubled, nibbles), excess);
  const __mmask64 negative = _mm512_test_epi8_mask(nibbles, _mm512_set1_epi8(8));
  return _mm512_mask_sub_epi8(magnitude, negative, _mm512_setzero_si512(), magnitude);
}
inline __m512i Even(__m512i packed) { return _mm512_and_si512(packed, _mm512_set1_epi8(15)); }
inline __m512i Odd(__m512i packed) {
  return _mm512_and_si512(_mm512_srli_epi16(packed, 4), _mm512_set1_epi8(15));
}

inline float PowerOf(int scale) { return BitsToFloat(static_cast<uint32_t>(scale) << 23); }

struct Queries {
  int32_t word[kHeadBlock][2][kWords];
  float weight[kHeadBlock];  // times a quarter of the least scale
};

// False: the scales of a head differ too much.
inline bool ExpandQueries(const IndexScoreArgs& args, size_t first, size_t count,
                          Queries* queries) {
  for (size_t head = 0; head < count; ++head) {
    const uint8_t* q = args.q + (first + head) * args.q_stride;
    const uint8_t* scale = q + kWidth / 2;
    int least = 255, most = 0;
    for (size_t group = 0; group < kGroups; ++group) {
      least = scale[group] < least ? scale[group] : least;
      most = scale[group] > most ? scale[group] : most;
    }
    if (most - least > kMostExcess || least < kLeastScale || most > kMostScale) return false;
    int32_t excess[kWords];
    for (size_t word = 0; word < kWords; ++word) excess[word] = scale[word / 4] - least;
    const __m512i excesses = _mm512_loadu_si512(excess), packed = _mm512_loadu_si512(q);
    const __m512i shift = _mm512_set1_epi8(kShift);
    _mm512_storeu_si512(queries->word[head][0],
                        _mm512_add_epi8(Expand(Even(packed), excesses), shift));
    _mm512_storeu_si512(queries->word[head][1],
                        _mm512_add_epi8(Expand(Odd(packed), excesses), shift));
    queries->weight[head] = args.weight[first + head] * (PowerOf(least) * 0.25f);
  }
  return true;
}

// Sixteen rows of sixteen 32-bit values, transposed.
inline void Transpose(__m512i* r) {
  __m512i a[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {  // column 4 * quarter + j of rows i .. i + 3 in r[i + j]
    r[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    a[j] = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);
    a[4 + j] = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xDD);
    a[8 + j] = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
    a[12 + j] = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xDD);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    r[j] = _mm512_shuffle_i32x4(a[j], a[8 + j], 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(a[j], a[8 + j], 0xDD);
    r[4 + j] = _mm512_shuffle_i32x4(a[4 + j], a[12 + j], 0x88);
    r[12 + j] = _mm512_shuffle_i32x4(a[4 + j], a[12 + j], 0xDD);
  }
}

// Sixteen keys as steps read them.
struct Keys {
  __m512i word[kWords][2];
  __m512i begin;  // of a dot
  __m512 scale;   // the least of each key
};

// False: the scales of a key differ too much. Missing keys repeat the last one.
inline bool ArrangeKeys(const uint8_t* keys, size_t count, Keys* to) {
  __m512i rows[kKeys];
  int32_t scales[kKeys];
#pragma GCC unroll 16
  for (size_t i = 0; i < kKeys; ++i) {
    const uint8_t* key = keys + (i < count ? i : count - 1) * kBytes;
    rows[i] = _mm512_loadu_si512(key);
    memcpy(scales + i, key + kWidth / 2, sizeof scales[i]);
  }
  const __m512i all = _mm512_loadu_si512(scales), byte = _mm512_set1_epi32(255);
  __m512i scale[kGroups];
  scale[0] = _mm512_and_si512(all, byte);
  scale[1] = _mm512_and_si512(_mm512_srli_epi32(all, 8), byte);
  scale[2] = _mm512_and_si512(_mm512_srli_epi32(all, 16), byte);
  scale[3] = _mm512_srli_epi32(all, 24);
  const __m512i least =
      _mm512_min_epi32(_mm512_min_epi32(scale[0], scale[1]), _mm512_min_epi32(scale[2], scale[3]));
  const __m512i most =
      _mm512_max_epi32(_mm512_max_epi32(scale[0], scale[1]), _mm512_max_epi32(scale[2], scale[3]));
  const __m512i excess = _mm512_sub_epi32(most, least);
  if (_mm512_cmpgt_epi32_mask(excess, _mm512_set1_epi32(kMostExcess)) != 0 ||
      _mm512_cmplt_epi32_mask(least, _mm512_set1_epi32(kLeastScale)) != 0 ||
      _mm512_cmpgt_epi32_mask(most, _mm512_set1_epi32(kMostScale)) != 0) {
    return false;
  }
  Transpose(rows);
  const __m512i shift = _mm512_set1_epi8(kShift);
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
#pragma GCC unroll 4
  for (size_t group = 0; group < kGroups; ++group) {
    const __m512i of_group = _mm512_sub_epi32(scale[group], least);
#pragma GCC unroll 4
    for (size_t word = group * 4; word < group * 4 + 4; ++word) {
      to->word[word][0] = Expand(Even(rows[word]), of_group);
      to->word[word][1] = Expand(Odd(rows[word]), of_group);
      sums[0] = _mm512_dpbusd_epi32(sums[0], shift, to->word[word][0]);
      sums[1] = _mm512_dpbusd_epi32(sums[1], shift, to->word[word][1]);
    }
  }
  to->begin = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_add_epi32(sums[0], sums[1]));
  to->scale = _mm512_castsi512_ps(_mm512_slli_epi32(least, 23));
  return true;
}

inline __m512i RoundedBits(__m512 v) {  // a NaN may become anything
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
}
inline __m512 RoundToBf16(__m512 v) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
  return _mm512_castsi512_ps(_mm512_and_si512(RoundedBits(v), upper));
}

// Adds what R heads give two tiles of keys.
template <size_t R>
inline void AddHeads(const Keys* keys, const Queries& queries, size_t head, __m512* sums) {
  __m512i dots[R * kTiles];
#pragma GCC unroll 8
  for (size_t i = 0; i < R * kTiles; ++i) dots[i] = keys[i % kTiles].begin;
  for (size_t word = 0; word < kWords; ++word) {
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; ++half) {
      const __m512i first = keys[0].word[word][half], second = keys[1].word[word][half];
#pragma GCC unroll 4
      for (size_t r = 0; r < R; ++r) {
        const __m512i q = _mm512_set1_epi32(queries.word[head + r][half][word]);
        dots[r * kTiles] = _mm512_dpbusd_epi32(dots[r * kTiles], q, first);
        dots[r * kTiles + 1] = _mm512_dpbusd_epi32(dots[r * kTiles + 1], q, second);
      }
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < R; ++r) {
    const __m512 weight = _mm512_set1_ps(queries.weight[head + r]);
#pragma GCC unroll 2
    for (size_t tile = 0; tile < kTiles; ++tile) {
      const __m512i kept = _mm512_max_epi32(dots[r * kTiles + tile], _mm512_setzero_si512());
      const __m512 product = _mm512_mul_ps(RoundToBf16(_mm512_cvtepi32_ps(kept)), weight);
      sums[tile] = _mm512_add_ps(sums[tile], RoundToBf16(product));
    }
  }
}

inline void StoreCodes(__m512 sum, size_t count, int16_t* score) {
  const __m512i code = _mm512_srli_epi32(RoundedBits(sum), 16);
  const __mmask16 negative = _mm512_test_epi32_mask(code, _mm512_set1_epi32(0x8000));
  const __mmask16 zero = _mm512_cmpeq_epi32_mask(code, _mm512_set1_epi32(0x8000));
  const __mmask16 lost = _mm512_cmp_ps_mask(sum, sum, _CMP_UNORD_Q);
  __m512i ordered = _mm512_mask_xor_epi32(code, negative, code, _mm512_set1_epi32(0x7FFF));
  ordered = _mm512_mask_mov_epi32(ordered, zero, _mm512_setzero_si512());
  ordered = _mm512_mask_mov_epi32(ordered, lost, _mm512_set1_epi32(kLowestScore));
  alignas(32) int16_t codes[kKeys];
  _mm256_store_si256(reinterpret_cast<__m256i*>(codes), _mm512_cvtepi32_epi16(ordered));
  memcpy(score, codes, count * sizeof codes[0]);
}

}  // namespace

void IndexScoreAvx512(const IndexScoreArgs& args) {
  Queries queries;
  if (args.width != kWidth || args.heads > kHeadBlock ||
      !ExpandQueries(args, 0, args.heads, &queries)) {
    IndexScoreAvx2(args);
    return;
  }
  constexpr size_t kStep = kKeys * kTiles;
  for (size_t first = 0; first < args.count; first += kStep) {
    const size_t count = args.count - first < kStep ? args.count - first : kStep;
    const size_t in_first = count < kKeys ? count : kKeys, in_second = count - in_first;
    const uint8_t* at = args.keys + first * kBytes;
    Keys keys[kTiles];
    if (!ArrangeKeys(at, in_first, keys) ||
        (in_second != 0 && !ArrangeKeys(at + kKeys * kBytes, in_second, keys + 1))) {
      IndexScoreArgs part = args;
      part.keys = at;
      part.count = count;
      part.score = args.score + first;
      IndexScoreAvx2(part);
      continue;
    }
    if (in_second == 0) keys[1] = keys[0];
    __m512 sums[kTiles] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    size_t head = 0;
    for (; head + kRows <= args.heads; head += kRows) AddHeads<kRows>(keys, queries, head, sums);
    for (; head < args.heads; ++head) AddHeads<1>(keys, queries, head, sums);
    StoreCodes(_mm512_mul_ps(sums[0], keys[0].scale), in_first, args.score + first);
    if (in_second == 0) break;
    StoreCodes(_mm512_mul_ps(sums[1], keys[1].scale), in_second, args.score + first + kKeys);
  }
}

}  // namespace finback

#endif  // __AVX512VNNI__
