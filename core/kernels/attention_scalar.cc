// Attention tiles and index scores, the definition. Dot products and the sum of the softmax weights
// run in gemm.h's order; a value channel adds its keys in ascending order, in double.
#include "core/base/number_formats.h"
#include "core/kernels/exp.h"
#include "core/kernels/kernels.h"

namespace finback {
namespace {

// Of weight[count] in the order of gemm.h.
float Sum(const float* weight, size_t count) {
  float ones[kAttentionTile];
  for (size_t j = 0; j < count; ++j) ones[j] = 1.0f;
  return DotScalar(weight, ones, count);
}

}  // namespace

void AttentionTileScalar(const AttentionTileArgs& args) {
  float weight[kAttentionTile];
  for (size_t head = 0; head < args.heads; ++head) {
    const float* q = args.q + head * args.head_dim;
    float* acc = args.acc + head * args.head_dim;
    float largest = args.max[head];
    for (size_t j = 0; j < args.count; ++j) {
      weight[j] = DotScalar(q, args.keys + j * args.head_dim, args.head_dim) * args.scale;
      if (weight[j] > largest) largest = weight[j];
    }
    // While every score is -inf, weights relative to 0 are 0 and nothing becomes NaN.
    const float shift = largest == BitsToFloat(0xFF800000u) ? 0.0f : largest;
    const float correction = ExpNonPositive(args.max[head] - shift);
    for (size_t j = 0; j < args.count; ++j) weight[j] = ExpNonPositive(weight[j] - shift);
    args.sum[head] = args.sum[head] * correction + Sum(weight, args.count);
    args.max[head] = largest;
    for (size_t i = 0; i < args.head_dim; ++i) {
      double value = static_cast<double>(acc[i] * correction);
      for (size_t j = 0; j < args.count; ++j) {
        value +=
            static_cast<double>(weight[j]) * static_cast<double>(args.keys[j * args.head_dim + i]);
      }
      acc[i] = static_cast<float>(value);
    }
  }
}

void IndexScoreScalar(const IndexScoreArgs& args) {
  for (size_t key = 0; key < args.count; ++key) {
    float score = 0.0f;
    for (size_t head = 0; head < args.heads; ++head) {
      float dot = DotScalar(args.q + head * args.width, args.keys + key * args.width, args.width);
      if (args.round_bf16) dot = RoundBf16(dot);
      const float product = (dot > 0.0f ? dot : 0.0f) * args.weight[head];
      score += args.round_bf16 ? RoundBf16(product) : product;
    }
    args.score[key] = args.round_bf16 ? RoundBf16(score) : score;
  }
}

}  // namespace finback
