// The 16 partial sums of gemm.h in two AVX2 registers, and blocks of dot products on them. For
// files compiled with AVX2 flags only.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

namespace finback {

constexpr size_t kLanes = 16;
constexpr size_t kStep = 2 * kLanes;  // of k: every sum takes an odd one, then an even one

// The odd and the even ones of 16 floats. Both stand in the order of sums 0,1,4,5 | 2,3,6,7: what
// one shuffle gives.
static inline void SplitPairs(const float* x, __m256* odd, __m256* even) {
  const __m256 low = _mm256_loadu_ps(x), high = _mm256_loadu_ps(x + 8);
  *odd = _mm256_shuffle_ps(low, high, 0xDD);
  *even = _mm256_shuffle_ps(low, high, 0x88);
}

// Brings SplitPairs' order into the natural one.
static inline __m256 Ordered(__m256 split) {
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(split), 0xD8));
}

// l + (l+8) for all l < 8, in their natural order: what is left is +4, +2, +1.
static inline float ReduceBy8(__m256 by8) {
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}

// The same for eight dots at once.
static inline __m256 ReduceEight(const __m256* by8) {
  __m256 by4[4];  // [dot i | dot i+4], 4 sums each
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    by4[i] = _mm256_add_ps(_mm256_permute2f128_ps(by8[i], by8[i + 4], 0x20),
                           _mm256_permute2f128_ps(by8[i], by8[i + 4], 0x31));
  }
  const __m256 by2_01 = _mm256_add_ps(_mm256_shuffle_ps(by4[0], by4[1], 0x44),
                                      _mm256_shuffle_ps(by4[0], by4[1], 0xEE));
  const __m256 by2_23 = _mm256_add_ps(_mm256_shuffle_ps(by4[2], by4[3], 0x44),
                                      _mm256_shuffle_ps(by4[2], by4[3], 0xEE));
  return _mm256_add_ps(_mm256_shuffle_ps(by2_01, by2_23, 0x88),
                       _mm256_shuffle_ps(by2_01, by2_23, 0xDD));
}

// Adds n (a multiple of 32) products of R rows of x and O rows of w to
// sums[(r * O + o) * 2 + half], in SplitPairs' order.
template <int R, int O>
static inline void AccumulateBlock(const float* x, size_t x_stride, const float* w, size_t w_stride,
                                   size_t n, __m256* sums) {
  for (size_t k = 0; k < n; k += kStep) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m256 odd[O], even[O];
#pragma GCC unroll 4
      for (int o = 0; o < O; ++o) {
        SplitPairs(w + o * w_stride + k + half * 16, odd + o, even + o);
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        __m256 x_odd, x_even;
        SplitPairs(x + r * x_stride + k + half * 16, &x_odd, &x_even);
#pragma GCC unroll 4
        for (int o = 0; o < O; ++o) {
          __m256& sum = sums[(r * O + o) * 2 + half];
          sum = _mm256_fmadd_ps(x_even, even[o], _mm256_fmadd_ps(x_odd, odd[o], sum));
        }
      }
    }
  }
}

// The same for n < 32 products: rows are copied and padded with zeros, nothing beyond them is read.
template <int R, int O>
static inline void AccumulateTail(const float* x, size_t x_stride, const float* w, size_t w_stride,
                                  size_t n, __m256* sums) {
  alignas(32) float x_tail[R * kStep] = {};
  alignas(32) float w_tail[O * kStep] = {};
  for (int r = 0; r < R; ++r) memcpy(x_tail + r * kStep, x + r * x_stride, n * sizeof(float));
  for (int o = 0; o < O; ++o) memcpy(w_tail + o * kStep, w + o * w_stride, n * sizeof(float));
  AccumulateBlock<R, O>(x_tail, kStep, w_tail, kStep, kStep, sums);
}

}  // namespace finback
