// Index scores with AVX-512 VNNI, for keys of 128 channels whose scales lie within 2^3, as rotated
// keys' do; others go to AVX2. For files compiled with its flags only.
//
//   queries  bytes of 2 * value, times 2 to the excess of the group's scale over the least: -96 to
//            96
//   keys     the same of 16 keys, transposed by 4, so that a place holds 4 bytes of one key, and
//            plus 96: 0 to 192; what that adds to a dot, 96 times the sum of the query, is where
//            its sum begins
//   step     4 heads x 64 keys: 4 loads of keys, 4 broadcasts, 16 products of 16 x 4 bytes; at the
//            end of 32 steps the dots are put aside, to be added to sums between the next steps
//
// Dots stay below 2^21, so they are exact as float32 too. The least scales wait until the end: all
// that is done in between commutes with powers of two.
//
// A struct Isa says
//   Expand   the even and the odd codes of 64 packed bytes, as bytes of 2 * value * 2^excess plus
//            `shift`
//   kHeads   whose dots it takes at once
//   Add      dots [kHeads][kTiles], each rounded, times the heads' weights, rounded, to the sums
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/attention/index_score.h"
#include "core/kernels/attention/vector_avx512.h"
#include "core/kernels/kernels.h"

namespace finback {
namespace {

constexpr size_t kWidth = 128, kGroups = 4, kWords = 16, kBytes = 68;
constexpr size_t kKeys = 16, kTiles = 4, kRows = 4;
constexpr size_t kHeadBlock = 64;
constexpr char kShift = 96;  // 12 << kMostExcess

inline float PowerOf(int scale) { return BitsToFloat(static_cast<uint32_t>(scale) << 23); }

struct Queries {
  int32_t word[kHeadBlock][2][kWords];
  int32_t begin[kHeadBlock];  // of a dot
  float weight[kHeadBlock];   // times a quarter of the least scale
};

// False: the scales of a head differ too much, or it leaves the normal numbers.
template <typename Isa>
inline bool ExpandQueries(const IndexScoreArgs& args, size_t first, size_t count,
                          Queries* queries) {
  for (size_t head = 0; head < count; ++head) {
    const uint8_t* q = args.q + (first + head) * args.q_stride;
    const uint8_t* scale = q + kWidth / 2;
    const int least = LeastPlainScale(scale);
    if (least < 0 || !IsPlainWeight(args.weight[first + head])) return false;
    int32_t excess[kWords];
    for (size_t word = 0; word < kWords; ++word) excess[word] = scale[word / 4] - least;
    __m512i words[2];
    Isa::template Expand<0>(_mm512_loadu_si512(q), _mm512_loadu_si512(excess), words);
    _mm512_storeu_si512(queries->word[head][0], words[0]);
    _mm512_storeu_si512(queries->word[head][1], words[1]);
    const __m512i shift = _mm512_set1_epi8(kShift);
    const __m512i added = _mm512_dpbusd_epi32(
        _mm512_dpbusd_epi32(_mm512_setzero_si512(), shift, words[0]), shift, words[1]);
    queries->begin[head] = -_mm512_reduce_add_epi32(added);
    queries->weight[head] = args.weight[first + head] * (PowerOf(least) * 0.25f);
  }
  memset(queries->word + count, 0, (kHeadBlock - count) * sizeof queries->word[0]);
  memset(queries->begin + count, 0, (kHeadBlock - count) * sizeof queries->begin[0]);
  memset(queries->weight + count, 0, (kHeadBlock - count) * sizeof queries->weight[0]);
  return true;
}

// Sixteen keys as steps read them.
struct Keys {
  __m512i word[kWords][2];
  __m512 scale;  // the least of each key
};

// False: the scales of a key differ too much. Missing keys repeat the last one. Asks for those of
// the next step.
template <typename Isa>
inline bool ArrangeKeys(const uint8_t* keys, size_t count, Keys* to) {
  __m512i rows[kKeys];
  int32_t scales[kKeys];
#pragma GCC unroll 17
  for (size_t i = 0; i < kKeys * kBytes; i += 64) {  // gcc 12 drops loops of _mm_prefetch
    __asm__ volatile("prefetcht0 (%0)" : : "r"(keys + kKeys * kTiles * kBytes + i));
  }
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
      _mm512_cmplt_epi32_mask(least, _mm512_set1_epi32(kLeastPlainScale)) != 0 ||
      _mm512_cmpgt_epi32_mask(most, _mm512_set1_epi32(kMostPlainScale)) != 0) {
    return false;
  }
  Entries512::Transpose(rows);
#pragma GCC unroll 4
  for (size_t group = 0; group < kGroups; ++group) {
    const __m512i of_group = _mm512_sub_epi32(scale[group], least);
#pragma GCC unroll 4
    for (size_t word = group * 4; word < group * 4 + 4; ++word) {
      Isa::template Expand<kShift>(rows[word], of_group, to->word[word]);
    }
  }
  to->scale = _mm512_castsi512_ps(_mm512_slli_epi32(least, 23));
  return true;
}

inline __m512i RoundedBits(__m512 v) {  // a NaN may become anything
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
}
// sum += products, in place: gcc 12 moves each sum to another register and back.
inline void AddProducts(__m512i& sum, __m512i key, __m512i q) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(key), "v"(q));
}

// The dots of kRows heads from `head` on with all tiles of keys, in `dots`. Between its steps what
// `dots` held, those of the heads before if `add`, is added to the sums.
template <typename Isa, bool add>
__attribute__((noinline)) void DotHeads(const Keys* keys, const Queries& queries, size_t head,
                                        __m512i* dots, __m512* sums) {
  constexpr size_t kParts = kRows / Isa::kHeads, kPartWords = kWords / kParts;
  __m512i dot[kRows * kTiles];
  __m512 sum[kTiles];
#pragma GCC unroll 4
  for (size_t tile = 0; tile < kTiles; ++tile) sum[tile] = sums[tile];
#pragma GCC unroll 16
  for (size_t i = 0; i < kRows * kTiles; ++i) {
    dot[i] = _mm512_set1_epi32(queries.begin[head + i / kTiles]);
  }
  for (size_t part = 0; part < kParts; ++part) {
#pragma GCC unroll 4
    for (size_t word = part * kPartWords; word < (part + 1) * kPartWords; ++word) {
#pragma GCC unroll 2
      for (size_t half = 0; half < 2; ++half) {
        __m512i key[kTiles];
#pragma GCC unroll 4
        for (size_t tile = 0; tile < kTiles; ++tile) key[tile] = keys[tile].word[word][half];
#pragma GCC unroll 4
        for (size_t r = 0; r < kRows; ++r) {
          const __m512i q = _mm512_set1_epi32(queries.word[head + r][half][word]);
#pragma GCC unroll 4
          for (size_t tile = 0; tile < kTiles; ++tile) {
            AddProducts(dot[r * kTiles + tile], key[tile], q);
          }
        }
      }
    }
    const size_t of = part * Isa::kHeads;
    if (add) Isa::Add(dots + of * kTiles, queries.weight + head - kRows + of, sum);
  }
#pragma GCC unroll 16
  for (size_t i = 0; i < kRows * kTiles; ++i) dots[i] = dot[i];
#pragma GCC unroll 4
  for (size_t tile = 0; tile < kTiles; ++tile) sums[tile] = sum[tile];
}

// The sums of all heads.
template <typename Isa>
__attribute__((noinline)) void AddHeads(const Keys* keys, const Queries& queries, size_t heads,
                                        __m512* sums) {
  __m512i dots[kRows * kTiles];
  for (size_t tile = 0; tile < kTiles; ++tile) sums[tile] = _mm512_setzero_ps();
  DotHeads<Isa, false>(keys, queries, 0, dots, sums);
  size_t head = kRows;
  for (; head < heads; head += kRows) DotHeads<Isa, true>(keys, queries, head, dots, sums);
  for (size_t i = 0; i < kRows; i += Isa::kHeads) {
    Isa::Add(dots + i * kTiles, queries.weight + head - kRows + i, sums);
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

template <typename Isa>
inline void IndexScore(const IndexScoreArgs& args) {
  constexpr size_t kStep = kKeys * kTiles;
  Queries queries;
  if (args.width != kWidth || args.heads > kHeadBlock ||
      !ExpandQueries<Isa>(args, 0, args.heads, &queries)) {
    IndexScoreAvx2(args);
    return;
  }
  for (size_t first = 0; first < args.count; first += kStep) {
    const size_t count = args.count - first < kStep ? args.count - first : kStep;
    const uint8_t* at = args.keys + first * kBytes;
    Keys keys[kTiles];
    bool arranged = true;
    for (size_t tile = 0; tile < kTiles && arranged; ++tile) {
      const size_t begin = tile * kKeys < count ? tile * kKeys : count - 1;
      const size_t left = count - begin;
      arranged = ArrangeKeys<Isa>(at + begin * kBytes, left < kKeys ? left : kKeys, keys + tile);
    }
    if (!arranged) {
      IndexScoreArgs part = args;
      part.keys = at;
      part.count = count;
      part.score = args.score + first;
      IndexScoreAvx2(part);
      continue;
    }
    __m512 sums[kTiles];
    AddHeads<Isa>(keys, queries, args.heads, sums);
    for (size_t begin = 0; begin < count; begin += kKeys) {
      const size_t tile = begin / kKeys, left = count - begin;
      StoreCodes(_mm512_mul_ps(sums[tile], keys[tile].scale), left < kKeys ? left : kKeys,
                 args.score + first + begin);
    }
  }
}

}  // namespace
}  // namespace finback
