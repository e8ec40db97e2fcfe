// Roofs of AVX-512 with VNNI. Read: four cache lines a step, asked for 4 KB ahead; the limit is the
// bus, or what a core may have under way. Multiply: 16 chains, more than the latency of 4 or 5
// cycles times 2 ports: fused multiply-adds of 16, and sums of the products of 64 bytes.
#include "core/kernels/roofs/roofs.h"

#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#include <immintrin.h>

namespace finback {

uint64_t ReadRoofAvx512(const uint8_t* data, size_t bytes) {
  __m512i sum[4] = {};
  for (size_t i = 0; i + 256 <= bytes; i += 256) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      _mm_prefetch(reinterpret_cast<const char*>(data + i + 64 * j + 4096), _MM_HINT_T0);
      sum[j] = _mm512_xor_si512(sum[j], _mm512_load_si512(data + i + 64 * j));
    }
  }
  sum[0] = _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]), _mm512_xor_si512(sum[2], sum[3]));
  uint64_t words[8];
  _mm512_storeu_si512(words, sum[0]);
  return (words[0] ^ words[1]) ^ (words[2] ^ words[3]) ^ (words[4] ^ words[5]) ^
         (words[6] ^ words[7]);
}

double F32RoofAvx512(size_t rounds) {
  __m512 sum[16];
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) sum[j] = _mm512_set1_ps(static_cast<float>(j));
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) sum[j] = _mm512_fmadd_ps(sum[j], a, b);
  }
  double total = 0;
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) total += static_cast<double>(_mm512_cvtss_f32(sum[j]));
  return total;
}

double Int8RoofAvx512(size_t rounds) {
  __m512i sum[16];
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) sum[j] = _mm512_set1_epi32(j);  // equal chains would be one
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) sum[j] = _mm512_dpbusd_epi32(sum[j], a, b);
  }
  double total = 0;
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) total += _mm_cvtsi128_si32(_mm512_castsi512_si128(sum[j]));
  return total;
}

}  // namespace finback
#endif
