// The steps of rows.h with AVX-512: sixteen float32, eight double at a time. See rows_lanes.h.
#include <immintrin.h>

#include "core/kernels/kernels.h"

#if defined(__AVX512F__)

#include "core/kernels/rows/rows_lanes.h"

namespace finback {
namespace {

struct Avx512 {
  static constexpr int kLanes = 16;
  static __m512 SquareRoot(__m512 v) { return _mm512_sqrt_ps(v); }
  static __m512d Wide(__m256 v) { return _mm512_cvtps_pd(v); }
  static __m256 Narrow(__m512d v) { return _mm512_cvtpd_ps(v); }
  static __m512d MultiplyAdd(__m512d a, __m512d b, __m512d c) { return _mm512_fmadd_pd(a, b, c); }
};
using Step = Rows<Avx512>;

}  // namespace

double SumOfSquaresAvx512(const float* x, size_t n) { return Step::SumOfSquares(x, n); }
void RmsNormAvx512(const RmsNormArgs& args) { Step::RmsNorm(args); }
void HeadNormAvx512(const HeadNormArgs& args) { Step::HeadNorm(args); }
void RotateAvx512(const RotateArgs& args) { Step::Rotate(args); }
void HadamardAvx512(const HadamardArgs& args) {
  if (args.n < 8) return HadamardScalar(args);
  Step::Hadamard(args);
}
void SumStreamsAvx512(const SumStreamsArgs& args) { Step::SumStreams(args); }
void MixStreamsAvx512(const MixStreamsArgs& args) { Step::MixStreams(args); }
void SinkhornAvx512(const SinkhornArgs& args) {
  if (args.m != 4) return SinkhornScalar(args);
  Step::Sinkhorn(args);
}
void SigmoidAvx512(float* x, size_t n) { Step::Sigmoid(x, n); }
void SqrtSoftplusAvx512(float* x, size_t n) { Step::SqrtSoftplus(x, n); }
void SwigluAvx512(const SwigluArgs& args) { Step::Swiglu(args); }
void SumRowsAvx512(const SumRowsArgs& args) { Step::SumRows(args); }
void PoolAvx512(const PoolArgs& args) { Step::Pool(args); }

}  // namespace finback

#endif
