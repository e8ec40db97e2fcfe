// Products of many rows for the formats of gemm_avx512.h whose activations are pairs of bfloat16.
//
// A block is up to 8 rows of activations by 4 outputs (3 from 7 rows on), whose sums stay in the
// registers along all of K. Each block decodes its weights anew: what is no multiplication runs
// beside them, while a core that stores decoded weights does little else. Activations come from the
// second cache, at 6 loads of 64 bytes for 24 multiplications of 6 rows by 4 outputs.
// Limit: the multiplications, two a cycle.
//
// Beside what gemm_avx512.h asks of it, a format F says
//   LoadScales, DecodeUnit   what a step's scales are, and a unit of weights from these and its
//                            codes
#pragma once

#include "core/kernels/gemm_avx512.h"

namespace finback {

constexpr size_t kBlockOutputs = 4;
constexpr size_t kBlockGroup = 24;   // outputs that blocks of rows read in turn, a multiple of 12
constexpr size_t kBlockedRows = 72;  // whose activations stay in the second cache
constexpr size_t kUnitBytes = 64;    // of activations

// Where the products of a block begin, and how far it is to the next output and row.
struct BlockAt {
  const uint8_t *code, *scale, *x;
  size_t code_stride, scale_stride, x_stride;
  size_t ahead;  // to the weights to prefetch; 0: none
};

// Sums [R][C] of an earlier part of K, or null where there is none; where those of this part go,
// or, where that is null, the outputs, [R][y_stride].
struct BlockSums {
  const __m512* from;
  __m512* to;
  float* y;
  size_t y_stride;
};

// Outputs of the R rows of a block.
template <int R, int C>
static inline void StoreBlock(const __m512* sum, const BlockSums& sums) {
  constexpr __mmask8 kMask = (1u << C) - 1;
  float* y = sums.y;
#pragma GCC unroll 4
  for (int r = 0; r < R; r += 2, y += 2 * sums.y_stride) {
    __m512 two[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const int row = r + i / 4, c = i % 4;
      two[i] = row < R && c < C ? sum[row * C + c] : _mm512_setzero_ps();
    }
    const __m256 outs = ReduceEight(two);
    _mm_mask_storeu_ps(y, kMask, _mm256_castps256_ps128(outs));
    if (r + 1 < R) {
      _mm_mask_storeu_ps(y + sums.y_stride, kMask, _mm256_extractf128_ps(outs, 1));
    }
  }
}

// Adds `steps` steps to the sums. Not inlined, so that nothing else takes registers.
template <typename F, int R, int C>
static __attribute__((noinline)) void AddBlock(const BlockAt& at, size_t steps,
                                               const BlockSums& sums) {
  constexpr size_t kCodeBytes = kUnit * F::kBits / 8, kUnits = kStep / kUnit;
  constexpr int kSums = R * C;
  // Few registers for addresses: from each of these there are two or three more.
  const size_t code_stride = at.code_stride, scale_stride = at.scale_stride;
  const size_t x_stride = at.x_stride, ahead = at.ahead;
  const uint8_t *code[2] = {at.code, at.code + 2 * code_stride}, *scale = at.scale;
  const uint8_t* x[3] = {at.x, at.x + 3 * x_stride, at.x + 6 * x_stride};
  __m512 sum[kSums];
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) sum[i] = _mm512_setzero_ps();
  if (sums.from != nullptr) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = sums.from[i];
  }
  for (; steps > 0; --steps) {
    typename F::Scales scales[C];
#pragma GCC unroll 4
    for (size_t c = 0; c < C; ++c) scales[c] = F::LoadScales(scale + c * scale_stride);
    if (ahead != 0) {
#pragma GCC unroll 4
      for (size_t c = 0; c < C; ++c) {
#pragma GCC unroll 4
        for (size_t i = 0; i < kUnits * kCodeBytes; i += 64) {
          PrefetchSecond(code[c / 2] + c % 2 * code_stride, ahead + i);
        }
      }
    }
#pragma GCC unroll 4
    for (size_t unit = 0; unit < kUnits; ++unit) {
      __m512 w[C];
#pragma GCC unroll 4
      for (size_t c = 0; c < C; ++c) {
        F::DecodeUnit(scales[c], code[c / 2] + c % 2 * code_stride + unit * kCodeBytes, unit,
                      w + c);
      }
#pragma GCC unroll 8
      for (size_t r = 0; r < R; ++r) {
        __m512 v = _mm512_loadu_ps(x[r / 3] + r % 3 * x_stride + unit * kUnitBytes);
        if (C > 1) __asm__("" : "+v"(v));  // loaded once, not once for each of its users
#pragma GCC unroll 4
        for (size_t c = 0; c < C; ++c) sum[r * C + c] = F::Add(sum[r * C + c], v, w[c]);
      }
    }
    code[0] += kUnits * kCodeBytes;
    code[1] += kUnits * kCodeBytes;
    scale += kUnits;
#pragma GCC unroll 3
    for (size_t i = 0; i < 3; ++i) x[i] += kUnits * kUnitBytes;
  }
  if (sums.to == nullptr) return StoreBlock<R, C>(sum, sums);
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) sums.to[i] = sum[i];
}

// The same for the last n < 128 weights of the block's outputs.
template <typename F, int R, int C>
static __attribute__((noinline)) void AddRest(const BlockAt& at, size_t n, const BlockSums& sums) {
  constexpr size_t kCodeBytes = kStep * F::kBits / 8, kXBytes = kStep / kUnit * kUnitBytes;
  alignas(64) uint8_t code[C * kCodeBytes] = {};
  alignas(64) uint8_t x[R * kXBytes] = {};
  uint8_t scale[C * kStep / kUnit];
  memset(scale, 127, sizeof scale);
  for (size_t c = 0; c < C; ++c) {
    memcpy(code + c * kCodeBytes, at.code + c * at.code_stride, n * F::kBits / 8);
    if (F::kBits == 4) {
      memcpy(scale + c * kStep / kUnit, at.scale + c * at.scale_stride, n / kUnit);
    }
  }
  for (size_t r = 0; r < R; ++r) memcpy(x + r * kXBytes, at.x + r * at.x_stride, n * 2);
  AddBlock<F, R, C>({code, scale, x, kCodeBytes, kStep / kUnit, kXBytes, 0}, 1, sums);
}

// Adds n weights.
template <typename F, int R, int C>
static inline void AddWeights(BlockAt at, size_t n, const BlockSums& sums) {
  const size_t steps = n / kStep;
  if (n % kStep == 0) return AddBlock<F, R, C>(at, steps, sums);
  __m512 carried[R * C];
  AddBlock<F, R, C>(at, steps, {sums.from, carried, nullptr, 0});
  at.code += steps * kStep * F::kBits / 8;
  at.scale += steps * (kStep / kUnit);
  at.x += steps * kStep * 2;
  AddRest<F, R, C>(at, n % kStep, {carried, sums.to, sums.y, sums.y_stride});
}

// R rows from `row` on and outputs [begin, end), C at a time.
template <typename F, int R, int C>
static inline void BlockOutputs(const GemmArgs& args, size_t row, size_t begin, size_t end,
                                size_t ahead) {
  BlockAt at = {};
  at.code_stride = RowBytes<F>(args);
  at.scale_stride = ScaleStride<F>(args);
  at.x = RowOf<F>(args, row);
  at.x_stride = args.x_stride * sizeof(float);
  at.ahead = ahead;
  for (size_t o = begin; o < end; o += C) {
    at.code = args.weight + o * RowBytes<F>(args);
    at.scale = ScalesOf<F>(args, o);
    float* y = args.y + row * args.y_stride + (o - args.y_origin);
    AddWeights<F, R, C>(at, args.in, {nullptr, nullptr, y, args.y_stride});
  }
}

template <typename F, int R>
static void BlockRows(const GemmArgs& args, size_t row, size_t begin, size_t end, size_t ahead) {
  constexpr int C = R > 6 ? 3 : 4;
  const size_t last = begin + (end - begin) / C * C;
  BlockOutputs<F, R, C>(args, row, begin, last, ahead);
  BlockOutputs<F, R, 1>(args, row, last, end, ahead);
}

// How many rows the next block has if so many are left: 6 are best, and few are worst.
static inline size_t NextRows(size_t left, size_t most) {
  if (left <= most) return left;
  if (left % 6 <= most - 6) return 6 + left % 6;
  const size_t blocks = (left + 5) / 6;
  return (left + blocks - 1) / blocks;
}

// Part `part` of rows in `parts` parts of whole blocks.
static inline size_t PartOfRows(size_t rows, size_t part, size_t parts) {
  const size_t end = (rows + 5) / 6 * part / parts * 6;
  return end < rows ? end : rows;
}

// At least 5 rows.
template <typename F>
static inline void MultiplyBlocks(const GemmArgs& args) {
  const size_t parts = (args.rows + kBlockedRows - 1) / kBlockedRows;
  for (size_t part = 0; part < parts; ++part) {
    const size_t first = PartOfRows(args.rows, part, parts);
    const size_t last = PartOfRows(args.rows, part + 1, parts);
    for (size_t o = args.out_begin; o < args.out_end; o += kBlockGroup) {
      const size_t end = o + kBlockGroup < args.out_end ? o + kBlockGroup : args.out_end;
      size_t ahead = kBlockGroup * RowBytes<F>(args), count = 0;
      for (size_t row = first; row < last; row += count, ahead = 0) {
        count = NextRows(last - row, 8);
        switch (count) {
          case 4:
            BlockRows<F, 4>(args, row, o, end, ahead);
            break;
          case 5:
            BlockRows<F, 5>(args, row, o, end, ahead);
            break;
          case 6:
            BlockRows<F, 6>(args, row, o, end, ahead);
            break;
          case 7:
            BlockRows<F, 7>(args, row, o, end, ahead);
            break;
          default:
            BlockRows<F, 8>(args, row, o, end, ahead);
        }
      }
    }
  }
}

}  // namespace finback
