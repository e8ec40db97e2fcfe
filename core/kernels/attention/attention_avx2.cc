// Attention over bfloat16 keys with AVX2 and FMA (attention_lanes.h, entries_lanes.h).
//
//   product    blocks of 4 rows x 16 columns: 2 loads and 4 splits of b, 4 broadcasts and 8 splits
//              of a for 16 fused multiply-adds of 8
//   softmax    exp on 8 slots at a time, the operations of exp.h
//   codes      16 codes: widen, shift, mask, split, 2 half-to-float, 2 multiply, shift, pack
//   arrange    by channel: 8 x 8 pairs transposed by 24 shuffles; by key: 2 interleaves and 2
//              permutations for 16 channels of two keys
//
// Limit: two fused multiply-adds per cycle.
#include "core/kernels/attention/attention_lanes.h"
#include "core/kernels/attention/entries_lanes.h"
#include "core/kernels/kernels.h"

#if defined(__AVX2__)

#include <immintrin.h>

namespace finback {
namespace {

inline __m256i LoadBits(const void* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline void StoreBits(void* to, __m256i bits) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bits);
}

// The upper halves of 8 + 8 32-bit values, in order.
inline __m256i UpperHalves(__m256i first, __m256i second) {
  const __m256i packed =
      _mm256_packus_epi32(_mm256_srli_epi32(first, 16), _mm256_srli_epi32(second, 16));
  return _mm256_permute4x64_epi64(packed, 0xD8);
}

struct Isa {
  static constexpr int kWidth = 8, kRows = 4, kVectors = 2;
  using F = __m256;
  struct Pairs {
    __m256 even, odd;
  };
  using Spread = Pairs;

  static F Zero() { return _mm256_setzero_ps(); }
  static F Set(float v) { return _mm256_set1_ps(v); }
  static F Load(const float* from) { return _mm256_loadu_ps(from); }
  static void Store(float* to, F v) { _mm256_storeu_ps(to, v); }
  static F Sum(F a, F b) { return _mm256_add_ps(a, b); }
  static F Difference(F a, F b) { return _mm256_sub_ps(a, b); }
  static F Product(F a, F b) { return _mm256_mul_ps(a, b); }
  static F Max(F a, F b) { return _mm256_max_ps(a, b); }  // b if either is NaN

  static Pairs Split(__m256i pairs) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, upper))};
  }
  static Pairs LoadPairs(const Bf16* from) { return Split(LoadBits(from)); }
  static Spread Broadcast(const Bf16* pair) {
    int bits;
    memcpy(&bits, pair, sizeof bits);
    return Split(_mm256_set1_epi32(bits));
  }
  static F Step(F sum, const Spread& a, const Pairs& b) {
    return _mm256_fmadd_ps(a.even, b.even, _mm256_fmadd_ps(a.odd, b.odd, sum));
  }

  // 2^n, from n + round and round as exp.h adds them.
  static F PowerOfTwo(F rounded, F round) {
    const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(rounded), _mm256_castps_si256(round));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  static F ZeroUnlessAtLeast(F v, F x, F lowest) {
    return _mm256_and_ps(v, _mm256_cmp_ps(x, lowest, _CMP_GE_OQ));
  }
  static __m256i Rounded(F v) {  // finite: the code in the upper half
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  }
  static void StoreSixteenCodes(Bf16* to, const F* v) {
    StoreBits(to, UpperHalves(Rounded(v[0]), Rounded(v[1])));
  }
  static float Reduce(const F* sums) {
    const __m256 by8 = _mm256_add_ps(sums[0], sums[1]);
    const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
  }
};

// Sixteen E4M3 codes times `factor`, which is 2^8 times their scale.
inline __m256i DecodeE4m3(const uint8_t* code, __m256 factor) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7),
                                        _mm256_set1_epi16(static_cast<short>(0xBF80)));
  const __m256 first = _mm256_mul_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(half)), factor);
  const __m256 second = _mm256_mul_ps(_mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)), factor);
  return UpperHalves(_mm256_castps_si256(first), _mm256_castps_si256(second));
}

struct Entries {
  static constexpr size_t kChannels = 16;
  static constexpr int kLeastScale = 0, kMostScale = 246;  // 2^(scale - 127 + 8) is a float
  using Codes = __m256i;

  static Codes LoadCodes(const void* from) { return LoadBits(from); }
  static void StoreCodes(void* to, Codes codes) { StoreBits(to, codes); }
  static Codes NoCodes() { return _mm256_setzero_si256(); }
  static Codes UpperHalves(const float* x) {
    return finback::UpperHalves(LoadBits(x), LoadBits(x + 8));
  }
  static void StoreInterleaved(Bf16* to, Codes first, Codes second) {
    const __m256i low = _mm256_unpacklo_epi16(first, second);
    const __m256i high = _mm256_unpackhi_epi16(first, second);
    StoreBits(to, _mm256_permute2x128_si256(low, high, 0x20));
    StoreBits(to + 16, _mm256_permute2x128_si256(low, high, 0x31));
  }
  static void DecodeBlock(const uint8_t* code, int scale, Bf16* to) {
    const __m256 factor = _mm256_set1_ps(BitsToFloat(static_cast<uint32_t>(scale + 8) << 23));
#pragma GCC unroll 4
    for (int i = 0; i < 64; i += 16) StoreBits(to + i, DecodeE4m3(code + i, factor));
  }
  static void Transpose(Codes* r) {
    __m256i a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      a[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
      a[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
      b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
      b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
      b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      r[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
      r[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
    }
  }
};

}  // namespace

void PairProductAvx2(const PairProductArgs& args) { PairProduct<Isa>(args); }

SoftmaxSums SoftmaxAvx2(const SoftmaxArgs& args) { return Softmax<Isa>(args); }

void EntryCodesAvx2(const EntryCodesArgs& args) { EntryCodes<Entries>(args); }

void KeysByChannelAvx2(const ArrangeArgs& args) {
  KeysByChannel<Entries, KeysByChannelScalar>(args);
}

void KeysByKeyAvx2(const ArrangeArgs& args) { KeysByKey<Entries>(args); }

void CodesInPlaceAvx2(float* x, size_t n) { CodesInPlace<Entries>(x, n); }

void ScaleAvx2(float* x, size_t n, float factor, float divisor) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 product = _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(factor));
    _mm256_storeu_ps(x + i, _mm256_div_ps(product, _mm256_set1_ps(divisor)));
  }
  ScaleScalar(x + i, n - i, factor, divisor);
}

}  // namespace finback

#endif  // __AVX2__
