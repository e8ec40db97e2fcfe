#include "core/network/rotary.h"

#include <algorithm>
#include <cmath>

namespace finback {

RotaryFrequencies MakeRotaryFrequencies(const Config& config, RotaryKind kind) {
  const bool compressed = kind == RotaryKind::kCompressed;
  const int dims = config.rope_dim;
  const float base = compressed ? config.compress_rope_theta : config.rope_theta;
  RotaryFrequencies frequencies(static_cast<size_t>(dims / 2));
  for (int i = 0; i < dims / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dims);
    frequencies[i] = 1.0f / std::pow(base, exponent);
  }
  if (!compressed || config.yarn_original_positions <= 0) return frequencies;
  // YaRN: frequencies only; neither a magnitude factor nor a change of the softmax scale.
  const auto turns = [&](double n) {
    constexpr double kPi = 3.14159265358979323846;
    return dims * std::log(static_cast<double>(config.yarn_original_positions) / (n * 2 * kPi)) /
           (2 * std::log(static_cast<double>(base)));
  };
  const double low = std::max(std::floor(turns(config.yarn_beta_fast)), 0.0);
  const double high = std::min(std::ceil(turns(config.yarn_beta_slow)), dims - 1.0);
  const float width = static_cast<float>(high == low ? 0.001 : high - low);
  for (int i = 0; i < dims / 2; ++i) {
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / width, 0.0f, 1.0f);
    frequencies[i] = frequencies[i] / config.yarn_factor * ramp + frequencies[i] * (1 - ramp);
  }
  return frequencies;
}

void MakeRotaryAngles(const RotaryFrequencies& frequencies, size_t position, float* cosine,
                      float* sine) {
  for (size_t i = 0; i < frequencies.size(); ++i) {
    // The float32 rounding of the angle is part of the model's behaviour at long context.
    const float angle = static_cast<float>(position) * frequencies[i];
    cosine[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sine[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

}  // namespace finback
