// Index scores with AVX-512 VNNI, BF16 and VBMI, in the shape of index_score_avx512.h.
//
//   expand  two look-ups in a table of 64 bytes, by nibble and excess; 3 operations for the indices
//   add     of 2 heads and 16 keys: 2 maxima, 2 conversions, one rounding of both to pairs, which
//          are put in order, 2 operations to take them apart, 2 products, another rounding and
//          ordering, and one sum of both: vdpbf16ps with ones adds the upper element of a pair,
//          the first head's, before the lower
//
// Limit: vpdpbusd, one or two per cycle.
#include "core/kernels/kernels.h"

#if defined(__AVX512BF16__)

#include "core/kernels/attention/index_score_avx512.h"

namespace finback {
namespace {

// Both rounded to bfloat16: `upper` in the upper halves.
inline __m512i RoundToPairs(__m512 upper, __m512 lower) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(upper, lower));
}

inline __m512 Kept(__m512i dots) {
  return _mm512_cvtepi32_ps(_mm512_max_epi32(dots, _mm512_setzero_si512()));
}

// The byte of every code and excess, code first.
struct Expanded {
  alignas(64) int8_t byte[64];
};
constexpr Expanded MakeExpanded(int shift) {
  constexpr int kDoubled[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  Expanded expanded = {};
  for (int i = 0; i < 64; ++i) {
    const int magnitude = kDoubled[i & 7] << (i / 16);
    expanded.byte[i] = static_cast<int8_t>(((i & 8) != 0 ? -magnitude : magnitude) + shift);
  }
  return expanded;
}
template <char shift>
constexpr Expanded kExpanded = MakeExpanded(shift);

struct Isa {
  template <char shift>
  static inline void Expand(__m512i packed, __m512i excess, __m512i* even_odd) {
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i table = _mm512_load_si512(kExpanded<shift>.byte);
    // The excess in bits 4 and 5 of each byte; vpermb looks at no others.
    const __m512i which = _mm512_shuffle_epi8(
        _mm512_slli_epi32(excess, 4),
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12)));
    const auto at = [&](__m512i codes) {  // codes & low | which
      return _mm512_permutexvar_epi8(_mm512_ternarylogic_epi32(codes, low, which, 0xEA), table);
    };
    even_odd[0] = at(packed);
    even_odd[1] = at(_mm512_srli_epi16(packed, 4));
  }

  static constexpr size_t kHeads = 2;
  static inline void Add(const __m512i* dots, const float* weights, __m512* sums) {
    const __m512 first = _mm512_set1_ps(weights[0]), second = _mm512_set1_ps(weights[1]);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
    const __m512bh ones = (__m512bh)_mm512_set1_epi32(0x3F803F80);
#pragma GCC unroll 4
    for (size_t tile = 0; tile < kTiles; ++tile) {
      const __m512i pairs = RoundToPairs(Kept(dots[tile]), Kept(dots[kTiles + tile]));
      const __m512 of_first = _mm512_castsi512_ps(_mm512_and_si512(pairs, upper));
      const __m512 of_second = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
      const __m512i products =
          RoundToPairs(_mm512_mul_ps(of_first, first), _mm512_mul_ps(of_second, second));
      sums[tile] = _mm512_dpbf16_ps(sums[tile], (__m512bh)products, ones);
    }
  }
};

}  // namespace

void IndexScoreAvx512Bf16(const IndexScoreArgs& args) { IndexScore<Isa>(args); }

}  // namespace finback

#endif  // __AVX512BF16__
