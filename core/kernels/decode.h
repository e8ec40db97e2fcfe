// Weights of one output decoded to float32, in the baseline instruction set: the scalar definition
// that the scalar and the BLAS products share. Not for files compiled with ISA flags.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/number_formats.h"
#include "core/kernels/gemm.h"

namespace finback {

struct E4m3Table {
  float value[256];
};
constexpr E4m3Table MakeE4m3Table() {
  E4m3Table table = {};
  for (int code = 0; code < 256; ++code)
    table.value[code] = E4m3ToFloat(static_cast<uint8_t>(code));
  return table;
}
inline constexpr E4m3Table kE4m3 = MakeE4m3Table();

// Each decoder writes out[i] = W[o, k + i] for i < n; `k` is a multiple of 128.
struct DecodeF32 {
  static void Run(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    memcpy(out, args.weight + (o * args.in + k) * sizeof(float), n * sizeof(float));
  }
};

struct DecodeBf16 {
  static void Run(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    const uint8_t* code = args.weight + (o * args.in + k) * sizeof(Bf16);
    for (size_t i = 0; i < n; ++i) {
      Bf16 value;
      memcpy(&value, code + i * sizeof value, sizeof value);
      out[i] = Bf16ToFloat(value);
    }
  }
};

struct DecodeFp8 {
  static void Run(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    const uint8_t* code = args.weight + o * args.in + k;
    const uint8_t* scale = args.scale + (o / 128) * ((args.in + 127) / 128) + k / 128;
    for (size_t begin = 0; begin < n; begin += 128) {
      const float factor = E8m0ToFloat(scale[begin / 128]);
      const size_t end = begin + 128 < n ? begin + 128 : n;
      for (size_t i = begin; i < end; ++i) out[i] = kE4m3.value[code[i]] * factor;
    }
  }
};

struct DecodeFp4 {
  static void Run(const GemmArgs& args, size_t o, size_t k, size_t n, float* out) {
    const uint8_t* code = args.weight + (o * args.in + k) / 2;
    const uint8_t* scale = args.scale + (o * args.in + k) / 32;
    for (size_t i = 0; i < n; i += 2) {
      const float factor = E8m0ToFloat(scale[i / 32]);
      out[i] = E2m1ToFloat(code[i / 2] & 15) * factor;
      out[i + 1] = E2m1ToFloat(code[i / 2] >> 4) * factor;
    }
  }
};

}  // namespace finback
