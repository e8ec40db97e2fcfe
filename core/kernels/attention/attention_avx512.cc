// Attention over bfloat16 keys with AVX-512 (attention_lanes.h, entries_lanes.h).
//
//   product    blocks of 5 rows x 64 columns: 4 loads and 8 splits of b, 5 broadcasts and 10 splits
//              of a for 40 fused multiply-adds of 16
//   softmax    exp on 16 slots at a time, the operations of exp.h
//   arrange    by channel: 16 x 16 pairs transposed by 64 moves; by key: 2 moves for 32 channels of
//              two keys
//
// Limit: fused multiply-adds, one or two per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/attention/entries_lanes.h"
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
  KeysByChannel<Entries512, KeysByChannelAvx2>(args);
}

void KeysByKeyAvx512(const ArrangeArgs& args) {
  if (args.width % Entries512::kChannels != 0) return KeysByKeyAvx2(args);
  KeysByKey<Entries512>(args);
}

void CodesInPlaceAvx512(float* x, size_t n) { CodesInPlace<Entries512>(x, n); }

}  // namespace finback

#endif  // __AVX512F__
