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
constexpr size_t kStep = 2 * kLanes;  // of k: the odd ones, then the even ones
constexpr size_t kChunk = 1024;
constexpr size_t kRows = 64;

// Four floats, so that compilers take one instruction for four sums wherever there is one. (Of
// plain loops over every second element g++ 12 makes wrong code at -O3: seen on amd64.)
using Four = float __attribute__((vector_size(16)));

Four Load(const float* from) {
  Four four;
  memcpy(&four, from, sizeof four);
  return four;
}

// n is a multiple of kStep but for the last part of a row.
void Accumulate(const float* a, const float* b, size_t n, float* sums) {
  Four lane[kLanes / 4];
  memcpy(lane, sums, sizeof lane);
  const size_t full = n / kStep * kStep;
  for (size_t k = 0; k < full; k += kStep) {
    for (size_t l = 0; l < kLanes; l += 4) {
      const size_t i = k + 2 * l;
      const Four a_low = Load(a + i), a_high = Load(a + i + 4);
      const Four b_low = Load(b + i), b_high = Load(b + i + 4);
      lane[l / 4] += __builtin_shufflevector(a_low, a_high, 1, 3, 5, 7) *
                     __builtin_shufflevector(b_low, b_high, 1, 3, 5, 7);
      lane[l / 4] += __builtin_shufflevector(a_low, a_high, 0, 2, 4, 6) *
                     __builtin_shufflevector(b_low, b_high, 0, 2, 4, 6);
    }
  }
  memcpy(sums, lane, sizeof lane);
  for (size_t i = full + 1; i < n; i += 2) sums[(i - full) / 2] += a[i] * b[i];
  for (size_t i = full; i < n; i += 2) sums[(i - full) / 2] += a[i] * b[i];
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
