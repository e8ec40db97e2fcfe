// Scores of index keys by whole numbers: E2M1 values are multiples of 1/2 up to 6, so dots of 32 of
// them are small integers times a power of two, exact in any order.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/base/number_formats.h"

namespace finback {

static constexpr size_t kMaxIndexWidth = 128;  // channels of a key that SIMD kernels take
static constexpr size_t kIndexGroup = 32;      // channels of one scale

static constexpr size_t IndexKeyBytes(size_t width) { return width / 2 + width / kIndexGroup; }

// score = sum over heads, ascending, of round(relu(round(dot)) * weight), rounded: all to bfloat16,
// the sum in float32. dot = t0 + t1 + ... of the groups in order, t = (integer dot of doubled codes
// * (scale of q / 4)) * scale of key.
struct IndexScoreArgs {
  const uint8_t* q;  // [heads] packed as keys are (quantize.h), q_stride bytes apart
  size_t q_stride;
  const float* weight;  // [heads]
  const uint8_t* keys;  // [count] packed, one after the other
  size_t heads, width, count;
  int16_t* score;  // [count] ScoreCode of each
};
using IndexScoreFunction = void (*)(const IndexScoreArgs& args);

// What kernels of kMaxIndexWidth channels ask that multiply by powers of two in another order: that
// all products, their roundings to bfloat16 and sums of 64 such are zero or normal. They reach from
// 2^-2 * 2^-80 * 2^-37 = 2^-119, whose roundings end at 2^-126, to 2^21 * 2^80 * 2^15 * 64 = 2^122.
static constexpr int kLeastPlainScale = 127 - 40, kMostPlainScale = 127 + 40;
static constexpr int kMostExcess = 3;  // of a group's scale over the least, as a power of two
static constexpr bool IsPlainWeight(float weight) {
  const float size = weight < 0.0f ? -weight : weight;
  return size == 0.0f || (size >= 0x1p-37f && size < 0x1p15f);
}
// The least of a query's scales; -1 if they are not so, or a dot of bytes would not hold them.
static constexpr int LeastPlainScale(const uint8_t* scale) {
  int least = scale[0], most = scale[0];
  for (size_t group = 1; group < kMaxIndexWidth / kIndexGroup; ++group) {
    least = scale[group] < least ? scale[group] : least;
    most = scale[group] > most ? scale[group] : most;
  }
  const bool is_plain = least >= kLeastPlainScale && most <= kMostPlainScale;
  return is_plain && most - least <= kMostExcess ? least : -1;
}

// Codes of bfloat16 values that order as they do: -0 is 0, NaN ranks with -inf, below all else.
static constexpr int16_t kLowestScore = -32641;
static constexpr int16_t ScoreCode(Bf16 value) {
  if ((value & 0x7FFF) > 0x7F80) return kLowestScore;
  if (value == 0x8000) return 0;
  return static_cast<int16_t>((value & 0x8000) != 0 ? value ^ 0x7FFF : value);
}

// How many of score[count] are at least `least`.
using CountAtLeastFunction = size_t (*)(const int16_t* score, size_t count, int16_t least);

// The indices, ascending, of `many` scores that are at least `least`: all that are above it, and
// the first of those that are equal to it. That many there are, and fewer above it.
struct Threshold {
  int16_t least;
  size_t many;
};
using TakeAtLeastFunction = void (*)(const int16_t* score, size_t count, const Threshold& what,
                                     int32_t* index);

}  // namespace finback
