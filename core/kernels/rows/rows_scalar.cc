// The steps between products, the definition (rows.h).
#include "core/base/number_formats.h"
#include "core/kernels/attention/exp.h"
#include "core/kernels/kernels.h"
#include "core/kernels/rows/softplus.h"

namespace finback {
namespace {

constexpr size_t kSums = 32;

double Reduce(double* sum) {
  for (size_t half = kSums / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) sum[l] += sum[l + half];
  }
  return sum[0];
}

float Rounded(float value, bool bf16) { return bf16 ? RoundBf16(value) : value; }

float Magnitude(float x) { return BitsToFloat(FloatToBits(x) & 0x7FFFFFFFu); }

void DivideColumns(float* b, size_t m, float eps) {
  for (size_t k = 0; k < m; ++k) {
    float sum = 0.0f;
    for (size_t j = 0; j < m; ++j) sum += b[j * m + k];
    for (size_t j = 0; j < m; ++j) b[j * m + k] /= sum + eps;
  }
}

void DivideRows(float* b, size_t m, float eps) {
  for (size_t j = 0; j < m; ++j) {
    float* row = b + j * m;
    float sum = 0.0f;
    for (size_t k = 0; k < m; ++k) sum += row[k];
    for (size_t k = 0; k < m; ++k) row[k] /= sum + eps;
  }
}

}  // namespace

double SumOfSquaresScalar(const float* x, size_t n) {
  double sum[kSums] = {};
  for (size_t i = 0; i < n; ++i) sum[i % kSums] += static_cast<double>(x[i]) * x[i];
  return Reduce(sum);
}

void RmsNormScalar(const RmsNormArgs& args) {
  const double squares = SumOfSquaresScalar(args.x, args.n);
  const float mean = static_cast<float>(squares / static_cast<double>(args.n));
  const float scale = 1.0f / __builtin_sqrtf(mean + args.eps);
  for (size_t i = 0; i < args.n; ++i) {
    args.y[i] = Rounded(args.weight[i] * (args.x[i] * scale), args.bf16);
  }
}

void HeadNormScalar(const HeadNormArgs& args) {
  double sum[kSums] = {};
  for (size_t i = 0; i < args.n; ++i) {
    sum[i % kSums] += static_cast<double>(Rounded(args.x[i] * args.x[i], args.bf16));
  }
  const double squares = Reduce(sum);
  float mean = Rounded(static_cast<float>(squares / static_cast<double>(args.n)), args.bf16);
  mean = Rounded(mean + args.eps, args.bf16);
  const float scale = Rounded(1.0f / __builtin_sqrtf(mean), args.bf16);
  for (size_t i = 0; i < args.n; ++i) args.x[i] = Rounded(args.x[i] * scale, args.bf16);
}

void RotateScalar(const RotateArgs& args) {
  for (size_t i = 0; i < args.pairs; ++i) {
    const float a = args.x[2 * i], b = args.x[2 * i + 1];
    const float c = args.cosine[i], s = args.inverse ? -args.sine[i] : args.sine[i];
    args.x[2 * i] = Rounded(a * c - b * s, args.bf16);
    args.x[2 * i + 1] = Rounded(a * s + b * c, args.bf16);
  }
}

void HadamardScalar(const HadamardArgs& args) {
  float* x = args.x;
  for (size_t half = 1; half < args.n; half *= 2) {
    for (size_t block = 0; block < args.n; block += 2 * half) {
      for (size_t i = block; i < block + half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a + b;
        x[i + half] = a - b;
      }
    }
  }
  const float scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(args.n)));
  for (size_t i = 0; i < args.n; ++i) x[i] = Rounded(x[i] * scale, args.bf16);
}

void SumStreamsScalar(const SumStreamsArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    double sum = 0.0;
    for (size_t j = 0; j < args.m; ++j) {
      sum += static_cast<double>(args.weight[j]) * args.streams[j * args.n + i];
    }
    args.y[i] = Rounded(static_cast<float>(sum), args.bf16);
  }
}

void MixStreamsScalar(const MixStreamsArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    float old[kMaxStreams];
    for (size_t j = 0; j < args.m; ++j) old[j] = args.streams[j * args.n + i];
    for (size_t k = 0; k < args.m; ++k) {
      double sum = static_cast<double>(args.post[k]) * args.y[i];
      for (size_t j = 0; j < args.m; ++j) {
        sum += static_cast<double>(args.comb[j * args.m + k]) * old[j];
      }
      args.streams[k * args.n + i] = Rounded(static_cast<float>(sum), args.bf16);
    }
  }
}

void SinkhornScalar(const SinkhornArgs& args) {
  const size_t m = args.m;
  for (size_t j = 0; j < m; ++j) {
    float* row = args.b + j * m;
    float top = row[0], sum = 0.0f;
    for (size_t k = 1; k < m; ++k) top = top < row[k] ? row[k] : top;
    for (size_t k = 0; k < m; ++k) sum += row[k] = ExpNonPositive(row[k] - top);
    for (size_t k = 0; k < m; ++k) row[k] = row[k] / sum + args.eps;
  }
  DivideColumns(args.b, m, args.eps);
  for (int i = 1; i < args.iterations; ++i) {
    DivideRows(args.b, m, args.eps);
    DivideColumns(args.b, m, args.eps);
  }
}

void SigmoidScalar(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float e = ExpNonPositive(-Magnitude(x[i]));
    x[i] = (x[i] >= 0.0f ? 1.0f : e) / (1.0f + e);
  }
}

void SqrtSoftplusScalar(float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float above = x[i] > 0.0f ? x[i] : 0.0f;
    x[i] = __builtin_sqrtf(above + LogOnePlus(ExpNonPositive(-Magnitude(x[i]))));
  }
}

void SwigluScalar(const SwigluArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    float g = args.gate[i], u = args.up[i];
    if (args.limit > 0.0f) {
      g = args.limit < g ? args.limit : g;
      u = u < -args.limit ? -args.limit : args.limit < u ? args.limit : u;
    }
    const float e = ExpNonPositive(-Magnitude(g));
    const float h = g * (g >= 0.0f ? 1.0f : e) / (1.0f + e) * u;
    args.gate[i] = Rounded(args.weight * h, args.bf16);
  }
}

void SumRowsScalar(const SumRowsArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    float sum = 0.0f;
    for (size_t j = 0; j < args.count; ++j) {
      sum += args.x[static_cast<size_t>(args.row[j]) * args.n + i];
    }
    args.y[i] = Rounded(sum, args.bf16);
  }
}

void PoolScalar(const PoolArgs& args) {
  for (size_t i = 0; i < args.n; ++i) {
    const float weight = ExpNonPositive(args.gate[i] - args.top[i]);
    args.total[i] += weight;
    args.sum[i] += weight * args.value[i];
  }
}

}  // namespace finback
