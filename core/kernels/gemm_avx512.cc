// y[row, o] = sum_k x[row, k] * W[o, k] with AVX-512 F, BW, VL and DQ, in the shape of
// gemm_avx512.h: weights become float32, a unit of 32 two registers, the products of odd k added
// before those of even k.
//
//   activations  as they are for F32 weights; for others each unit as its odd values, then its even
//
// Instructions per 32 weights and row, few rows (loads of x are operands of the multiply-adds);
// limit: the bytes of the weights, which a core reads at half of the speed that these allow:
//   F32   8: 2 loads each of W and x, 4 permutations, 2 FMA
//   BF16  5: load, shift, mask, 2 FMA
//   FP8  11: load, arrange, permute, widen, shift, mask, 2 half-to-float and an extract, 2 products
//            with the scale, 2 FMA. The bits of E4M3 in the place of a half's are value * 2^-8.
//   FP4   6: load and widen, shift, 2 look-ups in a table that has the scale in it, 2 FMA
//
// Many rows: 2 FMA for each of 6 x 4 pairs of row and output per 20 loads; limit: two FMA a cycle.
#include "core/kernels/gemm_avx512.h"

#include "core/base/number_formats.h"
#include "core/kernels/kernels.h"
#include "core/kernels/scaled_fp4.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__)

namespace finback {
namespace {

// Odd and even elements of 32 that lie in order.
inline void Split(const uint8_t* from, __m512* odd_even) {
  const __m512 low = _mm512_loadu_ps(from), high = _mm512_loadu_ps(from + 64);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  odd_even[0] = _mm512_permutex2var_ps(low, odd, high);
  odd_even[1] = _mm512_permutex2var_ps(low, _mm512_sub_epi32(odd, _mm512_set1_epi32(1)), high);
}

struct Floats {
  static constexpr size_t kDirectRows = 4, kPieceRows = 9;
  static constexpr int kParts = 2, kUnits = 1;
  static constexpr size_t kValueBytes = 4;
  using Codes = const uint8_t*;
  static inline Codes LoadCodes(const uint8_t* from) { return from; }
  static inline __m512 Add(__m512 sum, __m512 x, __m512 w) { return _mm512_fmadd_ps(x, w, sum); }
};

struct OddEven : Floats {
  static inline void LoadX(const uint8_t* x, __m512* v) {
    v[0] = _mm512_loadu_ps(x);
    v[1] = _mm512_loadu_ps(x + 64);
  }
  static inline void PadX(const uint8_t* x, size_t n, uint8_t* to) {
    memcpy(to, x, n / 2 * 4);
    memcpy(to + 64, x + n / 2 * 4, (n + 1) / 2 * 4);
  }
};

struct F32 : Floats {
  static constexpr size_t kBits = 32;
  struct Scale {};
  static inline Scale LoadScale(const uint8_t*) { return {}; }
  static inline void Decode(Scale, const uint8_t* code, int unit, __m512* w) {
    Split(code + unit * 128, w);
  }
  static inline void LoadX(const uint8_t* x, __m512* v) { Split(x, v); }
  static inline void PadX(const uint8_t* x, size_t n, uint8_t* to) { memcpy(to, x, n * 4); }
};

struct Bf16Codes : OddEven {
  static constexpr size_t kBits = 16;
  struct Scale {};
  static inline Scale LoadScale(const uint8_t*) { return {}; }
  static inline void Decode(Scale, const uint8_t* code, int unit, __m512* w) {
    const __m512i pairs = _mm512_loadu_si512(code + unit * 64);
    w[0] = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)));
    w[1] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  }
};

// 2^(scale - 127 + 8) is a normal float up to this scale byte.
constexpr uint8_t kLargestFactor = 246;

struct Fp8 : OddEven {
  static constexpr size_t kBits = 8;
  struct Scale {
    __m512 factor;
    bool large;  // the factor lacks 2^8
  };
  static inline Scale LoadScale(const uint8_t* from) {
    const bool large = *from > kLargestFactor;
    if (*from == 255) return {_mm512_set1_ps(BitsToFloat(0x7FC00000u)), false};
    const uint32_t exponent = large ? *from : *from + 8u;
    return {_mm512_set1_ps(BitsToFloat(exponent << 23)), large};
  }
  static inline void Decode(const Scale& scale, const uint8_t* code, int unit, __m512* w) {
    // Odd bytes of each half, then even ones; then both odd quarters before the even.
    const __m256i arrange = _mm256_setr_epi8(1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 14,
                                             1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 14);
    const __m256i codes = _mm256_permute4x64_epi64(
        _mm256_shuffle_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(code + unit * 32)),
                            arrange),
        0xD8);
    const __m512i half = _mm512_and_si512(_mm512_slli_epi16(_mm512_cvtepi8_epi16(codes), 7),
                                          _mm512_set1_epi16(static_cast<short>(0xBF80)));
    w[0] = _mm512_mul_ps(_mm512_cvtph_ps(_mm512_castsi512_si256(half)), scale.factor);
    w[1] = _mm512_mul_ps(_mm512_cvtph_ps(_mm512_extracti64x4_epi64(half, 1)), scale.factor);
    if (__builtin_expect(scale.large, 0)) {
      w[0] = _mm512_mul_ps(w[0], _mm512_set1_ps(256.0f));
      w[1] = _mm512_mul_ps(w[1], _mm512_set1_ps(256.0f));
    }
  }
};

// For every scale byte the 16 values of E2M1 times the scale.
struct Fp4Tables {
  alignas(64) float value[256][16];
};
constexpr Fp4Tables MakeFp4Tables() {
  Fp4Tables tables = {};
  for (int scale = 0; scale < 256; ++scale) {
    for (int code = 0; code < 16; ++code) {
      const uint32_t bits = ScaledE2m1Bits(scale, code);
      tables.value[scale][code] = BitsToFloat(bits);
    }
  }
  return tables;
}
constexpr Fp4Tables kFp4Tables = MakeFp4Tables();

struct Fp4 : OddEven {
  static constexpr size_t kBits = 4;
  using Scale = const uint8_t*;
  static inline Scale LoadScale(const uint8_t* from) { return from; }
  static inline void Decode(Scale scale, const uint8_t* code, int unit, __m512* w) {
    const __m512i bytes =
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(code + unit * 16)));
    const __m512 table = _mm512_load_ps(kFp4Tables.value[scale[unit]]);
    w[0] = _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table);
    w[1] = _mm512_permutexvar_ps(bytes, table);  // which looks at four bits
  }
};

}  // namespace

void PrepareOddEven(float* x, size_t in) {
  size_t k = 0;
  for (; k + kUnit <= in; k += kUnit) {
    __m512 parts[2];
    Split(reinterpret_cast<const uint8_t*>(x + k), parts);
    _mm512_storeu_ps(x + k, parts[0]);
    _mm512_storeu_ps(x + k + 16, parts[1]);
  }
  float rest[kUnit];
  const size_t n = in - k;
  for (size_t i = 0; i < n; ++i) rest[i % 2 == 1 ? i / 2 : n / 2 + i / 2] = x[k + i];
  memcpy(x + k, rest, n * sizeof(float));
}

void GemmF32Avx512(const GemmArgs& args) { Multiply<F32>(args, MultiplyInPanels<F32>); }
void GemmBf16Avx512(const GemmArgs& args) {
  Multiply<Bf16Codes>(args, MultiplyInPanels<Bf16Codes>);
}
void GemmFp8Avx512(const GemmArgs& args) { Multiply<Fp8>(args, MultiplyInPanels<Fp8>); }
void GemmFp4Avx512(const GemmArgs& args) { Multiply<Fp4>(args, MultiplyInPanels<Fp4>); }

float DotAvx512(const float* a, const float* b, size_t n) {
  __m512 sum = _mm512_setzero_ps();
  for (; n >= kUnit; n -= kUnit, a += kUnit, b += kUnit) {
    __m512 x[2], y[2];
    Split(reinterpret_cast<const uint8_t*>(a), x);
    Split(reinterpret_cast<const uint8_t*>(b), y);
    sum = _mm512_fmadd_ps(x[1], y[1], _mm512_fmadd_ps(x[0], y[0], sum));
  }
  if (n > 0) {
    alignas(64) float rest[2][kUnit] = {};
    memcpy(rest[0], a, n * sizeof(float));
    memcpy(rest[1], b, n * sizeof(float));
    __m512 x[2], y[2];
    Split(reinterpret_cast<const uint8_t*>(rest[0]), x);
    Split(reinterpret_cast<const uint8_t*>(rest[1]), y);
    sum = _mm512_fmadd_ps(x[1], y[1], _mm512_fmadd_ps(x[0], y[0], sum));
  }
  return ReduceSums(sum);
}

}  // namespace finback

#endif  // __AVX512F__
