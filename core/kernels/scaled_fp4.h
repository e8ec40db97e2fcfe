// E2M1 values times their scale, for the look-up tables of the FP4 products.
#pragma once

#include <stdint.h>

#include "core/base/number_formats.h"

namespace finback {

// The float32 bits of code's value times 2^(scale - 127): exact, from subnormals to infinity; NaN
// for scale 255. An overflow is spelled out, because constant expressions must not have one.
static constexpr uint32_t ScaledE2m1Bits(int scale, int code) {
  const float value = E2m1ToFloat(static_cast<uint8_t>(code & 7));
  const uint32_t magnitude = FloatToBits(value);
  uint32_t bits = 0;
  if (scale == 255) {
    bits = 0x7FC00000u;
  } else if (magnitude != 0 && (magnitude >> 23) + static_cast<uint32_t>(scale) >= 127 + 255) {
    bits = 0x7F800000u;
  } else {
    bits = FloatToBits(value * PowerOfTwo(scale - 127));
  }
  return (code & 8) != 0 ? bits | 0x80000000u : bits;
}

}  // namespace finback
