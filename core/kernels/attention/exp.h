// exp(x) for x <= 0: one sequence of separately rounded operations that every ISA repeats, so that
// softmax weights agree bit for bit. Within 2 ulp; below -87 the result is 0.
// Argument reduction by multiples of ln 2 and the degree-6 polynomial are the classic
// single-precision ones (Cephes).
#pragma once

#include <stdint.h>

#include "core/base/number_formats.h"

namespace finback {

static constexpr float kExpLowest = -87.0f;
static constexpr float kExpLog2e = 1.44269504088896341f;
static constexpr float kExpRound = 12582912.0f;     // 1.5 * 2^23: adding it rounds to an integer
static constexpr float kExpLn2High = 0.693359375f;  // 9 bits: multiples up to 2^15 are exact
static constexpr float kExpLn2Low = -2.12194440e-4f;
static constexpr float kExpPoly[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                      4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

static constexpr float ExpNonPositive(float x) {
  if (!(x >= kExpLowest)) return 0.0f;
  const float rounded = x * kExpLog2e + kExpRound;
  const float n = rounded - kExpRound;
  const float r = (x - n * kExpLn2High) - n * kExpLn2Low;
  float p = kExpPoly[0];
  for (int i = 1; i < 6; ++i) p = p * r + kExpPoly[i];
  const float y = (p * (r * r) + r) + 1.0f;
  const uint32_t exponent = FloatToBits(rounded) - FloatToBits(kExpRound) + 127u;
  return y * BitsToFloat(exponent << 23);
}

}  // namespace finback
