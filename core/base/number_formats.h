// Scalar bfloat16, E4M3, E2M1 and E8M0: the definition every kernel is tested against.
// Formats and rounding: DeepSeek-V4's published reference;
// powers of two scale, nearest-even rounds.
#pragma once

#include <stdint.h>

namespace finback {

// `static`: files compiled for a particular ISA include this,
// and must not emit shared (weak) copies.
static constexpr float BitsToFloat(uint32_t bits) { return __builtin_bit_cast(float, bits); }
static constexpr uint32_t FloatToBits(float value) { return __builtin_bit_cast(uint32_t, value); }

using Bf16 = uint16_t;  // the upper half of a binary32

static constexpr float Bf16ToFloat(Bf16 code) {
  return BitsToFloat(static_cast<uint32_t>(code) << 16);
}

static constexpr Bf16 FloatToBf16(float value) {
  const uint32_t bits = FloatToBits(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<Bf16>((bits >> 16) | 0x40u);
  return static_cast<Bf16>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// Rounds to bfloat16 and widens back.
static constexpr float RoundBf16(float value) { return Bf16ToFloat(FloatToBf16(value)); }

// 2^exponent for -149 <= exponent <= 127.
static constexpr float PowerOfTwo(int exponent) {
  if (exponent < -126) return BitsToFloat(1u << (exponent + 149));
  return BitsToFloat(static_cast<uint32_t>(exponent + 127) << 23);
}

// FP8 E4M3FN; 0x7F and 0xFF are NaN.
static constexpr float E4m3ToFloat(uint8_t code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  float magnitude = 0.0f;
  if ((code & 0x7F) == 0x7F) {
    magnitude = BitsToFloat(0x7FC00000u);
  } else if (exponent == 0) {
    magnitude = static_cast<float>(mantissa) * PowerOfTwo(-9);
  } else {
    magnitude = static_cast<float>(8 + mantissa) * PowerOfTwo(exponent - 10);
  }
  return (code & 0x80) ? -magnitude : magnitude;
}

// Nearest-even, saturating at 448. NaN gives 0x7F.
static constexpr uint8_t FloatToE4m3(float value) {
  const uint32_t bits = FloatToBits(value);
  const uint8_t sign = static_cast<uint8_t>((bits >> 24) & 0x80);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint8_t>(sign | 0x7F);
  if (magnitude >= 0x43E00000u) return static_cast<uint8_t>(sign | 0x7E);  // >= 448
  if (magnitude < 0x3C800000u) {                                           // < 2^-6: quantum 2^-9
    // Adding 2^14 leaves exactly the multiples of 2^-9 in the low mantissa bits, rounded to even.
    const float shifted = BitsToFloat(magnitude) + 16384.0f;
    return static_cast<uint8_t>(sign | (FloatToBits(shifted) & 0xFu));
  }
  magnitude += 0x7FFFFu + ((magnitude >> 20) & 1u);  // keep 3 mantissa bits
  const uint32_t code = (magnitude >> 20) - ((127u - 7u) << 3);
  return static_cast<uint8_t>(sign | (code > 0x7E ? 0x7E : code));
}

// FP4 E2M1; bit 3 is the sign.
static constexpr float E2m1ToFloat(uint8_t code) {
  constexpr float kMagnitude[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  return (code & 8) ? -kMagnitude[code & 7] : kMagnitude[code & 7];
}

// Nearest-even, saturating at 6.
static constexpr uint8_t FloatToE2m1(float value) {
  const float a = value < 0 ? -value : value;
  const uint8_t sign = static_cast<uint8_t>((FloatToBits(value) >> 28) & 8u);
  const uint8_t code = a <= 0.25f   ? 0
                       : a < 0.75f  ? 1
                       : a <= 1.25f ? 2
                       : a < 1.75f  ? 3
                       : a <= 2.5f  ? 4
                       : a < 3.5f   ? 5
                       : a <= 5.0f  ? 6
                                    : 7;
  return static_cast<uint8_t>(sign | code);
}

// E8M0 scale byte: 2^(code - 127); 255 is NaN.
static constexpr float E8m0ToFloat(uint8_t code) {
  if (code == 255) return BitsToFloat(0x7FC00000u);
  return PowerOfTwo(static_cast<int>(code) - 127);
}

// Exponent k of an activation block whose largest magnitude is `amax`: the smallest k with
// amax / 448 <= 2^k, amax floored at 1e-4, computed on the float32 product as the model does.
static constexpr int Fp8ScaleExponent(float amax) {
  const float floored = amax > 1e-4f ? amax : 1e-4f;
  const uint32_t bits = FloatToBits(floored * (1.0f / 448.0f));
  return static_cast<int>((bits >> 23) & 0xFF) - 127 + ((bits & 0x7FFFFFu) != 0 ? 1 : 0);
}

// The same for E2M1: amax / 6 <= 2^k, amax floored at 6 * 2^-126.
static constexpr int Fp4ScaleExponent(float amax) {
  const float floor_value = 6.0f * PowerOfTwo(-126);
  const float floored = amax > floor_value ? amax : floor_value;
  const uint32_t bits = FloatToBits(floored * (1.0f / 6.0f));
  return static_cast<int>((bits >> 23) & 0xFF) - 127 + ((bits & 0x7FFFFFu) != 0 ? 1 : 0);
}

}  // namespace finback
