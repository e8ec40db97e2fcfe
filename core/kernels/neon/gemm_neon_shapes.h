// The two shapes of the ARM products, y[row, o] = sum_k x[row, k] * W[o, k], over an arithmetic:
//
//   few rows    weights are decoded in registers and multiplied at once; limit: the decoding
//   many rows   a panel of 6 outputs x kDepth weights is decoded once per kRowBlock rows and
//               multiplied in blocks of 2 rows x 3 outputs: 24 registers of sums, the others for x
//               and weights; limit: multiply-adds
//
//   panel  [6][kDepth]            in the arithmetic's elements
//   sums   [kRowBlock][6][16]     15 KB, carried from panel to panel along K
//
// An arithmetic has
//   Element            what a prepared row of x and a panel are made of, kNeonStep for 32 of k
//   Vector             8 of k in registers: 4 sums' odd and even ones
//   Input, Weights     a Vector of x, of a panel
//   Decoded, Store     vector v of 32 weights in registers; all of them into a panel
//   Add                to 4 sums the products of the odd, then of the even ones
// For files compiled with ISA flags.
#pragma once

#include "core/kernels/neon/gemm_neon.h"

#if defined(__ARM_NEON)

namespace finback {

template <typename Arithmetic, typename Format>
class NeonProduct {
 public:
  static void Multiply(const GemmArgs& args) {
    if (args.rows > kFewRows) {
      for (size_t first = 0; first < args.rows; first += kRowBlock) {
        const size_t rows = args.rows - first;
        ManyRows(args, first, rows < kRowBlock ? rows : kRowBlock);
      }
    } else if (args.rows == 4) {
      FewRows<4>(args);
    } else if (args.rows == 3) {
      FewRows<3>(args);
    } else if (args.rows == 2) {
      FewRows<2>(args);
    } else if (args.rows == 1) {
      FewRows<1>(args);
    }
  }

 private:
  using Element = typename Arithmetic::Element;

  static constexpr size_t kPanel = 6;
  static constexpr size_t kDepth = 512;
  static constexpr size_t kRowBlock = 40;
  static constexpr size_t kFewRows = 4;

  static const Element* RowOf(const GemmArgs& args, size_t row) {
    return reinterpret_cast<const Element*>(args.x + row * args.x_stride);
  }

  template <int R>
  static void FewRows(const GemmArgs& args) {
    const size_t full = args.in / kNeonStep * kNeonStep;
    Element tail[R][kNeonStep] = {};
    for (int r = 0; r < R; ++r) {
      memcpy(tail[r], RowOf(args, static_cast<size_t>(r)) + full,
             (args.in - full) * sizeof(Element));
    }
    for (size_t o = args.out_begin; o < args.out_end; ++o) {
      float32x4_t sums[R][kNeonVectors];
      for (int r = 0; r < R; ++r) {
        for (int v = 0; v < kNeonVectors; ++v) sums[r][v] = vdupq_n_f32(0.0f);
      }
      ForNeonSteps<Format>(args, o, 0, args.in, [&](size_t k, const NeonPairs& w) {
        for (int r = 0; r < R; ++r) {
          const Element* x = k < full ? RowOf(args, static_cast<size_t>(r)) + k : tail[r];
          for (int v = 0; v < kNeonVectors; ++v) {
            sums[r][v] = Arithmetic::Add(sums[r][v], Arithmetic::Input(x + 8 * v),
                                         Arithmetic::Decoded(w, v));
          }
        }
      });
      for (int r = 0; r < R; ++r) {
        args.y[static_cast<size_t>(r) * args.y_stride + (o - args.y_origin)] = ReduceSums(sums[r]);
      }
    }
  }

  // Adds the products of R rows of x and O rows of the panel over n (a multiple of 32) of k.
  template <int R, int O>
  static void Block(const Element* const* x, const Element* panel, size_t n, float* const* sums) {
    float32x4_t acc[R][O][kNeonVectors];
    for (int r = 0; r < R; ++r) {
      for (int o = 0; o < O; ++o) {
        for (int v = 0; v < kNeonVectors; ++v) acc[r][o][v] = vld1q_f32(sums[r] + 16 * o + 4 * v);
      }
    }
    for (size_t k = 0; k < n; k += kNeonStep) {
#pragma GCC unroll 4
      for (int v = 0; v < kNeonVectors; ++v) {
        typename Arithmetic::Vector xv[R];
        for (int r = 0; r < R; ++r) xv[r] = Arithmetic::Input(x[r] + k + 8 * v);
#pragma GCC unroll 3
        for (int o = 0; o < O; ++o) {
          const auto wv = Arithmetic::Weights(panel + o * kDepth + k, v);
          for (int r = 0; r < R; ++r) acc[r][o][v] = Arithmetic::Add(acc[r][o][v], xv[r], wv);
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int o = 0; o < O; ++o) {
        for (int v = 0; v < kNeonVectors; ++v) vst1q_f32(sums[r] + 16 * o + 4 * v, acc[r][o][v]);
      }
    }
  }

  template <int R>
  static void BlockOf(size_t outs, const Element* const* x, const Element* panel, size_t n,
                      float* const* sums) {
    if (outs == 3) {
      Block<R, 3>(x, panel, n, sums);
    } else if (outs == 2) {
      Block<R, 2>(x, panel, n, sums);
    } else {
      Block<R, 1>(x, panel, n, sums);
    }
  }

  // The panel's outputs, and the part of K that it holds.
  struct Panel {
    const Element* weights;
    size_t outs, k, n;
  };

  static void MultiplyPanel(const GemmArgs& args, const Panel& panel, size_t first, size_t rows,
                            float (*sums)[kPanel][16]) {
    const size_t full = panel.n / kNeonStep * kNeonStep, rest = panel.n - full;
    for (size_t row = 0; row < rows; row += 2) {
      const bool two = rows - row >= 2;
      const size_t second = two ? row + 1 : row;
      const Element* const x[2] = {RowOf(args, first + row) + panel.k,
                                   RowOf(args, first + second) + panel.k};
      Element tail[2][kNeonStep] = {};
      memcpy(tail[0], x[0] + full, rest * sizeof(Element));
      memcpy(tail[1], x[1] + full, rest * sizeof(Element));
      const Element* const tails[2] = {tail[0], tail[1]};
      for (size_t o = 0; o < panel.outs; o += 3) {
        float* const to[2] = {sums[row][o], sums[second][o]};
        const size_t count = panel.outs - o < 3 ? panel.outs - o : 3;
        const Element* weights = panel.weights + o * kDepth;
        const auto block = two ? BlockOf<2> : BlockOf<1>;
        block(count, x, weights, full, to);
        if (rest != 0) block(count, tails, weights + full, kNeonStep, to);
      }
    }
  }

  static void ManyRows(const GemmArgs& args, size_t first, size_t rows) {
    alignas(64) Element weights[kPanel * kDepth];
    alignas(64) float sums[kRowBlock][kPanel][16];
    for (size_t o = args.out_begin; o < args.out_end; o += kPanel) {
      const size_t outs = args.out_end - o < kPanel ? args.out_end - o : kPanel;
      memset(sums, 0, sizeof sums);
      for (size_t k = 0; k < args.in; k += kDepth) {
        const size_t n = args.in - k < kDepth ? args.in - k : kDepth;
        for (size_t i = 0; i < outs; ++i) {
          Element* const to = weights + i * kDepth;
          ForNeonSteps<Format>(args, o + i, k, k + n, [&](size_t at, const NeonPairs& w) {
            Arithmetic::Store(w, to + (at - k));
          });
        }
        MultiplyPanel(args, {weights, outs, k, n}, first, rows, sums);
      }
      for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < outs; ++i) {
          float32x4_t lanes[kNeonVectors];
          for (int v = 0; v < kNeonVectors; ++v) lanes[v] = vld1q_f32(sums[row][i] + 4 * v);
          args.y[(first + row) * args.y_stride + (o + i - args.y_origin)] = ReduceSums(lanes);
        }
      }
    }
  }
};

}  // namespace finback

#endif  // __ARM_NEON
