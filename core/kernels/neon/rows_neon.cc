// The steps of rows.h with the NEON of every 64-bit ARM: four float32, two double at a time. See
// rows_lanes.h.
#include "core/kernels/kernels.h"

#if defined(__ARM_NEON)

#include <arm_neon.h>

#include "core/kernels/rows/rows_lanes.h"

namespace finback {
namespace {

struct Neon {
  static constexpr int kLanes = 4;
  static float32x4_t SquareRoot(float32x4_t v) { return vsqrtq_f32(v); }
  static float64x2_t Wide(float32x2_t v) { return vcvt_f64_f32(v); }
  static float32x2_t Narrow(float64x2_t v) { return vcvt_f32_f64(v); }
  static float64x2_t MultiplyAdd(float64x2_t a, float64x2_t b, float64x2_t c) {
    return vfmaq_f64(c, a, b);
  }
};
using Step = Rows<Neon>;

}  // namespace

double SumOfSquaresNeon(const float* x, size_t n) { return Step::SumOfSquares(x, n); }
void RmsNormNeon(const RmsNormArgs& args) { Step::RmsNorm(args); }
void HeadNormNeon(const HeadNormArgs& args) { Step::HeadNorm(args); }
void RotateNeon(const RotateArgs& args) { Step::Rotate(args); }
void HadamardNeon(const HadamardArgs& args) {
  if (args.n < 4) return HadamardScalar(args);
  Step::Hadamard(args);
}
void SumStreamsNeon(const SumStreamsArgs& args) { Step::SumStreams(args); }
void MixStreamsNeon(const MixStreamsArgs& args) { Step::MixStreams(args); }
void SinkhornNeon(const SinkhornArgs& args) {
  if (args.m != 4) return SinkhornScalar(args);
  Step::Sinkhorn(args);
}
void SigmoidNeon(float* x, size_t n) { Step::Sigmoid(x, n); }
void SqrtSoftplusNeon(float* x, size_t n) { Step::SqrtSoftplus(x, n); }
void SwigluNeon(const SwigluArgs& args) { Step::Swiglu(args); }
void SumRowsNeon(const SumRowsArgs& args) { Step::SumRows(args); }
void PoolNeon(const PoolArgs& args) { Step::Pool(args); }

}  // namespace finback

#endif  // __ARM_NEON
