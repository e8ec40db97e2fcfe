// Attention over bfloat16 keys, the definition.
#include <string.h>

#include "core/kernels/attention/exp.h"
#include "core/kernels/kernels.h"
#include "core/kernels/kv_entry.h"

namespace finback {
namespace {

constexpr size_t kSums = 16;
constexpr float kInfinity = __builtin_inff();

// l + (l+8), then +4, +2, +1.
float Reduce(float* sums) {
  for (size_t half = kSums / 2; half != 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
  }
  return sums[0];
}

}  // namespace

void PairProductScalar(const PairProductArgs& args) {
  for (size_t row = 0; row < args.rows; ++row) {
    const Bf16* a = args.a + row * args.a_stride;
    float* c = args.c + row * args.c_stride;
    for (size_t i = 0; i < args.columns && !args.add; ++i) c[i] = 0.0f;
    for (size_t j = 0; j < args.pairs; ++j) {
      const Bf16* b = args.b + j * args.b_stride;
      if (j == 0 && args.head != nullptr) b = args.head;
      if (j != 0 && j + 1 == args.pairs && args.tail != nullptr) b = args.tail;
      const float even = Bf16ToFloat(a[2 * j]), odd = Bf16ToFloat(a[2 * j + 1]);
      for (size_t i = 0; i < args.columns; ++i) {
        const float sum = c[i] + odd * Bf16ToFloat(b[2 * i + 1]);
        c[i] = sum + even * Bf16ToFloat(b[2 * i]);
      }
    }
  }
}

SoftmaxSums SoftmaxScalar(const SoftmaxArgs& args) {
  float largest = -kInfinity;
  for (size_t i = 0; i < args.slots; ++i) {
    const float score = args.scores[i] * args.scale;
    if (score > largest) largest = score;
  }
  const float shift = largest == -kInfinity ? 0.0f : largest;
  float sums[kSums] = {};
  for (size_t i = 0; i < args.slots; ++i) {
    const float weight = ExpNonPositive(args.scores[i] * args.scale - shift);
    sums[i % kSums] += weight;
    if (args.round) {
      const Bf16 code = FloatToBf16(weight);
      memcpy(reinterpret_cast<uint8_t*>(args.scores) + i * sizeof code, &code, sizeof code);
    } else {
      args.scores[i] = weight;
    }
  }
  return {largest, Reduce(sums)};
}

void EntryCodesScalar(const EntryCodesArgs& args) {
  const size_t packed = args.format.head_dim - args.format.rope_dim;
  const uint8_t* scales = args.entry + packed;
  const uint8_t* rope = args.entry + RopeBegin(args.format);
  for (size_t i = 0; i < args.count; ++i) {
    const size_t channel = args.begin + i;
    if (channel < packed) {
      const float scale = E8m0ToFloat(scales[channel / 64]);
      args.codes[i] = FloatToBf16(E4m3ToFloat(args.entry[channel]) * scale);
    } else {
      memcpy(args.codes + i, rope + (channel - packed) * sizeof(Bf16), sizeof(Bf16));
    }
  }
}

void KeysByChannelScalar(const ArrangeArgs& args) {
  for (size_t i = 0; i < (args.width + 1) / 2 * 2; ++i) {
    Bf16* out = args.out + i / 2 * 2 * kKeyTile + i % 2;
    for (size_t key = 0; key < kKeyTile; ++key) {
      const bool there = key < args.count && i < args.width;
      out[2 * key] = there ? args.rows[key * args.stride + i] : Bf16{0};
    }
  }
}

void KeysByKeyScalar(const ArrangeArgs& args) {
  for (size_t key = 0; key < (args.count + 1) / 2 * 2; ++key) {
    Bf16* out = args.out + key / 2 * 2 * args.width + key % 2;
    for (size_t i = 0; i < args.width; ++i) {
      out[2 * i] = key < args.count ? args.rows[key * args.stride + i] : Bf16{0};
    }
  }
}

void CodesInPlaceScalar(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    float value;
    memcpy(&value, x + i, sizeof value);
    const Bf16 code = FloatToBf16(value);
    memcpy(reinterpret_cast<uint8_t*>(x) + i * sizeof code, &code, sizeof code);
  }
}

void ScaleScalar(float* x, size_t n, float factor, float divisor) {
  for (size_t i = 0; i < n; ++i) x[i] = x[i] * factor / divisor;
}

}  // namespace finback
