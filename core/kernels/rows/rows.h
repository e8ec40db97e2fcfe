// The small steps between products, over one row of activations. Every kernel gives the bits of
// its scalar twin, which is the definition: operations are rounded one by one in the order that is
// written here, but for products of float32 that are added in double, which are exact. exp is that
// of exp.h; where `bf16` is set, results are rounded to bfloat16.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace finback {

// The sum of x[i]^2, in double: 32 partial sums, sum l taking i = l, l + 32, ... ascending, then
// reduced pairwise: l + (l + 16), then + 8, + 4, + 2, + 1.
using SumOfSquaresFunction = double (*)(const float* x, size_t n);

struct RmsNormArgs {
  const float* x;       // [n]
  const float* weight;  // [n]
  size_t n;
  float eps;
  bool bf16;
  float* y;  // [n], may be x
};
// y = weight * (x * (1 / sqrt(mean + eps))), mean = float(sum of squares / n).
using RmsNormFunction = void (*)(const RmsNormArgs& args);

struct HeadNormArgs {
  float* x;  // [n], in place
  size_t n;
  float eps;
  bool bf16;  // every step is rounded: squares, mean, mean + eps, its root's inverse, the result
};
// x = x * (1 / sqrt(mean + eps)); squares are float32 here, their sum as above.
using HeadNormFunction = void (*)(const HeadNormArgs& args);

struct RotateArgs {
  const float* cosine;  // [pairs]
  const float* sine;    // [pairs]
  size_t pairs;
  bool inverse;  // turns back
  bool bf16;
  float* x;  // [2 * pairs], in place
};
// (a, b) = (a * cosine - b * sine, a * sine + b * cosine) for each pair of neighbours.
using RotateFunction = void (*)(const RotateArgs& args);

struct HadamardArgs {
  float* x;  // [n], in place
  size_t n;  // a power of two
  bool bf16;
};
// x = H x / sqrt(n), H the Sylvester matrix in natural order: butterflies, strides ascending.
using HadamardFunction = void (*)(const HadamardArgs& args);

static constexpr size_t kMaxStreams = 16;

struct SumStreamsArgs {
  const float* streams;  // [m, n]
  const float* weight;   // [m]
  size_t m, n;           // m <= kMaxStreams
  bool bf16;
  float* y;  // [n]
};
// y = sum over j ascending of weight[j] * streams[j], in double.
using SumStreamsFunction = void (*)(const SumStreamsArgs& args);

struct MixStreamsArgs {
  const float* y;     // [n]
  const float* post;  // [m]
  const float* comb;  // [m (source), m (destination)]
  size_t m, n;        // m <= kMaxStreams
  bool bf16;
  float* streams;  // [m, n], in place
};
// streams[k] = post[k] * y + sum over j ascending of comb[j][k] * streams[j], in double. Few terms,
// and every flip of a bfloat16 rounding here would travel through all later layers.
using MixStreamsFunction = void (*)(const MixStreamsArgs& args);

// b [m (source), m (destination)] in place: a softmax of every row plus eps and a division of
// columns by their sum + eps; then, iterations - 1 times, of rows, then of columns. Sums ascend.
struct SinkhornArgs {
  float* b;
  size_t m;
  int iterations;
  float eps;
};
using SinkhornFunction = void (*)(const SinkhornArgs& args);

// x[n] in place: e = exp(-|x|), (x >= 0 ? 1 : e) / (1 + e).
using SigmoidFunction = void (*)(float* x, size_t n);

// x[n] in place: sqrt(max(x, 0) + log(1 + exp(-|x|))); log as in softplus.h.
using SqrtSoftplusFunction = void (*)(float* x, size_t n);

struct SwigluArgs {
  const float* up;  // [n]
  size_t n;
  float limit;   // > 0: gate <= limit, |up| <= limit
  float weight;  // of the expert
  bool bf16;
  float* gate;  // [n], in place
};
// gate = weight * (gate * s / (1 + e) * up), e = exp(-|gate|), s = gate >= 0 ? 1 : e.
using SwigluFunction = void (*)(const SwigluArgs& args);

struct SumRowsArgs {
  const float* x;      // [.., n]
  const int32_t* row;  // [count] of x
  size_t count, n;
  bool bf16;
  float* y;  // [n]
};
// y = 0 + x[row[0]] + x[row[1]] + ...
using SumRowsFunction = void (*)(const SumRowsArgs& args);

struct PoolArgs {
  const float* gate;   // [n]
  const float* value;  // [n]
  const float* top;    // [n] the largest gate, so far or of all
  size_t n;
  float* total;  // [n] += exp(gate - top)
  float* sum;    // [n] += exp(gate - top) * value
};
// One step of a softmax-weighted sum, channel by channel.
using PoolFunction = void (*)(const PoolArgs& args);

}  // namespace finback
