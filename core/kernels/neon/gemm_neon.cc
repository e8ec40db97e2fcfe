// Products in float32 with plain NEON, and the dot product. x is read as it is: loads that take odd
// and even elements apart cost as much as two plain ones.
//
// Instructions per 32 weights, few rows, beside 8 FMA and 4 loads of x per row:
//   F32 4, BF16 12, FP8 34, FP4 24 (gemm_neon.h). Many rows, per 8 of k of a block: 12 FMA,
//   2 loads of x, 6 of weights.
#include "core/kernels/kernels.h"
#include "core/kernels/neon/gemm_neon_shapes.h"

#if defined(__ARM_NEON)

namespace finback {
namespace {

struct Float32Arithmetic {
  using Element = float;
  struct Vector {
    float32x4_t odd, even;
  };
  static Vector Input(const float* x) {
    const float32x4x2_t both = vld2q_f32(x);
    return {both.val[1], both.val[0]};
  }
  static Vector Decoded(const NeonPairs& w, int v) { return {w.odd[v], w.even[v]}; }
  // A panel has the odd 16 of 32, then the even ones.
  static Vector Weights(const float* panel, int v) {
    return {vld1q_f32(panel + 4 * v), vld1q_f32(panel + 16 + 4 * v)};
  }
  static void Store(const NeonPairs& w, float* to) {
    for (int v = 0; v < kNeonVectors; ++v) {
      vst1q_f32(to + 4 * v, w.odd[v]);
      vst1q_f32(to + 16 + 4 * v, w.even[v]);
    }
  }
  static float32x4_t Add(float32x4_t sum, const Vector& x, const Vector& w) {
    return vfmaq_f32(vfmaq_f32(sum, x.odd, w.odd), x.even, w.even);
  }
};

template <typename Format>
void GemmNeon(const GemmArgs& args) {
  NeonProduct<Float32Arithmetic, Format>::Multiply(args);
}

}  // namespace

void GemmF32Neon(const GemmArgs& args) { GemmNeon<NeonF32>(args); }
void GemmBf16Neon(const GemmArgs& args) { GemmNeon<NeonBf16>(args); }
void GemmFp8Neon(const GemmArgs& args) { GemmNeon<NeonFp8>(args); }
void GemmFp4Neon(const GemmArgs& args) { GemmNeon<NeonFp4>(args); }

float DotNeon(const float* a, const float* b, size_t n) {
  float32x4_t sums[kNeonVectors];
  for (int v = 0; v < kNeonVectors; ++v) sums[v] = vdupq_n_f32(0.0f);
  const auto add = [&sums](const float* x, const float* y) {
    for (int v = 0; v < kNeonVectors; ++v) {
      sums[v] = Float32Arithmetic::Add(sums[v], Float32Arithmetic::Input(x + 8 * v),
                                       Float32Arithmetic::Input(y + 8 * v));
    }
  };
  const size_t full = n / kNeonStep * kNeonStep;
  for (size_t k = 0; k < full; k += kNeonStep) add(a + k, b + k);
  if (full < n) {
    float tails[2][kNeonStep] = {};
    memcpy(tails[0], a + full, (n - full) * sizeof(float));
    memcpy(tails[1], b + full, (n - full) * sizeof(float));
    add(tails[0], tails[1]);
  }
  return ReduceSums(sums);
}

}  // namespace finback

#endif  // __ARM_NEON
