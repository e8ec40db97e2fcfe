// Attention over bfloat16 keys with AVX-512 (attention_lanes.h).
//
//   product    blocks of 5 rows x 64 columns: 4 loads and 8 splits of b, 5 broadcasts and 10 splits
//              of a for 40 fused multiply-adds of 16
//   softmax    exp on 16 slots at a time, the operations of exp.h
//   arrange    by channel: 16 x 16 pairs transposed by 64 moves; by key: 2 moves for 32 channels of
//              two keys
//
// Limit: fused multiply-adds, one or two per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__AVX512F__)

#include "core/kernels/attention/vector_avx512.h"

namespace finback {
namespace {

struct Isa : Vector512 {
  static constexpr int kRows = 5, kVectors = 4;
  struct Pairs {
    __m512 even, odd;
  };
  using Spread = Pairs;

  static Pairs Split(__m512i pairs) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))};
  }
  static Pairs LoadPairs(const Bf16* from) { return Split(_mm512_loadu_si512(from)); }
  static Spread Broadcast(const Bf16* pair) { return Split(SpreadBits(pair)); }
  static F Step(F sum, const Spread& a, const Pairs& b) {
    return _mm512_fmadd_ps(a.even, b.even, _mm512_fmadd_ps(a.odd, b.odd, sum));
  }
};

}  // namespace

void PairProductAvx512(const PairProductArgs& args) { PairProduct<Isa>(args); }

SoftmaxSums SoftmaxAvx512(const SoftmaxArgs& args) { return Softmax<Isa>(args); }

void KeysByChannelAvx512(const ArrangeArgs& args) {
  constexpr size_t kKeys = 16, kChannels = 32;
  const size_t whole = args.width / kChannels * kChannels;
  for (size_t key = 0; key < kKeyTile; key += kKeys) {
    const size_t there = args.count > key ? args.count - key : 0;
    for (size_t i = 0; i < whole; i += kChannels) {
      const Bf16* from = args.rows + key * args.stride + i;
      __m512i rows[kKeys];
#pragma GCC unroll 16
      for (size_t k = 0; k < kKeys; ++k) {
        rows[k] = k < there ? _mm512_loadu_si512(from + k * args.stride) : _mm512_setzero_si512();
      }
      if (there > 0) Transpose(rows);
      Bf16* to = args.out + i / 2 * 2 * kKeyTile + 2 * key;
#pragma GCC unroll 16
      for (size_t k = 0; k < kKeys; ++k) _mm512_storeu_si512(to + k * 2 * kKeyTile, rows[k]);
    }
  }
  if (whole == args.width) return;
  ArrangeArgs rest = args;
  rest.rows = args.rows + whole;
  rest.width = args.width - whole;
  rest.out = args.out + whole * kKeyTile;
  KeysByChannelAvx2(rest);
}

void KeysByKeyAvx512(const ArrangeArgs& args) {
  constexpr size_t kChannels = 32;
  if (args.width % kChannels != 0) return KeysByKeyAvx2(args);
  const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8,
                                       39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  for (size_t key = 0; key < args.count; key += 2) {
    const Bf16* even = args.rows + key * args.stride;
    const Bf16* odd = key + 1 < args.count ? even + args.stride : nullptr;  // zeros
    Bf16* out = args.out + key * args.width;
    for (size_t i = 0; i < args.width; i += kChannels) {
      const __m512i first = _mm512_loadu_si512(even + i);
      const __m512i second = odd != nullptr ? _mm512_loadu_si512(odd + i) : _mm512_setzero_si512();
      _mm512_storeu_si512(out + 2 * i, _mm512_permutex2var_epi16(first, low, second));
      _mm512_storeu_si512(out + 2 * i + 32, _mm512_permutex2var_epi16(first, high, second));
    }
  }
}

}  // namespace finback

#endif  // __AVX512F__
