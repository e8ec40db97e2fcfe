// What a packed kv entry (KvFormat of quantize.h) has at any address, for all kernels: where its
// bfloat16 channels are, and these.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/number_formats.h"
#include "core/kernels/quantize.h"

namespace finback {

// Where the bfloat16 channels begin: behind the others and their scales.
static inline size_t RopeBegin(const KvFormat& format) {
  const size_t channels = format.head_dim - format.rope_dim;
  return channels + channels / kKvBlock;
}

// n values to their codes.
static inline void PackRope(const float* values, size_t n, uint8_t* codes) {
  for (size_t i = 0; i < n; ++i) {
    const Bf16 code = FloatToBf16(values[i]);
    memcpy(codes + i * sizeof code, &code, sizeof code);
  }
}

// n codes to their values.
static inline void UnpackRope(const uint8_t* codes, size_t n, float* values) {
  for (size_t i = 0; i < n; ++i) {
    Bf16 code;
    memcpy(&code, codes + i * sizeof code, sizeof code);
    values[i] = Bf16ToFloat(code);
  }
}

}  // namespace finback
