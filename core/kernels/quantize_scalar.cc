// Activation roundings and cache entries by their definition in number_formats.h.

#include "core/base/number_formats.h"
#include "core/kernels/kv_entry.h"
#include "core/kernels/quantize.h"

namespace finback {
namespace {

float LargestMagnitude(const float* x, size_t n) {
  float largest = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    const float a = x[i] < 0.0f ? -x[i] : x[i];
    if (a > largest) largest = a;
  }
  return largest;
}

}  // namespace

void RoundBf16Scalar(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = RoundBf16(x[i]);
}

void QuantizeFp8Scalar(float* x, size_t n, size_t block) {
  for (size_t begin = 0; begin < n; begin += block) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(x + begin, block));
    const float scale = PowerOfTwo(exponent), inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + block; ++i) {
      x[i] = E4m3ToFloat(FloatToE4m3(x[i] * inverse)) * scale;
    }
  }
}

void PackKvScalar(const KvFormat& format, const float* values, uint8_t* entry) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t begin = 0; begin < channels; begin += kKvBlock) {
    const int exponent = Fp8ScaleExponent(LargestMagnitude(values + begin, kKvBlock));
    const float inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + kKvBlock; ++i) entry[i] = FloatToE4m3(values[i] * inverse);
    entry[channels + begin / kKvBlock] = static_cast<uint8_t>(exponent + 127);
  }
  PackRope(values + channels, format.rope_dim, entry + RopeBegin(format));
}

void UnpackKvScalar(const KvFormat& format, const uint8_t* entry, float* values) {
  const size_t channels = format.head_dim - format.rope_dim;
  for (size_t i = 0; i < channels; ++i) {
    values[i] = E4m3ToFloat(entry[i]) * E8m0ToFloat(entry[channels + i / kKvBlock]);
  }
  UnpackRope(entry + RopeBegin(format), format.rope_dim, values + channels);
}

void PackIndexScalar(const float* values, size_t n, uint8_t* key) {
  for (size_t begin = 0; begin < n; begin += kIndexBlock) {
    const int exponent = Fp4ScaleExponent(LargestMagnitude(values + begin, kIndexBlock));
    const float inverse = PowerOfTwo(-exponent);
    for (size_t i = begin; i < begin + kIndexBlock; i += 2) {
      const uint8_t low = FloatToE2m1(values[i] * inverse);
      const uint8_t high = FloatToE2m1(values[i + 1] * inverse);
      key[i / 2] = static_cast<uint8_t>(low | (high << 4));
    }
    key[n / 2 + begin / kIndexBlock] = static_cast<uint8_t>(exponent + 127);
  }
}

void UnpackIndexScalar(const uint8_t* key, size_t n, float* values) {
  for (size_t i = 0; i < n; i += 2) {
    const float scale = E8m0ToFloat(key[n / 2 + i / kIndexBlock]);
    values[i] = E2m1ToFloat(key[i / 2] & 15) * scale;
    values[i + 1] = E2m1ToFloat(key[i / 2] >> 4) * scale;
  }
}

}  // namespace finback
