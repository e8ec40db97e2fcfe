// Matrix products with weights as stored: y[row, o] = sum_k x[row, k] * W[o, k].
//
// Contract for every kernel: weights are decoded to float32 (exact: code times power of two) and
// products accumulate in float32 in one fixed order per output: 16 partial sums; of every 32 k from
// 32j on, sum l takes first k = 32j + 2l + 1, then k = 32j + 2l, j ascending, each addition rounded
// once to nearest; k beyond `in` add nothing. Then the sums are reduced pairwise: l + (l+8), then
// +4, +2, +1. (It is the order in which instructions that multiply pairs of bfloat16 add, the upper
// element of a pair first.) So a row's result does not depend on how many rows, outputs or threads
// there are, whatever the values: a kernel that folds scales into activations does so, or not, for
// any number of rows alike.
//
// SIMD kernels fuse multiply and add, the scalar ones round twice: where products are exact in
// float32 (all of bfloat16 activations with weights of published formats) kernels of all tiers
// agree bit for bit, elsewhere within eps * (in + 1) * max|x| * max|W| * 2. A tier may take
// operands, scaled operands and sums below 2^-126 in magnitude as zero, and one that overflows by
// its scale as infinite: the tiers agree where all of them are zero or normal. (The BLAS tier has
// its own fixed order.) The NaN codes of E4M3 and E8M0 (0x7F, 0xFF; 255) decode to anything: refuse
// such weights before.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace finback {

enum GemmFormat : uint8_t {
  kGemmF32,   // float32, row-major, any alignment
  kGemmBf16,  // bfloat16 codes
  kGemmFp8,   // E4M3 codes, E8M0 scale per 128x128 tile: scale[(o/128) * ceil(in/128) + k/128]
  kGemmFp4,   // E2M1, two per byte, low nibble first; E8M0 scale per row and 32:
              // scale[o * in/32 + k/32]
};

static constexpr size_t kGemmFormats = 4;

struct GemmArgs {
  const uint8_t* weight;      // row 0 of the matrix
  const uint8_t* scale;       // kGemmFp8, kGemmFp4
  size_t in;                  // any for F32/BF16/FP8, a multiple of 32 for FP4
  size_t out_begin, out_end;  // outputs to compute
  const float* x;             // [rows, x_stride], each row as the kernel's `prepare` leaves it
  size_t x_stride, rows;
  float* y;  // y[row * y_stride + (o - y_origin)]
  size_t y_stride, y_origin;
};

// Needs at most 52 KiB of stack, and no other scratch.
using GemmFunction = void (*)(const GemmArgs& args);

// Brings a row of `in` activations, in place, into the form that a kernel reads: bfloat16 pairs,
// another order. It takes no more room than the floats did. Once per activation, before any number
// of products with it.
using PrepareFunction = void (*)(float* x, size_t in);

struct GemmKernel {
  GemmFunction multiply = nullptr;
  PrepareFunction prepare = nullptr;  // null: activations are read as they are
};

// sum_k a[k] * b[k] in the order above.
using DotFunction = float (*)(const float* a, const float* b, size_t n);

}  // namespace finback
