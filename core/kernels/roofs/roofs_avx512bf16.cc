// Roof of AVX-512 BF16: vdpbf16ps, which adds the products of 32 pairs to 16 sums. 24 chains, since
// a link takes 6 cycles, with up to 2 under way each cycle.
#include "core/kernels/roofs/roofs.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>

namespace finback {

double Bf16RoofAvx512Bf16(size_t rounds) {
  __m512 sum[24];
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) sum[j] = _mm512_set1_ps(static_cast<float>(j));
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
  const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.25f));
  for (size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int j = 0; j < 24; ++j) sum[j] = _mm512_dpbf16_ps(sum[j], a, b);
  }
  double total = 0;
#pragma GCC unroll 24
  for (int j = 0; j < 24; ++j) total += static_cast<double>(_mm512_cvtss_f32(sum[j]));
  return total;
}

}  // namespace finback
#endif
