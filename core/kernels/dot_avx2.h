// The 16 partial sums of gemm.h in two AVX2 registers, and blocks of dot products on them. For
// files compiled with AVX2 flags only.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

namespace finback {

constexpr size_t kLanes = 16;

// l + (l+8), then +4, +2, +1.
static inline float ReduceLanes(__m256 low, __m256 high) {
  const __m256 by8 = _mm256_add_ps(low, high);
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}

// The same for eight dots at once; sums[i] is dot i's l + (l+8).
static inline __m256 ReduceEight(const __m256* sums) {
  __m256 by4[4];  // [dot i | dot i+4], 4 sums each
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    by4[i] = _mm256_add_ps(_mm256_permute2f128_ps(sums[i], sums[i + 4], 0x20),
                           _mm256_permute2f128_ps(sums[i], sums[i + 4], 0x31));
  }
  const __m256 by2_01 = _mm256_add_ps(_mm256_shuffle_ps(by4[0], by4[1], 0x44),
                                      _mm256_shuffle_ps(by4[0], by4[1], 0xEE));
  const __m256 by2_23 = _mm256_add_ps(_mm256_shuffle_ps(by4[2], by4[3], 0x44),
                                      _mm256_shuffle_ps(by4[2], by4[3], 0xEE));
  return _mm256_add_ps(_mm256_shuffle_ps(by2_01, by2_23, 0x88),
                       _mm256_shuffle_ps(by2_01, by2_23, 0xDD));
}

// Adds n (a multiple of 16) products of R rows of x and O rows of w to
// sums[(r * O + o) * 2 + half].
template <int R, int O>
static inline void AccumulateBlock(const float* x, size_t x_stride, const float* w, size_t w_stride,
                                   size_t n, __m256* sums) {
  for (size_t k = 0; k < n; k += kLanes) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m256 wv[O];
#pragma GCC unroll 4
      for (int o = 0; o < O; ++o) wv[o] = _mm256_loadu_ps(w + o * w_stride + k + half * 8);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        __m256 xv = _mm256_loadu_ps(x + r * x_stride + k + half * 8);
        // Loads are what limits: this one must not be folded into each of its O users.
        if (O > 1) __asm__("" : "+x"(xv));
#pragma GCC unroll 4
        for (int o = 0; o < O; ++o) {
          sums[(r * O + o) * 2 + half] = _mm256_fmadd_ps(xv, wv[o], sums[(r * O + o) * 2 + half]);
        }
      }
    }
  }
}

// The same for n < 16 products: rows are copied and padded with zeros, nothing beyond them is read.
template <int R, int O>
static inline void AccumulateTail(const float* x, size_t x_stride, const float* w, size_t w_stride,
                                  size_t n, __m256* sums) {
  alignas(32) float x_tail[R * kLanes] = {};
  alignas(32) float w_tail[O * kLanes] = {};
  for (int r = 0; r < R; ++r) memcpy(x_tail + r * kLanes, x + r * x_stride, n * sizeof(float));
  for (int o = 0; o < O; ++o) memcpy(w_tail + o * kLanes, w + o * w_stride, n * sizeof(float));
  AccumulateBlock<R, O>(x_tail, kLanes, w_tail, kLanes, kLanes, sums);
}

}  // namespace finback
