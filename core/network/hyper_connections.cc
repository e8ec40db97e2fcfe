#include "core/network/hyper_connections.h"

#include <algorithm>
#include <cmath>

namespace finback {
namespace {

// u = (fn * z) * rsqrt(mean(z^2) + eps) over the flattened streams z; [rows, fn.out].
float* Mix(const Compute& compute, const Linear& fn, const float* streams, size_t rows,
           Scratch* scratch) {
  const size_t width = fn.in, outs = fn.out;
  const Activation input = PrepareInput(compute, fn, streams, rows, scratch->hc_input.data());
  float* u = Project(compute, fn, input, Rounding::kNone, scratch->hc_mix.data());
  for (size_t row = 0; row < rows; ++row) {
    const double squares = compute.kernels.sum_of_squares(streams + row * width, width);
    const float mean = static_cast<float>(squares / static_cast<double>(width));
    const float scale = 1.0f / std::sqrt(mean + compute.config.rms_norm_eps);
    for (size_t i = 0; i < outs; ++i) u[row * outs + i] *= scale;
  }
  return u;
}

// out[row] = round(sum_j pre[row][j] * streams[row][j]); `pre` has `stride` floats per row.
const float* SumStreams(const Compute& compute, const float* pre, size_t stride,
                        const float* streams, size_t rows, float* out) {
  const size_t m = compute.sizes.streams, d = compute.sizes.hidden;
  compute.parallel.For(rows, RowGrain(m * d), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      compute.kernels.sum_streams({.streams = streams + row * m * d,
                                   .weight = pre + row * stride,
                                   .m = m,
                                   .n = d,
                                   .bf16 = compute.numerics.bf16,
                                   .y = out + row * d});
    }
  });
  return out;
}

}  // namespace

StreamMix ReadStreams(const Compute& compute, const HyperConnectionWeights& w, const float* streams,
                      size_t rows, Scratch* scratch) {
  const PhaseScope timed(compute.profile, Phase::kHyperConnections);
  const size_t m = compute.sizes.streams, outs = (2 + m) * m;
  const float eps = compute.config.hc_eps;
  float* u = Mix(compute, w.fn, streams, rows, scratch);
  float* posts = scratch->hc_post.data();
  float* combs = scratch->hc_comb.data();
  for (size_t row = 0; row < rows; ++row) {
    float* mix = u + row * outs;
    float* post = posts + row * m;
    float* comb = combs + row * m * m;
    for (size_t j = 0; j < 2 * m; ++j) mix[j] = mix[j] * w.scale[j / m] + w.base[j];
    compute.kernels.sigmoid(mix, 2 * m);
    for (size_t j = 0; j < m; ++j) {
      post[j] = 2 * mix[m + j];
      mix[j] += eps;
    }
    for (size_t i = 0; i < m * m; ++i) comb[i] = mix[2 * m + i] * w.scale[2] + w.base[2 * m + i];
    compute.kernels.sinkhorn(
        {.b = comb, .m = m, .iterations = compute.config.hc_sinkhorn_iterations, .eps = eps});
  }
  return {SumStreams(compute, u, outs, streams, rows, scratch->x.data()), posts, combs};
}

void WriteStreams(const Compute& compute, const StreamMix& mix, const float* y, size_t rows,
                  float* streams) {
  const PhaseScope timed(compute.profile, Phase::kHyperConnections);
  const size_t m = compute.sizes.streams, d = compute.sizes.hidden;
  compute.parallel.For(rows, RowGrain(m * d), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      compute.kernels.mix_streams({.y = y + row * d,
                                   .post = mix.post + row * m,
                                   .comb = mix.comb + row * m * m,
                                   .m = m,
                                   .n = d,
                                   .bf16 = compute.numerics.bf16,
                                   .streams = streams + row * m * d});
    }
  });
}

const float* JoinStreams(const Compute& compute, const HyperConnectionWeights& w,
                         const float* streams, size_t rows, Scratch* scratch) {
  const PhaseScope timed(compute.profile, Phase::kHyperConnections);
  const size_t m = compute.sizes.streams;
  float* u = Mix(compute, w.fn, streams, rows, scratch);
  for (size_t row = 0; row < rows; ++row) {
    float* mix = u + row * m;
    for (size_t j = 0; j < m; ++j) mix[j] = mix[j] * w.scale[0] + w.base[j];
    compute.kernels.sigmoid(mix, m);
    for (size_t j = 0; j < m; ++j) mix[j] += compute.config.hc_eps;
  }
  return SumStreams(compute, u, m, streams, rows, scratch->x.data());
}

}  // namespace finback
