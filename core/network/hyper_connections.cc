#include "core/network/hyper_connections.h"

#include <algorithm>
#include <cmath>

namespace finback {
namespace {

float Sigmoid(float value) {
  const double x = static_cast<double>(value);
  return static_cast<float>(x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)));
}

// u = (fn * z) * rsqrt(mean(z^2) + eps) over the flattened streams z; [rows, fn.out].
float* Mix(const Compute& compute, const Linear& fn, const float* streams, size_t rows,
           Scratch* scratch) {
  const size_t width = fn.in, outs = fn.out;
  const Activation input = PrepareInput(compute, fn, streams, rows, scratch->hc_input.data());
  float* u = Project(compute, fn, input, Rounding::kNone, scratch->hc_mix.data());
  for (size_t row = 0; row < rows; ++row) {
    const double squares = SumOfSquares(streams + row * width, width);
    const float mean = static_cast<float>(squares / static_cast<double>(width));
    const float scale = 1.0f / std::sqrt(mean + compute.config.rms_norm_eps);
    for (size_t i = 0; i < outs; ++i) u[row * outs + i] *= scale;
  }
  return u;
}

// Row softmax plus eps, a column pass, then row and column passes: b [m (source), m (destination)].
void Sinkhorn(float* b, size_t m, int iterations, float eps) {
  const auto columns = [&] {
    for (size_t k = 0; k < m; ++k) {
      float sum = 0;
      for (size_t j = 0; j < m; ++j) sum += b[j * m + k];
      for (size_t j = 0; j < m; ++j) b[j * m + k] /= sum + eps;
    }
  };
  for (size_t j = 0; j < m; ++j) {
    float* row = b + j * m;
    const float top = *std::max_element(row, row + m);
    float sum = 0;
    for (size_t k = 0; k < m; ++k) sum += row[k] = std::exp(row[k] - top);
    for (size_t k = 0; k < m; ++k) row[k] = row[k] / sum + eps;
  }
  columns();
  for (int i = 1; i < iterations; ++i) {
    for (size_t j = 0; j < m; ++j) {
      float* row = b + j * m;
      float sum = 0;
      for (size_t k = 0; k < m; ++k) sum += row[k];
      for (size_t k = 0; k < m; ++k) row[k] /= sum + eps;
    }
    columns();
  }
}

// Sums over streams run in double: they are few, and every flip of a bfloat16 rounding here would
// travel through all later layers.
//
// out[row] = round(sum_j pre[row][j] * streams[row][j]); `pre` has `stride` floats per row.
const float* SumStreams(const Compute& compute, const float* pre, size_t stride,
                        const float* streams, size_t rows, float* out) {
  const size_t m = compute.sizes.streams;
  const size_t d = compute.sizes.hidden;
  compute.parallel.For(rows, RowGrain(m * d), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const float* from = streams + row * m * d;
      float* to = out + row * d;
      for (size_t i = 0; i < d; ++i) {
        double sum = 0;
        for (size_t j = 0; j < m; ++j) {
          sum += static_cast<double>(pre[row * stride + j]) * from[j * d + i];
        }
        to[i] = static_cast<float>(sum);
      }
      compute.RoundBf16(to, d);
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
    for (size_t j = 0; j < m; ++j) {
      post[j] = 2 * Sigmoid(mix[m + j] * w.scale[1] + w.base[m + j]);
      mix[j] = Sigmoid(mix[j] * w.scale[0] + w.base[j]) + eps;
    }
    for (size_t i = 0; i < m * m; ++i) comb[i] = mix[2 * m + i] * w.scale[2] + w.base[2 * m + i];
    Sinkhorn(comb, m, compute.config.hc_sinkhorn_iterations, eps);
  }
  return {SumStreams(compute, u, outs, streams, rows, scratch->x.data()), posts, combs};
}

void WriteStreams(const Compute& compute, const StreamMix& mix, const float* y, size_t rows,
                  float* streams) {
  const PhaseScope timed(compute.profile, Phase::kHyperConnections);
  constexpr size_t kMaxStreams = 16;  // bounded by the config
  const size_t m = compute.sizes.streams, d = compute.sizes.hidden;
  compute.parallel.For(rows, RowGrain(m * d), [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) {
      const float* post = mix.post + row * m;
      const float* comb = mix.comb + row * m * m;
      float* stream = streams + row * m * d;
      for (size_t i = 0; i < d; ++i) {
        float old[kMaxStreams];
        for (size_t j = 0; j < m; ++j) old[j] = stream[j * d + i];
        for (size_t k = 0; k < m; ++k) {
          double sum = static_cast<double>(post[k]) * y[row * d + i];
          for (size_t j = 0; j < m; ++j) sum += static_cast<double>(comb[j * m + k]) * old[j];
          stream[k * d + i] = static_cast<float>(sum);
        }
      }
      compute.RoundBf16(stream, m * d);
    }
  });
}

const float* JoinStreams(const Compute& compute, const HyperConnectionWeights& w,
                         const float* streams, size_t rows, Scratch* scratch) {
  const PhaseScope timed(compute.profile, Phase::kHyperConnections);
  const size_t m = compute.sizes.streams;
  float* u = Mix(compute, w.fn, streams, rows, scratch);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t j = 0; j < m; ++j) {
      u[row * m + j] = Sigmoid(u[row * m + j] * w.scale[0] + w.base[j]) + compute.config.hc_eps;
    }
  }
  return SumStreams(compute, u, m, streams, rows, scratch->x.data());
}

}  // namespace finback
