// Rotary position embedding on the last channels of a head, interleaved pairs (docs/architecture.md
// 3.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/checkpoint/config.h"

namespace finback {

using RotaryFrequencies = std::vector<float>;  // [rope_dim / 2]

// Layers with compression have a base of their own, and YaRN.
enum class RotaryKind : uint8_t { kPlain, kCompressed };
RotaryFrequencies MakeRotaryFrequencies(const Config& config, RotaryKind kind);

// cos and sin of float32(position * frequency), [pairs] each, accurate to float32.
void MakeRotaryAngles(const RotaryFrequencies& frequencies, size_t position, float* cosine,
                      float* sine);

// The angles of one position, or of the first of several rows.
struct RotaryAngles {
  const float* cosine;
  const float* sine;
  size_t pairs;

  RotaryAngles Row(size_t row) const { return {cosine + row * pairs, sine + row * pairs, pairs}; }
};

}  // namespace finback
