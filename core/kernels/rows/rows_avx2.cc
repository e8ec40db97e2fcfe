// The steps of rows.h with AVX2 and FMA: eight float32, four double at a time. See rows_lanes.h.
#include <immintrin.h>

#include "core/kernels/kernels.h"

#if defined(__AVX2__)

#include "core/kernels/rows/rows_lanes.h"

namespace finback {
namespace {

struct Avx2 {
  static constexpr int kLanes = 8;
  static __m256 SquareRoot(__m256 v) { return _mm256_sqrt_ps(v); }
  static __m256d Wide(__m128 v) { return _mm256_cvtps_pd(v); }
  static __m128 Narrow(__m256d v) { return _mm256_cvtpd_ps(v); }
  static __m256d MultiplyAdd(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
};
using Step = Rows<Avx2>;

}  // namespace

double SumOfSquaresAvx2(const float* x, size_t n) { return Step::SumOfSquares(x, n); }
void RmsNormAvx2(const RmsNormArgs& args) { Step::RmsNorm(args); }
void HeadNormAvx2(const HeadNormArgs& args) { Step::HeadNorm(args); }
void RotateAvx2(const RotateArgs& args) { Step::Rotate(args); }
void HadamardAvx2(const HadamardArgs& args) {
  if (args.n < 8) return HadamardScalar(args);
  Step::Hadamard(args);
}
void SumStreamsAvx2(const SumStreamsArgs& args) { Step::SumStreams(args); }
void MixStreamsAvx2(const MixStreamsArgs& args) { Step::MixStreams(args); }
void SinkhornAvx2(const SinkhornArgs& args) {
  if (args.m != 4) return SinkhornScalar(args);
  Step::Sinkhorn(args);
}
void SigmoidAvx2(float* x, size_t n) { Step::Sigmoid(x, n); }
void SqrtSoftplusAvx2(float* x, size_t n) { Step::SqrtSoftplus(x, n); }
void SwigluAvx2(const SwigluArgs& args) { Step::Swiglu(args); }
void SumRowsAvx2(const SumRowsArgs& args) { Step::SumRows(args); }
void PoolAvx2(const PoolArgs& args) { Step::Pool(args); }

}  // namespace finback

#endif
