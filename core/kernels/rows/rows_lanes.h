// The steps of rows.h on vectors of any width, for the files that are compiled for one instruction
// set: they name the lanes of a vector of float32, its square root, and conversion and fused
// multiply-add of half as many doubles, and get the same bits from the same operations. Rows are
// contiguous; the last vector of a row is loaded and stored in part.
//
//   sum of squares, norms   per 32: loads, 32 conversions to double, 32 fused adds in 32 chains
//   streams (m = 4)         per lane: 5 loads, 5 conversions, 20 fused multiply-adds in double
//   gates                   per lane: 20 to 40 operations, one or two divisions
//
// Limit: conversions and multiply-adds of doubles for streams, divisions for gates; a few
// microseconds for the widest row.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/number_formats.h"
#include "core/kernels/attention/exp.h"
#include "core/kernels/rows/rows.h"
#include "core/kernels/rows/softplus.h"

namespace finback {
namespace {

template <int kCount>
struct Vector {
  typedef float F __attribute__((vector_size(kCount * 4)));
  typedef int32_t I __attribute__((vector_size(kCount * 4)));
  typedef uint32_t U __attribute__((vector_size(kCount * 4)));
  typedef double D __attribute__((vector_size(kCount * 8)));

  static F Load(const float* x) {
    F v;
    memcpy(&v, x, sizeof v);
    return v;
  }
  static void Store(F v, float* x) { memcpy(x, &v, sizeof v); }
  static F LoadPart(const float* x, size_t count) {
    if (count >= kCount) return Load(x);
    F v = {};
    memcpy(&v, x, count * sizeof(float));
    return v;
  }
  static void StorePart(F v, float* x, size_t count) {
    if (count >= kCount) return Store(v, x);
    memcpy(x, &v, count * sizeof(float));
  }
  static F Set(float value) { return value - F{}; }
  static F Choose(I mask, F yes, F no) {
    return reinterpret_cast<F>((reinterpret_cast<I>(yes) & mask) |
                               (reinterpret_cast<I>(no) & ~mask));
  }
  static F Magnitude(F v) { return reinterpret_cast<F>(reinterpret_cast<U>(v) & 0x7FFFFFFFu); }
  // RoundBf16 of number_formats.h, if `bf16`.
  static F Rounded(F v, bool bf16) {
    if (!bf16) return v;
    const U bits = reinterpret_cast<U>(v);
    const U number = bits + 0x7FFFu + ((bits >> 16) & 1u);
    const U nan = bits | 0x400000u;
    const U is_nan = reinterpret_cast<U>(v != v);
    return reinterpret_cast<F>(((nan & is_nan) | (number & ~is_nan)) & 0xFFFF0000u);
  }
  // ExpNonPositive of exp.h.
  static F Exp(F x) {
    const F rounded = x * kExpLog2e + kExpRound;
    const F n = rounded - kExpRound;
    const F r = (x - n * kExpLn2High) - n * kExpLn2Low;
    F p = Set(kExpPoly[0]);
    for (int i = 1; i < 6; ++i) p = p * r + kExpPoly[i];
    const F y = (p * (r * r) + r) + 1.0f;
    const U exponent = reinterpret_cast<U>(rounded) - FloatToBits(kExpRound) + 127u;
    const F power = reinterpret_cast<F>(exponent << 23);
    return Choose(x >= kExpLowest, y * power, F{});
  }
  // LogOnePlus of softplus.h.
  static F LogOnePlus(F e) {
    const F s = e / (e + 2.0f);
    const F z = s * s;
    F p = Set(kLogSeries[0]);
    for (int i = 1; i < kLogTerms; ++i) p = p * z + kLogSeries[i];
    return s * 2.0f * (p * z + 1.0f);
  }
};

// Neighbours exchanged, pairs, fours; each twice.
inline Vector<4>::F SwapNeighbours(Vector<4>::F v) {
  return __builtin_shufflevector(v, v, 1, 0, 3, 2);
}
inline Vector<8>::F SwapNeighbours(Vector<8>::F v) {
  return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
}
inline Vector<4>::F SwapPairs(Vector<4>::F v) { return __builtin_shufflevector(v, v, 2, 3, 0, 1); }
inline Vector<8>::F SwapPairs(Vector<8>::F v) {
  return __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
}
inline Vector<8>::F SwapFours(Vector<8>::F v) {
  return __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
}
inline Vector<4>::F Twice(Vector<2>::F v) { return __builtin_shufflevector(v, v, 0, 0, 1, 1); }
inline Vector<8>::F Twice(Vector<4>::F v) {
  return __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
}

inline void Transpose(Vector<4>::F* row) {
  using F = Vector<4>::F;
  const F a = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const F b = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const F c = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const F d = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  row[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  row[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  row[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  row[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

inline size_t Least(size_t a, size_t b) { return a < b ? a : b; }

template <typename Isa>
struct Rows {
  static constexpr size_t kLanes = Isa::kLanes, kHalf = kLanes / 2, kSums = 32;
  using All = Vector<Isa::kLanes>;       // of float32
  using Half = Vector<Isa::kLanes / 2>;  // as many float32 as a vector has doubles
  using F = typename All::F;
  using H = typename Half::F;
  using D = typename Half::D;

  static D Wide(H v) { return Isa::Wide(v); }
  static H Narrow(D v) { return Isa::Narrow(v); }

  struct Sums {
    D part[kSums / kHalf];

    Sums() {
      for (D& sum : part) sum = D{};
    }
    // 32 values whose squares add up, or that do themselves.
    void AddSquares(const float* x) {
      for (size_t i = 0; i < kSums / kHalf; ++i) {
        const D v = Wide(Half::Load(x + i * kHalf));
        part[i] = Isa::MultiplyAdd(v, v, part[i]);
      }
    }
    void AddRoundedSquares(const float* x, bool bf16) {
      for (size_t i = 0; i < kSums / kHalf; ++i) {
        const H v = Half::Load(x + i * kHalf);
        part[i] += Wide(Half::Rounded(v * v, bf16));
      }
    }
    double Reduce() const {
      double sum[kSums];
      memcpy(sum, part, sizeof sum);
      for (size_t half = kSums / 2; half > 0; half /= 2) {
        for (size_t l = 0; l < half; ++l) sum[l] += sum[l + half];
      }
      return sum[0];
    }
  };

  static double SumOfSquares(const float* x, size_t n) {
    Sums sums;
    size_t i = 0;
    for (; i + kSums <= n; i += kSums) sums.AddSquares(x + i);
    if (i < n) {
      float rest[kSums] = {};
      memcpy(rest, x + i, (n - i) * sizeof(float));
      sums.AddSquares(rest);
    }
    return sums.Reduce();
  }

  static void RmsNorm(const RmsNormArgs& args) {
    const double squares = SumOfSquares(args.x, args.n);
    const float mean = static_cast<float>(squares / static_cast<double>(args.n));
    const float scale = 1.0f / __builtin_sqrtf(mean + args.eps);
    for (size_t i = 0; i < args.n; i += kLanes) {
      const size_t count = args.n - i;
      const F x = All::LoadPart(args.x + i, count), w = All::LoadPart(args.weight + i, count);
      All::StorePart(All::Rounded(w * (x * scale), args.bf16), args.y + i, count);
    }
  }

  static void HeadNorm(const HeadNormArgs& args) {
    Sums sums;
    size_t i = 0;
    for (; i + kSums <= args.n; i += kSums) sums.AddRoundedSquares(args.x + i, args.bf16);
    if (i < args.n) {
      float rest[kSums] = {};
      memcpy(rest, args.x + i, (args.n - i) * sizeof(float));
      sums.AddRoundedSquares(rest, args.bf16);
    }
    const auto rounded = [&](float value) { return args.bf16 ? RoundBf16(value) : value; };
    float mean = rounded(static_cast<float>(sums.Reduce() / static_cast<double>(args.n)));
    mean = rounded(mean + args.eps);
    const float scale = rounded(1.0f / __builtin_sqrtf(mean));
    for (i = 0; i < args.n; i += kLanes) {
      const F x = All::LoadPart(args.x + i, args.n - i);
      All::StorePart(All::Rounded(x * scale, args.bf16), args.x + i, args.n - i);
    }
  }

  static void Rotate(const RotateArgs& args) {
    constexpr size_t kWide = kLanes < 8 ? kLanes : 8;
    using V = Vector<kWide>;
    using Pairs = Vector<kWide / 2>;
    typename V::F sign = {};
    for (size_t l = 0; l < kWide; ++l) sign[l] = (l % 2 == 0) != args.inverse ? -1.0f : 1.0f;
    for (size_t i = 0; i < args.pairs; i += kWide / 2) {
      const size_t pairs = Least(kWide / 2, args.pairs - i);
      const typename V::F c = Twice(Pairs::LoadPart(args.cosine + i, pairs));
      const typename V::F s = Twice(Pairs::LoadPart(args.sine + i, pairs));
      const typename V::F x = V::LoadPart(args.x + 2 * i, 2 * pairs);
      V::StorePart(V::Rounded(x * c + SwapNeighbours(x) * (s * sign), args.bf16), args.x + 2 * i,
                   2 * pairs);
    }
  }

  // Strides within a vector.
  static Vector<4>::F Butterflies(Vector<4>::F v) {
    using V = Vector<4>::F;
    v = SwapNeighbours(v) + v * V{1, -1, 1, -1};
    return SwapPairs(v) + v * V{1, 1, -1, -1};
  }
  static Vector<8>::F Butterflies(Vector<8>::F v) {
    using V = Vector<8>::F;
    v = SwapNeighbours(v) + v * V{1, -1, 1, -1, 1, -1, 1, -1};
    v = SwapPairs(v) + v * V{1, 1, -1, -1, 1, 1, -1, -1};
    return SwapFours(v) + v * V{1, 1, 1, 1, -1, -1, -1, -1};
  }

  // n is at least 8, or a vector if that is shorter.
  static void Hadamard(const HadamardArgs& args) {
    constexpr size_t kWide = kLanes < 8 ? kLanes : 8;
    using V = Vector<kWide>;
    float* x = args.x;
    for (size_t i = 0; i < args.n; i += kWide) V::Store(Butterflies(V::Load(x + i)), x + i);
    for (size_t half = kWide; half < args.n; half *= 2) {
      for (size_t block = 0; block < args.n; block += 2 * half) {
        for (size_t i = block; i < block + half; i += kWide) {
          const typename V::F a = V::Load(x + i), b = V::Load(x + i + half);
          V::Store(a + b, x + i);
          V::Store(a - b, x + i + half);
        }
      }
    }
    const float scale = static_cast<float>(1.0 / __builtin_sqrt(static_cast<double>(args.n)));
    for (size_t i = 0; i < args.n; i += kWide) {
      V::Store(V::Rounded(V::Load(x + i) * scale, args.bf16), x + i);
    }
  }

  static void SumStreams(const SumStreamsArgs& args) {
    double weight[kMaxStreams];
    for (size_t j = 0; j < args.m; ++j) weight[j] = static_cast<double>(args.weight[j]);
    for (size_t i = 0; i < args.n; i += kHalf) {
      const size_t count = args.n - i;
      D sum = {};
      for (size_t j = 0; j < args.m; ++j) {
        const D stream = Wide(Half::LoadPart(args.streams + j * args.n + i, count));
        sum = Isa::MultiplyAdd(weight[j] - D{}, stream, sum);
      }
      Half::StorePart(Half::Rounded(Narrow(sum), args.bf16), args.y + i, count);
    }
  }

  template <size_t kStreams>  // 0: args.m
  static void MixStreamsOf(const MixStreamsArgs& args) {
    constexpr size_t kMost = kStreams == 0 ? kMaxStreams : kStreams;
    const size_t m = kStreams == 0 ? args.m : kStreams;
    double post[kMost], comb[kMost * kMost];
    for (size_t k = 0; k < m; ++k) post[k] = static_cast<double>(args.post[k]);
    for (size_t j = 0; j < m * m; ++j) comb[j] = static_cast<double>(args.comb[j]);
    for (size_t i = 0; i < args.n; i += kHalf) {
      const size_t count = args.n - i;
      const D y = Wide(Half::LoadPart(args.y + i, count));
      D old[kMost];
      for (size_t j = 0; j < m; ++j) {
        old[j] = Wide(Half::LoadPart(args.streams + j * args.n + i, count));
      }
      for (size_t k = 0; k < m; ++k) {
        D sum = y * post[k];
        for (size_t j = 0; j < m; ++j) {
          sum = Isa::MultiplyAdd(comb[j * m + k] - D{}, old[j], sum);
        }
        Half::StorePart(Half::Rounded(Narrow(sum), args.bf16), args.streams + k * args.n + i,
                        count);
      }
    }
  }

  static void MixStreams(const MixStreamsArgs& args) {
    if (args.m == 4) return MixStreamsOf<4>(args);
    MixStreamsOf<0>(args);
  }

  // m is 4: rows are vectors of four.
  static void Sinkhorn(const SinkhornArgs& args) {
    using V = Vector<4>;
    typename V::F row[4];
    for (size_t j = 0; j < 4; ++j) row[j] = V::Load(args.b + 4 * j);
    const auto sum = [&] { return V::F{} + row[0] + row[1] + row[2] + row[3]; };
    const auto divide = [&] {
      const typename V::F total = sum() + args.eps;
      for (size_t j = 0; j < 4; ++j) row[j] = row[j] / total;
    };
    Transpose(row);
    typename V::F top = row[0];
    for (size_t j = 1; j < 4; ++j) top = V::Choose(top < row[j], row[j], top);
    for (size_t j = 0; j < 4; ++j) row[j] = V::Exp(row[j] - top);
    const typename V::F total = sum();
    for (size_t j = 0; j < 4; ++j) row[j] = row[j] / total + args.eps;
    Transpose(row);
    divide();
    for (int i = 1; i < args.iterations; ++i) {
      Transpose(row);
      divide();
      Transpose(row);
      divide();
    }
    for (size_t j = 0; j < 4; ++j) V::Store(row[j], args.b + 4 * j);
  }

  static void Sigmoid(float* x, size_t n) {
    for (size_t i = 0; i < n; i += kLanes) {
      const F v = All::LoadPart(x + i, n - i);
      const F e = All::Exp(-All::Magnitude(v));
      All::StorePart(All::Choose(v >= 0.0f, All::Set(1.0f), e) / (e + 1.0f), x + i, n - i);
    }
  }

  static void SqrtSoftplus(float* x, size_t n) {
    for (size_t i = 0; i < n; i += kLanes) {
      const F v = All::LoadPart(x + i, n - i);
      const F above = All::Choose(v > 0.0f, v, F{});
      const F log = All::LogOnePlus(All::Exp(-All::Magnitude(v)));
      All::StorePart(Isa::SquareRoot(above + log), x + i, n - i);
    }
  }

  static void Swiglu(const SwigluArgs& args) {
    const F limit = All::Set(args.limit);
    for (size_t i = 0; i < args.n; i += kLanes) {
      const size_t count = args.n - i;
      F g = All::LoadPart(args.gate + i, count), u = All::LoadPart(args.up + i, count);
      if (args.limit > 0.0f) {
        g = All::Choose(limit < g, limit, g);
        u = All::Choose(u < -limit, -limit, All::Choose(limit < u, limit, u));
      }
      const F e = All::Exp(-All::Magnitude(g));
      const F h = g * All::Choose(g >= 0.0f, All::Set(1.0f), e) / (e + 1.0f) * u;
      All::StorePart(All::Rounded(h * args.weight, args.bf16), args.gate + i, count);
    }
  }

  static void SumRows(const SumRowsArgs& args) {
    for (size_t i = 0; i < args.n; i += kLanes) {
      F sum = {};
      for (size_t j = 0; j < args.count; ++j) {
        const float* row = args.x + static_cast<size_t>(args.row[j]) * args.n;
        sum += All::LoadPart(row + i, args.n - i);
      }
      All::StorePart(All::Rounded(sum, args.bf16), args.y + i, args.n - i);
    }
  }

  static void Pool(const PoolArgs& args) {
    for (size_t i = 0; i < args.n; i += kLanes) {
      const size_t count = args.n - i;
      const F weight =
          All::Exp(All::LoadPart(args.gate + i, count) - All::LoadPart(args.top + i, count));
      const F total = All::LoadPart(args.total + i, count) + weight;
      const F sum =
          All::LoadPart(args.sum + i, count) + weight * All::LoadPart(args.value + i, count);
      All::StorePart(total, args.total + i, count);
      All::StorePart(sum, args.sum + i, count);
    }
  }
};

}  // namespace
}  // namespace finback
