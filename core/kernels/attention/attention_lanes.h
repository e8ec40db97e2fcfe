// The pair product and the softmax of attention.h on vectors of one instruction set. For files
// compiled with its flags only, whose struct Isa says
//
//   kWidth         float32 values of a vector F
//   kRows, kVectors  rows and vectors of columns that the registers hold sums of
//   Pairs, Spread  kWidth pairs as steps read them; one pair in every place
//   Step           sum + odd * odd, then + even * even
//
// Steps of a block: kVectors loads of b and kRows of a for kRows * kVectors steps.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/attention/attention.h"
#include "core/kernels/attention/exp.h"

namespace finback {
namespace {

template <typename Isa, int R, int V>
struct PairBlock {
  typename Isa::F sums[R * V];

  inline void Start(const float* c, size_t c_stride, bool add) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sums[r * V + v] = add ? Isa::Load(c + r * c_stride + v * Isa::kWidth) : Isa::Zero();
      }
    }
  }

  inline void Add(const Bf16* a, size_t a_stride, const Bf16* b) {
    typename Isa::Pairs pairs[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) pairs[v] = Isa::LoadPairs(b + v * 2 * Isa::kWidth);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const typename Isa::Spread spread = Isa::Broadcast(a + r * a_stride);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sums[r * V + v] = Isa::Step(sums[r * V + v], spread, pairs[v]);
      }
    }
  }

  inline void Finish(float* c, size_t c_stride) const {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        Isa::Store(c + r * c_stride + v * Isa::kWidth, sums[r * V + v]);
      }
    }
  }
};

// R rows of columns [column, column + V vectors).
template <typename Isa, int R, int V>
inline void PairRows(const PairProductArgs& args, size_t row, size_t column) {
  const Bf16* a = args.a + row * args.a_stride;
  const Bf16* b = args.b + 2 * column;
  float* c = args.c + row * args.c_stride + column;
  PairBlock<Isa, R, V> block;
  block.Start(c, args.c_stride, args.add);
  size_t j = 0;
  if (args.head != nullptr) {
    block.Add(a, args.a_stride, args.head + 2 * column);
    j = 1;
  }
  const size_t plain = args.pairs - (args.tail != nullptr && args.pairs > 1 ? 1 : 0);
  for (; j < plain; ++j) block.Add(a + 2 * j, args.a_stride, b + j * args.b_stride);
  if (plain < args.pairs) block.Add(a + 2 * plain, args.a_stride, args.tail + 2 * column);
  block.Finish(c, args.c_stride);
}

template <typename Isa, int V>
inline void PairColumns(const PairProductArgs& args, size_t column) {
  size_t row = 0;
  for (; row + Isa::kRows <= args.rows; row += Isa::kRows) {
    PairRows<Isa, Isa::kRows, V>(args, row, column);
  }
  if constexpr (Isa::kRows > 4) {
    for (; row + 4 <= args.rows; row += 4) PairRows<Isa, 4, V>(args, row, column);
  }
  for (; row + 2 <= args.rows; row += 2) PairRows<Isa, 2, V>(args, row, column);
  if (row < args.rows) PairRows<Isa, 1, V>(args, row, column);
}

// Pairs whose b of 64 columns stays in the first cache for all rows.
constexpr size_t kPairsAtOnce = 64;

template <typename Isa>
inline void PairProduct(PairProductArgs args) {
  if (args.pairs == 0) return;
  for (; args.pairs > kPairsAtOnce && args.head == nullptr && args.tail == nullptr;) {
    PairProductArgs part = args;
    part.pairs = kPairsAtOnce;
    PairProduct<Isa>(part);
    args.a += 2 * kPairsAtOnce;
    args.b += kPairsAtOnce * args.b_stride;
    args.pairs -= kPairsAtOnce;
    args.add = true;
  }
  constexpr size_t kBlock = size_t{Isa::kWidth} * Isa::kVectors;
  size_t column = 0;
  for (; column + kBlock <= args.columns; column += kBlock) {
    PairColumns<Isa, Isa::kVectors>(args, column);
  }
  for (; column + Isa::kWidth <= args.columns; column += Isa::kWidth) {
    PairColumns<Isa, 1>(args, column);
  }
  if (column == args.columns) return;
  // Columns that fill no vector: a copy of b and c that does, a few pairs at a time.
  constexpr size_t kPairs = 32;
  const size_t left = args.columns - column;
  for (size_t first = 0; first < args.pairs; first += kPairs) {
    const size_t count = args.pairs - first < kPairs ? args.pairs - first : kPairs;
    Bf16 b[kPairs * 2 * Isa::kWidth] = {};
    for (size_t i = 0; i < count; ++i) {
      const size_t j = first + i;
      const Bf16* from = args.b + j * args.b_stride;
      if (j == 0 && args.head != nullptr) from = args.head;
      if (j != 0 && j + 1 == args.pairs && args.tail != nullptr) from = args.tail;
      memcpy(b + i * 2 * Isa::kWidth, from + 2 * column, left * 2 * sizeof(Bf16));
    }
    for (size_t row = 0; row < args.rows; ++row) {
      float* c = args.c + row * args.c_stride + column;
      float sums[Isa::kWidth] = {};
      if (args.add || first != 0) memcpy(sums, c, left * sizeof(float));
      PairRows<Isa, 1, 1>({.a = args.a + row * args.a_stride + 2 * first,
                           .a_stride = 0,
                           .b = b,
                           .b_stride = 2 * Isa::kWidth,
                           .head = nullptr,
                           .tail = nullptr,
                           .rows = 1,
                           .pairs = count,
                           .columns = Isa::kWidth,
                           .c = sums,
                           .c_stride = 0,
                           .add = true},
                          0, 0);
      memcpy(c, sums, left * sizeof(float));
    }
  }
}

// ExpNonPositive on a vector.
template <typename Isa>
inline typename Isa::F Exp(typename Isa::F x) {
  using F = typename Isa::F;
  const F lowest = Isa::Set(kExpLowest), round = Isa::Set(kExpRound);
  const F v = Isa::Max(x, lowest);  // a NaN becomes the lowest
  const F rounded = Isa::Sum(Isa::Product(v, Isa::Set(kExpLog2e)), round);
  const F n = Isa::Difference(rounded, round);
  const F r = Isa::Difference(Isa::Difference(v, Isa::Product(n, Isa::Set(kExpLn2High))),
                              Isa::Product(n, Isa::Set(kExpLn2Low)));
  F p = Isa::Set(kExpPoly[0]);
#pragma GCC unroll 5
  for (int i = 1; i < 6; ++i) p = Isa::Sum(Isa::Product(p, r), Isa::Set(kExpPoly[i]));
  const F y = Isa::Sum(Isa::Sum(Isa::Product(p, Isa::Product(r, r)), r), Isa::Set(1.0f));
  return Isa::ZeroUnlessAtLeast(Isa::Product(y, Isa::PowerOfTwo(rounded, round)), x, lowest);
}

template <typename Isa>
inline SoftmaxSums Softmax(const SoftmaxArgs& args) {
  using F = typename Isa::F;
  constexpr int kParts = 16 / Isa::kWidth;
  const float kInfinity = __builtin_inff();
  const F scale = Isa::Set(args.scale);
  F top[kParts];
#pragma GCC unroll 2
  for (int part = 0; part < kParts; ++part) top[part] = Isa::Set(-kInfinity);
  for (size_t i = 0; i < args.slots; i += 16) {
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const F score = Isa::Product(Isa::Load(args.scores + i + part * Isa::kWidth), scale);
      top[part] = Isa::Max(score, top[part]);  // a NaN leaves `top`
    }
  }
  float tops[16], largest = -kInfinity;
  for (int part = 0; part < kParts; ++part) Isa::Store(tops + part * Isa::kWidth, top[part]);
  for (int i = 0; i < 16; ++i) largest = tops[i] > largest ? tops[i] : largest;
  const F shift = Isa::Set(largest == -kInfinity ? 0.0f : largest);
  F sum[kParts];
#pragma GCC unroll 2
  for (int part = 0; part < kParts; ++part) sum[part] = Isa::Zero();
  Bf16* codes = reinterpret_cast<Bf16*>(args.scores);
  for (size_t i = 0; i < args.slots; i += 16) {
    F weight[kParts];
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const F score = Isa::Product(Isa::Load(args.scores + i + part * Isa::kWidth), scale);
      weight[part] = Exp<Isa>(Isa::Difference(score, shift));
      sum[part] = Isa::Sum(sum[part], weight[part]);
    }
    if (args.round) {
      Isa::StoreSixteenCodes(codes + i, weight);
    } else {
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        Isa::Store(args.scores + i + part * Isa::kWidth, weight[part]);
      }
    }
  }
  return {largest, Isa::Reduce(sum)};
}

}  // namespace
}  // namespace finback
