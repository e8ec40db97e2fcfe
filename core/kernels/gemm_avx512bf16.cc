// y[row, o] = sum_k x[row, k] * W[o, k] with AVX-512 BF16 and VBMI, in the shape of gemm_avx512.h:
// weights become bfloat16, exactly, and vdpbf16ps multiplies 32 of them at once and adds in the
// order of gemm.h. It takes subnormal operands and sums as zero.
//
//   activations  bfloat16 pairs in order, 2 bytes a value at the beginning of the row
//   FP8          E4M3 codes looked up by bytes: a table of 128 upper and one of 128 lower bytes,
//                which hold the tile's scale (doublings are added to the upper bytes)
//   FP4          words whose lower four bits are a code, looked up in a table of 16 bfloat16 that
//                holds the group's scale
//
// Instructions, few rows, and bytes of weights for them (the load of x is shared by four outputs):
//   BF16   1 per 64 bytes: multiply
//   FP8    8 per 64 bytes: arrange, 2 look-ups, sign, 2 interleaves, 2 multiplications;
//          2 additions and 4 loads per tile of 128
//   FP4    3.25 per 16 bytes: gather, look-up, multiply, a shift for four of them; and what finds
//          the table by the scale
// Limit: the bytes of the weights; a core alone could do 120, 80 and 43 GB/s (Zen 5, 4 GHz).
// Many rows, limit: the multiplications, two a cycle:
//   BF16, FP8   24 (3 rows x 8 outputs) per 11 loads, from panels
//   FP4         24 (6 rows x 4 outputs) per 6 loads of activations and 4 units of weights, whose
//               decoding is 4 instructions and 2.25 loads each
#include "core/base/number_formats.h"
#include "core/kernels/blocks/gemm_avx512_blocks.h"
#include "core/kernels/kernels.h"
#include "core/kernels/scaled_fp4.h"

#if defined(__AVX512BF16__) && defined(__AVX512VBMI__)

namespace finback {
namespace {

inline __m512bh AsPairs(__m512 v) { return reinterpret_cast<__m512bh>(v); }
inline __m512 AsPart(__m512i v) { return _mm512_castsi512_ps(v); }

struct Pairs {
  static constexpr size_t kDirectRows = 4, kPieceRows = 9;
  static constexpr int kParts = 1;
  static constexpr size_t kValueBytes = 2;
  static inline void LoadX(const uint8_t* x, __m512* v) { v[0] = _mm512_loadu_ps(x); }
  static inline void PadX(const uint8_t* x, size_t n, uint8_t* to) { memcpy(to, x, n * 2); }
  static inline __m512 Add(__m512 sum, __m512 x, __m512 w) {
    return _mm512_dpbf16_ps(sum, AsPairs(x), AsPairs(w));
  }
};

struct Bf16Codes : Pairs {
  static constexpr size_t kBits = 16, kDirectRows = 8, kPieceRows = 3;
  static constexpr int kUnits = 1;
  using Codes = const uint8_t*;
  static inline Codes LoadCodes(const uint8_t* from) { return from; }
  struct Scale {};
  static inline Scale LoadScale(const uint8_t*) { return {}; }
  static inline void Decode(Scale, const uint8_t* code, int unit, __m512* w) {
    w[0] = _mm512_loadu_ps(code + unit * 64);
  }
};

// The bfloat16 of E4M3 codes 0 to 127 times 2^0 and 2^1: the upper bytes, then the lower.
struct Fp8Tables {
  alignas(64) uint8_t bytes[2][256];
};
constexpr Fp8Tables MakeFp8Tables() {
  Fp8Tables tables = {};
  for (int odd = 0; odd < 2; ++odd) {
    for (int code = 0; code < 127; ++code) {  // the last is not a number: decodes to zero
      const uint32_t bits = FloatToBits(E4m3ToFloat(static_cast<uint8_t>(code)) * PowerOfTwo(odd));
      tables.bytes[odd][code] = static_cast<uint8_t>(bits >> 24);
      tables.bytes[odd][code + 128] = static_cast<uint8_t>(bits >> 16);
    }
  }
  return tables;
}
constexpr Fp8Tables kFp8Tables = MakeFp8Tables();

// Scales that leave every code a normal bfloat16.
constexpr uint8_t kLeastScale = 10, kLargestScale = 246;

struct Fp8 : Pairs {
  static constexpr size_t kBits = 8, kDirectRows = 8;
  static constexpr int kUnits = 2;
  using Codes = const uint8_t*;
  static inline Codes LoadCodes(const uint8_t* from) { return from; }
  struct Scale {
    __m512i upper[2], lower[2];
  };
  static __attribute__((noinline)) void MakeScale(uint8_t byte, Scale* scale) {
    alignas(64) uint8_t bytes[256];
    const float factor = byte == 255 ? BitsToFloat(0x7FC00000u) : PowerOfTwo(byte - 127);
    for (int code = 0; code < 128; ++code) {
      const uint32_t bits = FloatToBits(E4m3ToFloat(static_cast<uint8_t>(code)) * factor);
      bytes[code] = static_cast<uint8_t>(bits >> 24);
      bytes[code + 128] = static_cast<uint8_t>(bits >> 16);
    }
    for (int i = 0; i < 2; ++i) {
      scale->upper[i] = _mm512_load_si512(bytes + 64 * i);
      scale->lower[i] = _mm512_load_si512(bytes + 128 + 64 * i);
    }
  }
  static inline Scale LoadScale(const uint8_t* from) {
    const uint8_t byte = *from;
    Scale scale;
    if (__builtin_expect(byte < kLeastScale || byte > kLargestScale, 0)) {
      MakeScale(byte, &scale);
      return scale;
    }
    // 2^(byte - 127): an even number of doublings goes into the upper byte, all but that of zero.
    const uint8_t* table = kFp8Tables.bytes[(byte + 1) & 1];
    const __m512i doubled = _mm512_set1_epi8(static_cast<char>((byte - 127) >> 1));
    scale.upper[0] = _mm512_mask_add_epi8(_mm512_load_si512(table), ~__mmask64{1},
                                          _mm512_load_si512(table), doubled);
    scale.upper[1] = _mm512_add_epi8(_mm512_load_si512(table + 64), doubled);
    scale.lower[0] = _mm512_load_si512(table + 128);
    scale.lower[1] = _mm512_load_si512(table + 192);
    return scale;
  }
  static inline void Decode(const Scale& scale, const uint8_t* code, int unit, __m512* w) {
    // Quarter i of the first unit and of the second side by side, for the interleaving.
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    const __m512i codes = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(code + unit * 32));
    const __m512i lower = _mm512_permutex2var_epi8(scale.lower[0], codes, scale.lower[1]);
    __m512i upper = _mm512_permutex2var_epi8(scale.upper[0], codes, scale.upper[1]);
    upper = _mm512_ternarylogic_epi32(upper, codes, _mm512_set1_epi8(-128), 0xF8);  // a | b & c
    w[0] = AsPart(_mm512_unpacklo_epi8(lower, upper));
    w[1] = AsPart(_mm512_unpackhi_epi8(lower, upper));
  }
};

// For every scale byte the 16 values of E2M1 times the scale as bfloat16, twice: vpermw looks at
// five bits.
struct Fp4Tables {
  alignas(64) uint16_t value[256][32];
};
constexpr Fp4Tables MakeFp4Tables() {
  Fp4Tables tables = {};
  for (int scale = 0; scale < 256; ++scale) {
    for (int code = 0; code < 16; ++code) {
      const uint32_t bits = ScaledE2m1Bits(scale, code);
      tables.value[scale][code] = tables.value[scale][code + 16] =
          static_cast<uint16_t>(bits >> 16);
    }
  }
  return tables;
}
constexpr Fp4Tables kFp4Tables = MakeFp4Tables();

struct Fp4 : Pairs {
  static constexpr size_t kBits = 4;
  static constexpr int kUnits = 1;
  using Scale = const uint8_t*;
  // Codes as bytes, the first of a byte's two first: units 0 and 1, then 2 and 3, a quarter of each
  // side by side.
  struct Codes {
    __m512i halves[2];
  };
  static inline Scale LoadScale(const uint8_t* from) { return from; }
  static inline Codes LoadCodes(const uint8_t* from) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i codes = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(from));
    const __m512i high = _mm512_srli_epi16(codes, 4);
    return {{_mm512_unpacklo_epi8(codes, high), _mm512_unpackhi_epi8(codes, high)}};
  }
  static inline void Decode(Scale scale, const Codes& codes, int unit, __m512* w) {
    const __m512i half = codes.halves[unit / 2];
    const __m512i words =
        unit % 2 == 0 ? _mm512_unpacklo_epi8(half, half) : _mm512_unpackhi_epi8(half, half);
    w[0] =
        AsPart(_mm512_permutexvar_epi16(words, _mm512_load_si512(kFp4Tables.value[scale[unit]])));
  }
  using Scales = uint32_t;  // of the units of a step, the first lowest
  static inline Scales LoadScales(const uint8_t* from) {
    Scales scales;
    memcpy(&scales, from, sizeof scales);
    return scales;
  }
  static inline void DecodeUnit(Scales scales, const uint8_t* code, size_t unit, __m512* w) {
    const __m512i bytes =
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code)));
    const __m512i nibbles = _mm512_or_si512(bytes, _mm512_slli_epi32(bytes, 12));
    const uint8_t scale = static_cast<uint8_t>(scales >> (8 * unit));
    w[0] = AsPart(_mm512_permutexvar_epi16(nibbles, _mm512_load_si512(kFp4Tables.value[scale])));
  }
};

}  // namespace

void GemmBf16Avx512Bf16(const GemmArgs& args) {
  Multiply<Bf16Codes>(args, MultiplyInPanels<Bf16Codes>);
}
void GemmFp8Avx512Bf16(const GemmArgs& args) { Multiply<Fp8>(args, MultiplyInPanels<Fp8>); }
void GemmFp4Avx512Bf16(const GemmArgs& args) { Multiply<Fp4>(args, MultiplyBlocks<Fp4>); }

}  // namespace finback

#endif  // __AVX512BF16__
