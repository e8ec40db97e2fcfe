// What attention_lanes.h and entries_lanes.h ask of vectors, for AVX-512. For files compiled with
// its flags only.
#pragma once

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "core/base/number_formats.h"

namespace finback {
namespace {

struct Vector512 {
  static constexpr int kWidth = 16;
  using F = __m512;

  static F Zero() { return _mm512_setzero_ps(); }
  static F Set(float v) { return _mm512_set1_ps(v); }
  static F Load(const float* from) { return _mm512_loadu_ps(from); }
  static void Store(float* to, F v) { _mm512_storeu_ps(to, v); }
  static F Sum(F a, F b) { return _mm512_add_ps(a, b); }
  static F Difference(F a, F b) { return _mm512_sub_ps(a, b); }
  static F Product(F a, F b) { return _mm512_mul_ps(a, b); }
  static F Max(F a, F b) { return _mm512_max_ps(a, b); }  // b if either is NaN
  static __m512i SpreadBits(const Bf16* pair) {
    int bits;
    memcpy(&bits, pair, sizeof bits);
    return _mm512_set1_epi32(bits);
  }

  // 2^n, from n + round and round as exp.h adds them.
  static F PowerOfTwo(F rounded, F round) {
    const __m512i n = _mm512_sub_epi32(_mm512_castps_si512(rounded), _mm512_castps_si512(round));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }
  static F ZeroUnlessAtLeast(F v, F x, F lowest) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_GE_OQ), v);
  }
  static void StoreSixteenCodes(Bf16* to, const F* v) {  // finite values
    const __m512i bits = _mm512_castps_si512(v[0]);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  }
  static float Reduce(const F* sums) {
    const __m256 by8 =
        _mm256_add_ps(_mm512_castps512_ps256(sums[0]), _mm512_extractf32x8_ps(sums[0], 1));
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
  }
};

struct Entries512 {
  static constexpr size_t kChannels = 32;
  using Codes = __m512i;

  static Codes LoadCodes(const void* from) { return _mm512_loadu_si512(from); }
  static void StoreCodes(void* to, Codes codes) { _mm512_storeu_si512(to, codes); }
  static Codes NoCodes() { return _mm512_setzero_si512(); }
  static Codes UpperHalves(const float* x) {
    const __m512i upper =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(LoadCodes(x), upper, LoadCodes(x + 16));
  }
  static void StoreInterleaved(Bf16* to, Codes first, Codes second) {
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40,
                                         8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    StoreCodes(to, _mm512_permutex2var_epi16(first, low, second));
    StoreCodes(to + 32, _mm512_permutex2var_epi16(first, high, second));
  }
  static void Transpose(Codes* r) {
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
};

}  // namespace
}  // namespace finback
