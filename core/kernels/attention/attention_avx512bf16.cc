// Attention over bfloat16 keys with AVX-512 BF16 and VBMI (attention_lanes.h).
//
//   product    blocks of 6 rows x 64 columns: 4 loads of b and 6 broadcasts of a for 24 products of
//              16 pairs
//
// Limit: vdpbf16ps, one or two per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__AVX512BF16__)

#include "core/kernels/attention/vector_avx512.h"

namespace finback {
namespace {

struct Isa : Vector512 {
  static constexpr int kRows = 6, kVectors = 4;
  using Pairs = __m512i;
  using Spread = __m512i;

  static Pairs LoadPairs(const Bf16* from) { return _mm512_loadu_si512(from); }
  static Spread Broadcast(const Bf16* pair) { return SpreadBits(pair); }
  static F Step(F sum, Spread a, Pairs b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
};

}  // namespace

void PairProductAvx512Bf16(const PairProductArgs& args) { PairProduct<Isa>(args); }

}  // namespace finback

#endif  // __AVX512BF16__
