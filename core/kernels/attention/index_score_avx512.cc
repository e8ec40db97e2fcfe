// Index scores with AVX-512 VNNI, in the shape of index_score_avx512.h.
//
//   expand  a nibble by look-up to a magnitude, which is moved and takes its sign: 6 operations
//   add     of 16 dots: maximum, conversion, product, sum, and two roundings of 5 operations
//
// Limit: vpdpbusd, one or two per cycle.
#include "core/kernels/kernels.h"

#if defined(__AVX512VNNI__)

#include "core/kernels/attention/index_score_avx512.h"

namespace finback {
namespace {

inline __m512 RoundToBf16(__m512 v) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
  return _mm512_castsi512_ps(_mm512_and_si512(RoundedBits(v), upper));
}

struct Isa {
  // Bytes of two times the values of nibbles, times 2^excess by 4 bytes.
  static inline __m512i Values(__m512i nibbles, __m512i excess) {
    const __m512i doubled =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, 1, 2, 3, 4, 6, 8, 12));
    const __m512i magnitude = _mm512_sllv_epi32(_mm512_shuffle_epi8(doubled, nibbles), excess);
    const __mmask64 negative = _mm512_test_epi8_mask(nibbles, _mm512_set1_epi8(8));
    return _mm512_mask_sub_epi8(magnitude, negative, _mm512_setzero_si512(), magnitude);
  }
  template <char shift>
  static inline void Expand(__m512i packed, __m512i excess, __m512i* even_odd) {
    const __m512i low = _mm512_set1_epi8(15), added = _mm512_set1_epi8(shift);
    even_odd[0] = _mm512_add_epi8(Values(_mm512_and_si512(packed, low), excess), added);
    even_odd[1] =
        _mm512_add_epi8(Values(_mm512_and_si512(_mm512_srli_epi16(packed, 4), low), excess), added);
  }

  static constexpr size_t kHeads = 1;
  static inline void Add(const __m512i* dots, const float* weights, __m512* sums) {
    const __m512 weight = _mm512_set1_ps(*weights);
#pragma GCC unroll 4
    for (size_t tile = 0; tile < kTiles; ++tile) {
      const __m512i kept = _mm512_max_epi32(dots[tile], _mm512_setzero_si512());
      const __m512 product = _mm512_mul_ps(RoundToBf16(_mm512_cvtepi32_ps(kept)), weight);
      sums[tile] = _mm512_add_ps(sums[tile], RoundToBf16(product));
    }
  }
};

}  // namespace

void IndexScoreAvx512(const IndexScoreArgs& args) { IndexScore<Isa>(args); }

}  // namespace finback

#endif  // __AVX512VNNI__
