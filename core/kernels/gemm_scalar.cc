// y[row, o] = sum_k x[row, k] * W[o, k], the definition: one output at a time, its weights decoded
// once per block of rows, 16 partial sums per row carried from chunk to chunk of K.
//
//   weights  [kChunk]          4 KB, decoded
//   sums     [kRows][16]       4 KB
//
// Multiply and add round separately: the same bits as a fused multiply-add wherever products are
// exact, and no libm call on machines without one.
#include "core/kernels/decode.h"
#include "core/kernels/gemm.h"

namespace finback {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kChunk = 1024;
constexpr size_t kRows = 64;

void Accumulate(const float* a, const float* b, size_t n, float* sums) {
  float lane[kLanes];
  memcpy(lane, sums, sizeof lane);
  size_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lane[l] += a[k + l] * b[k + l];
  }
  for (size_t l = 0; k + l < n; ++l) lane[l] += a[k + l] * b[k + l];
  memcpy(sums, lane, sizeof lane);
}

float Reduce(const float* sums) {
  float lane[kLanes];
  memcpy(lane, sums, sizeof lane);
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  }
  return lane[0];
}

template <typename Decode>
void GemmScalar(const GemmArgs& args) {
  float weights[kChunk];
  float sums[kRows][kLanes];
  for (size_t first = 0; first < args.rows; first += kRows) {
    const size_t rows = args.rows - first < kRows ? args.rows - first : kRows;
    for (size_t o = args.out_begin; o < args.out_end; ++o) {
      memset(sums, 0, rows * sizeof sums[0]);
      for (size_t k = 0; k < args.in; k += kChunk) {
        const size_t n = args.in - k < kChunk ? args.in - k : kChunk;
        Decode::Run(args, o, k, n, weights);
        for (size_t row = 0; row < rows; ++row) {
          Accumulate(args.x + (first + row) * args.x_stride + k, weights, n, sums[row]);
        }
      }
      for (size_t row = 0; row < rows; ++row) {
        args.y[(first + row) * args.y_stride + (o - args.y_origin)] = Reduce(sums[row]);
      }
    }
  }
}

}  // namespace

void GemmF32Scalar(const GemmArgs& args) { GemmScalar<DecodeF32>(args); }
void GemmBf16Scalar(const GemmArgs& args) { GemmScalar<DecodeBf16>(args); }
void GemmFp8Scalar(const GemmArgs& args) { GemmScalar<DecodeFp8>(args); }
void GemmFp4Scalar(const GemmArgs& args) { GemmScalar<DecodeFp4>(args); }

float DotScalar(const float* a, const float* b, size_t n) {
  float sums[kLanes] = {};
  Accumulate(a, b, n, sums);
  return Reduce(sums);
}

}  // namespace finback
