// Activation roundings and cache entries with AVX2 and F16C, bit for bit the scalar twins: the same
// integer roundings on eight values at a time. Unpacking is on the path of every key attended to:
//
//   kv entry    16 codes: widen, shift, mask, split, 2 half-to-float, 2 multiply (see gemm_avx2.cc)
//   index key   32 codes: 3 for the nibbles, 2 interleaves, 2 look-ups of a half's upper byte,
//               then per 8: interleave with zeros, half-to-float, multiply
//
// Limit: the stores (32 bytes per 8 values).
#include <immintrin.h>
#include <string.h>

#include "core/base/number_formats.h"
#include "core/kernels/kernels.h"
#include "core/kernels/kv_entry.h"

#if defined(__AVX2__)

namespace finback {
namespace {

inline __m256 Magnitude(__m256 v) {
  return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF)));
}

inline float LargestMagnitude(const float* x, size_t n) {
  __m256 largest = _mm256_setzero_ps();
  for (size_t i = 0; i < n; i += 8) {
    largest = _mm256_max_ps(Magnitude(_mm256_loadu_ps(x + i)), largest);  // a NaN leaves `largest`
  }
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

// RoundBf16 of number_formats.h.
inline __m256 RoundToBf16(__m256 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i top = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  const __m256i nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i chosen =
      _mm256_blendv_epi8(rounded, nan, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
  return _mm256_castsi256_ps(_mm256_and_si256(chosen, top));
}

// v on the grid of E4M3 (FloatToE4m3, then back) for |v| <= 448.
inline __m256 RoundToE4m3(__m256 v) {
  const __m256 magnitude = Magnitude(v);
  const __m256 sign = _mm256_xor_ps(v, magnitude);
  const __m256i bits = _mm256_castps_si256(magnitude);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 20), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_and_si256(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFFF)), odd),
                       _mm256_set1_epi32(static_cast<int>(0xFFF00000u)));
  const __m256 magic = _mm256_set1_ps(16384.0f);  // its last bit is worth 2^-9
  const __m256 tiny = _mm256_sub_ps(_mm256_add_ps(magnitude, magic), magic);
  const __m256 is_tiny = _mm256_cmp_ps(magnitude, _mm256_set1_ps(0.015625f), _CMP_LT_OQ);
  return _mm256_or_ps(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), tiny, is_tiny), sign);
}

// The codes of eight values that RoundToE4m3 gave, as 32-bit integers.
inline __m256i E4m3Codes(__m256 v) {
  // v * 2^-8 is a half whose bits are the code's, shifted.
  const __m128i half = _mm256_cvtps_ph(_mm256_mul_ps(v, _mm256_set1_ps(0.00390625f)),
                                       _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i wide = _mm256_cvtepu16_epi32(half);
  const __m256i code = _mm256_and_si256(_mm256_srli_epi32(wide, 7), _mm256_set1_epi32(0x7F));
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(wide, 8), _mm256_set1_epi32(0x80));
  return _mm256_or_si256(code, sign);
}

// FloatToE2m1 for |v| <= 6, as 32-bit integers: how many boundaries lie below;
// ties go to even codes.
inline __m256i E2m1Codes(__m256 v) {
  const __m256 magnitude = Magnitude(v);
  const __m256i sign =
      _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(v), 28), _mm256_set1_epi32(8));
  __m256i code = _mm256_setzero_si256();
  const float beyond[4] = {0.25f, 1.25f, 2.5f, 5.0f};
  const float from[3] = {0.75f, 1.75f, 3.5f};
  for (int i = 0; i < 4; ++i) {
    code = _mm256_sub_epi32(
        code, _mm256_castps_si256(_mm256_cmp_ps(magnitude, _mm256_set1_ps(beyond[i]), _CMP_GT_OQ)));
  }
  for (int i = 0; i < 3; ++i) {
    code = _mm256_sub_epi32(
        code, _mm256_castps_si256(_mm256_cmp_ps(magnitude, _mm256_set1_ps(from[i]), _CMP_GE_OQ)));
  }
  return _mm256_or_si256(code, sign);
}

// The low bytes of eight 32-bit integers.
inline uint64_t NarrowToBytes(__m256i v) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
}

inline void DecodeE4m3(const uint8_t* code, __m256 factor, float* out) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(code));
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7),
                                        _mm256_set1_epi16(static_cast<short>(0xBF80)));
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtph_ps(_mm256_castsi256_si128(half)), factor));
  _mm256_storeu_ps(out + 8,
                   _mm256_mul_ps(_mm256_cvtph_ps(_mm256_extracti128_si256(half, 1)), factor));
}

}  // namespace

void RoundBf16Avx2(float* x, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(x + i, RoundToBf16(_mm256_loadu_ps(x + i)));
  RoundBf16Scalar(x + i, n - i);
}

void QuantizeFp8Avx2(float* x, size_t n, size_t block) {
  for (size_t begin = 0; begin < n; begin += block) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(x + begin, block));
    const __m256 scale = _mm256_set1_ps(PowerOfTwo(exponent));
    const __m256 inverse = _mm256_set1_ps(PowerOfTwo(-exponent));
    for (size_t i = begin; i < begin + block; i += 8) {
      const __m256 v = RoundToE4m3(_mm256_mul_ps(_mm256_loadu_ps(x + i), inverse));
      _mm256_storeu_ps(x + i, _mm256_mul_ps(v, scale));
    }
  }
}

void PackKvAvx2(const KvFormat& format, const float* values, uint8_t* entry) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t begin = 0; begin < channels; begin += kKvBlock) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(values + begin, kKvBlock));
    const __m256 inverse = _mm256_set1_ps(PowerOfTwo(-exponent));
    for (size_t i = begin; i < begin + kKvBlock; i += 8) {
      const __m256 v = RoundToE4m3(_mm256_mul_ps(_mm256_loadu_ps(values + i), inverse));
      const uint64_t codes = NarrowToBytes(E4m3Codes(v));
      memcpy(entry + i, &codes, sizeof codes);
    }
    entry[channels + begin / kKvBlock] = static_cast<uint8_t>(exponent + 127);
  }
  PackRope(values + channels, format.rope_dim, entry + RopeBegin(format));
}

void UnpackKvAvx2(const KvFormat& format, const uint8_t* entry, float* values) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t begin = 0; begin < channels; begin += kKvBlock) {
    const int scale = entry[channels + begin / kKvBlock];
    const bool folded = scale <= 246;  // 2^(scale - 127 + 8) is a normal float
    const float factor = folded ? BitsToFloat(static_cast<uint32_t>(scale + 8) << 23) : 256.0f;
    for (size_t i = begin; i < begin + kKvBlock; i += 16) {
      DecodeE4m3(entry + i, _mm256_set1_ps(factor), values + i);
    }
    if (folded) continue;
    for (size_t i = begin; i < begin + kKvBlock; ++i) {
      values[i] *= E8m0ToFloat(static_cast<uint8_t>(scale));
    }
  }
  const uint8_t* rope = entry + RopeBegin(format);
  float* out = values + channels;
  size_t i = 0;
  for (; i + 8 <= format.rope_dim; i += 8) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rope + 2 * i));
    _mm256_storeu_ps(out + i,
                     _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(codes), 16)));
  }
  UnpackRope(rope + i * sizeof(Bf16), format.rope_dim - i, out + i);
}

void PackIndexAvx2(const float* values, size_t n, uint8_t* key) {
  for (size_t begin = 0; begin < n; begin += kIndexBlock) {
    const int exponent = Fp4ScaleExponent(LargestMagnitude(values + begin, kIndexBlock));
    const __m256 inverse = _mm256_set1_ps(PowerOfTwo(-exponent));
    for (size_t i = begin; i < begin + kIndexBlock; i += 8) {
      const __m256i codes = E2m1Codes(_mm256_mul_ps(_mm256_loadu_ps(values + i), inverse));
      // Odd elements move to the upper nibble of their even neighbours.
      const __m256i pairs = _mm256_or_si256(codes, _mm256_srli_epi64(codes, 28));
      const uint64_t bytes = NarrowToBytes(_mm256_and_si256(pairs, _mm256_set1_epi32(0xFF)));
      for (size_t j = 0; j < 4; ++j) {
        key[i / 2 + j] = static_cast<uint8_t>(bytes >> (16 * j));
      }
    }
    key[n / 2 + begin / kIndexBlock] = static_cast<uint8_t>(exponent + 127);
  }
}

void UnpackIndexAvx2(const uint8_t* key, size_t n, float* values) {
  // The upper byte of the value as a half, by code; the lower is 0.
  const __m128i upper = _mm_setr_epi8(0, 0x38, 0x3C, 0x3E, 0x40, 0x42, 0x44, 0x46, -128, -72, -68,
                                      -66, -64, -62, -60, -58);
  const __m128i low_nibble = _mm_set1_epi8(15);
  const __m128i zero = _mm_setzero_si128();
  for (size_t begin = 0; begin < n; begin += kIndexBlock) {
    const __m256 scale = _mm256_set1_ps(E8m0ToFloat(key[n / 2 + begin / kIndexBlock]));
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key + begin / 2));
    const __m128i even = _mm_and_si128(bytes, low_nibble);
    const __m128i odd = _mm_and_si128(_mm_srli_epi16(bytes, 4), low_nibble);
    const __m128i first = _mm_shuffle_epi8(upper, _mm_unpacklo_epi8(even, odd));
    const __m128i second = _mm_shuffle_epi8(upper, _mm_unpackhi_epi8(even, odd));
    const __m128i halves[4] = {_mm_unpacklo_epi8(zero, first), _mm_unpackhi_epi8(zero, first),
                               _mm_unpacklo_epi8(zero, second), _mm_unpackhi_epi8(zero, second)};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      _mm256_storeu_ps(values + begin + 8 * i, _mm256_mul_ps(_mm256_cvtph_ps(halves[i]), scale));
    }
  }
}

}  // namespace finback

#endif  // __AVX2__
