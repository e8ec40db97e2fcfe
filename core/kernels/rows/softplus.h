// log(1 + e) for e in [0, 1]: 2 atanh(s) for s = e / (2 + e), by nine terms of its series, each
// operation rounded. s^2 <= 1/9, so what is left out is below 2^-32 of the result.
#pragma once

#include "core/kernels/attention/exp.h"

namespace finback {

static constexpr int kLogTerms = 8;
static constexpr float kLogSeries[kLogTerms] = {1.0f / 17, 1.0f / 15, 1.0f / 13, 1.0f / 11,
                                                1.0f / 9,  1.0f / 7,  1.0f / 5,  1.0f / 3};

static constexpr float LogOnePlus(float e) {
  const float s = e / (2.0f + e);
  const float z = s * s;
  float p = kLogSeries[0];
  for (int i = 1; i < kLogTerms; ++i) p = p * z + kLogSeries[i];
  return 2.0f * s * (p * z + 1.0f);
}

}  // namespace finback
