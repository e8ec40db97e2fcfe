// Attention over bfloat16 keys with AVX-512 BF16 and VBMI (attention_lanes.h,
// entries_lanes.h).
//
//   product    blocks of 6 rows x 64 columns: 4 loads of b and 6 broadcasts of a for 24 products of
//              16 pairs
//   codes      64 codes: two look-ups of 128 bytes, sign, two interleaves, two sums of exponents
//
// Limit: vdpbf16ps, one or two per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/attention/entries_lanes.h"
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

// The halves of the bfloat16 code of every E4M3 magnitude.
struct E4m3Bytes {
  uint8_t lower[128], upper[128];
};
constexpr E4m3Bytes MakeE4m3Bytes() {
  E4m3Bytes bytes = {};
  for (int code = 0; code < 128; ++code) {
    const Bf16 value = FloatToBf16(E4m3ToFloat(static_cast<uint8_t>(code)));
    bytes.lower[code] = static_cast<uint8_t>(value);
    bytes.upper[code] = static_cast<uint8_t>(value >> 8);
  }
  return bytes;
}
constexpr E4m3Bytes kE4m3Bytes = MakeE4m3Bytes();

struct Entries : Entries512 {
  static constexpr int kLeastScale = 20, kMostScale = 230;  // between them codes stay normal

  static void AddExponent(__m512i codes, __m512i exponent, Bf16* to) {
    const __mmask32 not_zero = _mm512_test_epi16_mask(codes, _mm512_set1_epi16(0x7FFF));
    StoreCodes(to, _mm512_mask_add_epi16(codes, not_zero, codes, exponent));
  }
  static void DecodeBlock(const uint8_t* code, int scale, Bf16* to) {
    const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
    const __m512i halves = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    const __m512i exponent = _mm512_set1_epi16(static_cast<int16_t>((scale - 127) * 128));
    const __m512i codes = _mm512_permutexvar_epi64(halves, LoadCodes(code));
    const __m512i low = LookUp(kE4m3Bytes.lower, codes);
    const __m512i high =
        _mm512_or_si512(LookUp(kE4m3Bytes.upper, codes), _mm512_and_si512(codes, sign));
    AddExponent(_mm512_unpacklo_epi8(low, high), exponent, to);
    AddExponent(_mm512_unpackhi_epi8(low, high), exponent, to + 32);
  }
  static __m512i LookUp(const uint8_t* table, __m512i codes) {
    return _mm512_permutex2var_epi8(LoadCodes(table), codes, LoadCodes(table + 64));
  }
};

}  // namespace

void EntryCodesAvx512Bf16(const EntryCodesArgs& args) { EntryCodes<Entries>(args); }

void PairProductAvx512Bf16(const PairProductArgs& args) { PairProduct<Isa>(args); }

}  // namespace finback

#endif  // __AVX512BF16__
