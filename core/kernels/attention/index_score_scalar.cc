// Index scores, the definition.
#include "core/kernels/kernels.h"

namespace finback {
namespace {

int DoubledCode(const uint8_t* packed, size_t i) {
  const int code = packed[i / 2] >> (i % 2 * 4) & 15;
  constexpr int kDoubled[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  return (code & 8) != 0 ? -kDoubled[code & 7] : kDoubled[code & 7];
}

}  // namespace

void IndexScoreScalar(const IndexScoreArgs& args) {
  const size_t bytes = IndexKeyBytes(args.width), scales = args.width / 2;
  for (size_t i = 0; i < args.count; ++i) {
    const uint8_t* key = args.keys + i * bytes;
    float score = 0.0f;
    for (size_t head = 0; head < args.heads; ++head) {
      const uint8_t* q = args.q + head * args.q_stride;
      float dot = 0.0f;
      for (size_t group = 0; group < args.width / kIndexGroup; ++group) {
        int sum = 0;
        for (size_t k = group * kIndexGroup; k < (group + 1) * kIndexGroup; ++k) {
          sum += DoubledCode(q, k) * DoubledCode(key, k);
        }
        dot += static_cast<float>(sum) * (E8m0ToFloat(q[scales + group]) * 0.25f) *
               E8m0ToFloat(key[scales + group]);
      }
      const float rounded = RoundBf16(dot);
      score += RoundBf16((rounded > 0.0f ? rounded : 0.0f) * args.weight[head]);
    }
    args.score[i] = ScoreCode(FloatToBf16(score));
  }
}

size_t CountAtLeastScalar(const int16_t* score, size_t count, int16_t least) {
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) found += score[i] >= least;
  return found;
}

void TakeAtLeastScalar(const int16_t* score, size_t count, const Threshold& what, int32_t* index) {
  size_t above = 0;
  for (size_t i = 0; i < count; ++i) above += score[i] > what.least;
  size_t ties = what.many - above;
  for (size_t i = 0; i < count; ++i) {
    if (score[i] < what.least || (score[i] == what.least && ties == 0)) continue;
    ties -= score[i] == what.least;
    *index++ = static_cast<int32_t>(i);
  }
}

}  // namespace finback
