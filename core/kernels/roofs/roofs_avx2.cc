// Roofs of AVX2 and FMA. Read: two cache lines a step, asked for 4 KB ahead; the limit is the bus,
// or what a core may have under way. Multiply: chains enough that latency does not show, on two
// ports a cycle: 12 of fused multiply-adds; 4 of bytes, a product of 32 pairs each in three
// instructions, since one that adds to its sum came later.
#include "core/kernels/roofs/roofs.h"

#if defined(__AVX2__)
#include <immintrin.h>

namespace finback {

uint64_t ReadRoofAvx2(const uint8_t* data, size_t bytes) {
  __m256i sum[4] = {};
  for (size_t i = 0; i + 128 <= bytes; i += 128) {
    _mm_prefetch(reinterpret_cast<const char*>(data + i + 4096), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(data + i + 4160), _MM_HINT_T0);
    for (int j = 0; j < 4; ++j) {
      const __m256i* at = reinterpret_cast<const __m256i*>(data + i + 32 * j);
      sum[j] = _mm256_xor_si256(sum[j], _mm256_load_si256(at));
    }
  }
  sum[0] = _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(sum[0], 0) ^ _mm256_extract_epi64(sum[0], 1) ^
                               _mm256_extract_epi64(sum[0], 2) ^ _mm256_extract_epi64(sum[0], 3));
}

double F32RoofAvx2(size_t rounds) {
  __m256 sum[12];
  for (int j = 0; j < 12; ++j) sum[j] = _mm256_set1_ps(static_cast<float>(j));
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) sum[j] = _mm256_fmadd_ps(sum[j], a, b);
  }
  double total = 0;
  for (int j = 0; j < 12; ++j) total += static_cast<double>(_mm256_cvtss_f32(sum[j]));
  return total;
}

double Int8RoofAvx2(size_t rounds) {
  __m256i sum[4] = {};
  __m256i a[4];
  for (int j = 0; j < 4; ++j) a[j] = _mm256_set1_epi8(static_cast<char>(j + 1));
  const __m256i b = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      __asm__ volatile("" : "+x"(a[j]));  // else it is computed once
      const __m256i pairs = _mm256_maddubs_epi16(a[j], b);
      sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(pairs, ones));
    }
  }
  double total = 0;
  for (int j = 0; j < 4; ++j) total += _mm256_extract_epi32(sum[j], 0);
  return total;
}

}  // namespace finback
#endif
