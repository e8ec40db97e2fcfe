// The shape of the matrix products of gemm.h with 512-bit registers, for files compiled with such
// flags only. Formats and instruction sets plug in what they load, decode and add:
//
//   few rows    weights are decoded in registers and multiplied at once, with 4 to 16 outputs side
//               by side where there is one row, else 4 with up to 4 rows, and 4 more in turn: a sum
//               is one chain of additions, whose latency alone would not let a core read as fast
//               as the memory gives. Weights are prefetched in the order in which they lie.
//               Where decoding costs nothing, several rows take K in pieces, more than 4 of them 2
//               outputs at a time.
//   many rows   a panel of 8 outputs x Depth weights, which stays in the first cache, is decoded
//               once per kRowBlock rows and multiplied in blocks of up to 3 rows x 8 outputs, which
//               read each activation once. Between blocks weights of the next panel are
//               prefetched, a few at a time: more than a core can have under way make it wait.
//
//   panel  [Depth / 32][8][unit]   16 KB
//   sums   [kRowBlock][8][16]      32 KB, carried from panel to panel along K
//
// A format F says
//   kBits             of a weight
//   kDirectRows       up to so many rows, 4 or 8, are few: beyond a panel is as fast
//   kPieceRows        from so many few rows on K is taken in pieces
//   kUnits            units of 32 weights that it decodes at once
//   kParts            registers of a unit, in the order in which products are added
//   kValueBytes       of an activation; a unit of them is 32 * kValueBytes bytes
//   LoadScale, LoadCodes   what is needed once per 128 weights
//   Decode                 kUnits units of weights from these
//   LoadX, PadX            a unit of activations; its bytes made whole from the first n < 32
//   Add                    a part's products, added to 16 sums
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/kernels/gemm.h"

namespace finback {

constexpr size_t kUnit = 32;       // weights that are added to the 16 sums at once
constexpr size_t kStep = 128;      // weights under one FP8 scale, on which loops advance
constexpr size_t kNearest = 4096;  // bytes that few rows prefetch ahead: the outputs at work, at
constexpr size_t kAhead = 2048;    // least so many, and so much of the next ones
constexpr size_t kShort = 1024;    // weights of an output are few
constexpr size_t kGroup = 32;      // outputs that several rows multiply piece by piece
constexpr size_t kPanel = 8;       // outputs of a panel
constexpr size_t kRowBlock = 64;
constexpr size_t kRows = 3;  // of a block
template <typename F>
static constexpr size_t kDepth = 2048 / F::kValueBytes;  // weights of each output of a panel

// What lies beyond the end of the weights may be asked for. Loops that do nothing but
// _mm_prefetch are dropped by gcc 12.
static inline void Prefetch(const uint8_t* data, size_t ahead) {
  __asm__ volatile("prefetcht0 (%0,%1)" : : "r"(data), "r"(ahead));
}

// Into the second cache: before these are read, much else has been through the first.
static inline void PrefetchSecond(const uint8_t* data, size_t ahead) {
  __asm__ volatile("prefetcht1 (%0,%1)" : : "r"(data), "r"(ahead));
}

// The 16 sums of one output, reduced pairwise: l + (l+8), then +4, +2, +1.
static inline float ReduceSums(__m512 sum) {
  const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}

// The same for eight outputs: half of two vectors stays where it is, the other half is exchanged,
// as moves between lanes are what limits.
static inline __m256 ReduceEight(const __m512* sums) {
  const __m512i lanes =
      _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
  __m512 by8[4], by4[2];  // two outputs in a register, then four
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512 a = sums[2 * i], b = sums[2 * i + 1];
    by8[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xFF00, a, b), _mm512_shuffle_f32x4(a, b, 0x4E));
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m512 a = by8[2 * i], b = by8[2 * i + 1];
    by4[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xF0F0, a, b), _mm512_permutex2var_ps(a, lanes, b));
  }
  const __m512 by2 = _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, by4[0], by4[1]),
                                   _mm512_shuffle_ps(by4[0], by4[1], 0x4E));
  const __m512 y = _mm512_add_ps(by2, _mm512_movehdup_ps(by2));
  const __m512i order = _mm512_setr_epi32(0, 8, 4, 12, 2, 10, 6, 14, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castps512_ps256(_mm512_permutexvar_ps(order, y));
}

template <typename F>
static inline size_t RowBytes(const GemmArgs& args) {
  return args.in * F::kBits / 8;
}

// Where the scales of an output begin: FP4's of the row, FP8's of its tiles.
template <typename F>
static inline const uint8_t* ScalesOf(const GemmArgs& args, size_t o) {
  if (F::kBits == 8) return args.scale + o / kStep * ((args.in + kStep - 1) / kStep);
  if (F::kBits == 4) return args.scale + o * (args.in / kUnit);
  return args.scale;
}
template <typename F>
static constexpr size_t kScaleBytes = F::kBits == 8   ? 1
                                      : F::kBits == 4 ? 4
                                                      : 0;  // of a step

template <typename F>
static inline size_t ScaleStride(const GemmArgs& args) {  // from an output to the next of its tile
  return F::kBits == 4 ? args.in / kUnit : 0;
}

// Where products and prefetching go on, and how far it is to the next row or output.
struct Cursor {
  const uint8_t *code, *scale, *x, *prefetch;
};
struct Strides {
  size_t x, code, scale;
};

template <typename F>
static inline const uint8_t* RowOf(const GemmArgs& args, size_t row) {
  return reinterpret_cast<const uint8_t*>(args.x + row * args.x_stride);
}

// A step's weights and scales made whole from the first n of them; the rest is zero.
template <typename F>
struct PaddedStep {
  alignas(64) uint8_t code[kStep * F::kBits / 8] = {};
  alignas(4) uint8_t scale[4] = {127, 127, 127, 127};

  PaddedStep(const uint8_t* from, const uint8_t* scales, size_t n) {
    memcpy(code, from, n * F::kBits / 8);
    if (F::kBits == 8) scale[0] = scales[0];
    if (F::kBits == 4) memcpy(scale, scales, n / kUnit);
  }
};

// How far ahead to prefetch when the outputs at work have so many bytes.
static inline size_t AheadOf(size_t at_work) {
  return (at_work > kNearest ? at_work : kNearest) + kAhead;
}

// Adds the products of R rows with `steps` steps of C outputs, side by side from `code` and `scale`
// on, to sums[output][row]. What is prefetched lies as the outputs do if kApart, else in one piece.
template <typename F, int R, int C, bool kApart = false>
static __attribute__((noinline)) void AddSteps(const Cursor& at, const Strides& strides,
                                               size_t steps, __m512* sums) {
  constexpr size_t kCodeBytes = kStep * F::kBits / 8, kXUnit = kUnit * F::kValueBytes;
  __m512 sum[C * R];
#pragma GCC unroll 16
  for (int i = 0; i < C * R; ++i) sum[i] = sums[i];
  const uint8_t *code = at.code, *scale = at.scale, *x = at.x, *prefetch = at.prefetch;
  for (; steps > 0; --steps) {
    typename F::Scale scales[C];
    typename F::Codes codes[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      scales[c] = F::kBits == 8 && c > 0
                      ? scales[0]
                      : F::LoadScale(scale + static_cast<size_t>(c) * strides.scale);
      codes[c] = F::LoadCodes(code + static_cast<size_t>(c) * strides.code);
    }
#pragma GCC unroll 4
    for (int unit = 0; unit < static_cast<int>(kStep / kUnit); unit += F::kUnits) {
      // Spread over the step: more than a core can have under way make it wait.
      constexpr size_t kPart = C * kCodeBytes * F::kUnits * kUnit / kStep;
      constexpr size_t kBlock = kApart ? kPart / C : kPart;
#pragma GCC unroll 4
      for (size_t c = 0; c < (kApart ? C : 1); ++c) {
#pragma GCC unroll 32
        for (size_t i = 0; i < kBlock; i += 64) Prefetch(prefetch, c * strides.code + i);
      }
      prefetch += kBlock;
      __m512 w[C * F::kUnits * F::kParts];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        F::Decode(scales[c], codes[c], unit, w + c * F::kUnits * F::kParts);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int i = 0; i < F::kUnits; ++i) {
          __m512 v[F::kParts];
          F::LoadX(x + static_cast<size_t>(r) * strides.x + static_cast<size_t>(unit + i) * kXUnit,
                   v);
#pragma GCC unroll 2
          for (int p = 0; p < F::kParts; ++p) {
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c) {
              __m512& to = sum[c * R + r];
              to = F::Add(to, v[p], w[(c * F::kUnits + i) * F::kParts + p]);
            }
          }
        }
      }
    }
    code += kCodeBytes;
    scale += kScaleBytes<F>;
    x += kStep * F::kValueBytes;
  }
#pragma GCC unroll 16
  for (int i = 0; i < C * R; ++i) sums[i] = sum[i];
}

// Adds `steps` steps to the sums of R rows and then of S more, in pieces of K that stay in the
// first cache between the two.
template <typename F, int R, int S, int C>
static inline void AddHalves(Cursor at, const Strides& strides, size_t steps, __m512* sums) {
  constexpr size_t kPiece = 8;
  while (S > 0 && steps > kPiece) {
    AddSteps<F, R, C>(at, strides, kPiece, sums);
    AddSteps<F, S, C>({at.code, at.scale, at.x + R * strides.x, at.prefetch}, strides, kPiece,
                      sums + C * R);
    at.code += kPiece * kStep * F::kBits / 8;
    at.scale += kPiece * kScaleBytes<F>;
    at.x += kPiece * kStep * F::kValueBytes;
    at.prefetch += C * kPiece * kStep * F::kBits / 8;
    steps -= kPiece;
  }
  AddSteps<F, R, C>(at, strides, steps, sums);
  if (S == 0) return;
  AddSteps<F, S, C>({at.code, at.scale, at.x + R * strides.x, at.prefetch}, strides, steps,
                    sums + C * R);
}

// R + S rows of activations, and outputs [begin, end), C at a time, under the same FP8 scales.
template <typename F, int R, int S, int C>
static __attribute__((noinline)) void DirectOutputs(const GemmArgs& args, const uint8_t* x_tail,
                                                    size_t begin, size_t end) {
  constexpr size_t kCodeBytes = kStep * F::kBits / 8;
  const size_t steps = args.in / kStep, tail = args.in % kStep;
  const Strides strides = {args.x_stride * sizeof(float), RowBytes<F>(args), ScaleStride<F>(args)};
  const size_t ahead = AheadOf(C * RowBytes<F>(args));
  for (size_t o = begin; o < end; o += C) {
    __m512 sums[C * (R + S)];
#pragma GCC unroll 32
    for (int i = 0; i < C * (R + S); ++i) sums[i] = _mm512_setzero_ps();
    const uint8_t* code = args.weight + o * RowBytes<F>(args);
    const Cursor at = {code, ScalesOf<F>(args, o), RowOf<F>(args, 0), code + ahead};
    AddHalves<F, R, S, C>(at, strides, steps, sums);
#pragma GCC unroll 8
    for (size_t c = 0; c < C && tail > 0; ++c) {
      constexpr size_t kXStep = kStep * F::kValueBytes;
      const PaddedStep<F> padded(at.code + c * strides.code + steps * kCodeBytes,
                                 at.scale + c * strides.scale + steps * kScaleBytes<F>, tail);
      const Strides in_tail = {kXStep, 0, 0};
      AddSteps<F, R, 1>({padded.code, padded.scale, x_tail, padded.code}, in_tail, 1, sums + c * R);
      if (S == 0) continue;
      AddSteps<F, S, 1>({padded.code, padded.scale, x_tail + R * kXStep, padded.code}, in_tail, 1,
                        sums + C * R + c * S);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < R + S; ++r) {
      float* y = args.y + r * args.y_stride + (o - args.y_origin);
#pragma GCC unroll 8
      for (size_t c = 0; c < C; ++c) {
        y[c] = ReduceSums(sums[r < R ? c * R + r : C * R + c * S + (r - R)]);
      }
    }
  }
}

// R rows of activations, and outputs [begin, end), C at a time, under one FP8 scale each. A piece
// of K is multiplied with a group of outputs before the next, and its activations are copied
// together: rows of activations and of weights are mostly multiples of 4 KB apart, and the first
// cache has room for 12 lines that are.
template <typename F, int R, int C>
static __attribute__((noinline)) void TogetherOutputs(const GemmArgs& args, const uint8_t* x_tail,
                                                      size_t begin, size_t end) {
  constexpr size_t kCodeBytes = kStep * F::kBits / 8, kXStep = kStep * F::kValueBytes;
  constexpr size_t kSteps = R > 4 ? 4 : 8;  // of a piece
  constexpr size_t kNext = R > 4 ? 8 : 4;   // outputs from those at work to those prefetched
  const size_t steps = args.in / kStep, tail = args.in % kStep, row = RowBytes<F>(args);
  alignas(64) __m512 sums[kGroup * R];
  alignas(64) uint8_t x[R * kSteps * kXStep];
  for (size_t group = begin; group < end; group += kGroup) {
    const size_t outs = end - group < kGroup ? end - group : kGroup;
    memset(sums, 0, outs * R * sizeof sums[0]);
    const uint8_t* code = args.weight + group * row;
    for (size_t step = 0; step < steps; step += kSteps) {
      const size_t count = steps - step < kSteps ? steps - step : kSteps;
      // From the end of the group at this piece to the begin at the next, or of the next group.
      const size_t turn =
          step + count < steps ? count * kCodeBytes - outs * row : 0 - step * kCodeBytes;
      for (size_t r = 0; r < R; ++r) {
        memcpy(x + r * count * kXStep, RowOf<F>(args, r) + step * kXStep, count * kXStep);
      }
      for (size_t o = 0; o < outs; o += C) {
        const uint8_t* from = code + o * row + step * kCodeBytes;
        const size_t ahead = kNext * row + (o + kNext < outs ? 0 : turn);
        // The line where an output's piece begins; AddSteps asks for those where its lines end.
#pragma GCC unroll 4
        for (size_t c = 0; c < C; ++c) Prefetch(from, ahead + c * row);
        const Cursor at = {from, ScalesOf<F>(args, group + o) + step * kScaleBytes<F>, x,
                           from + ahead + 63};
        AddSteps<F, R, C, true>(at, {count * kXStep, row, ScaleStride<F>(args)}, count,
                                sums + o * R);
      }
    }
    for (size_t o = 0; o < outs && tail > 0; ++o) {
      const PaddedStep<F> padded(code + o * row + steps * kCodeBytes,
                                 ScalesOf<F>(args, group + o) + steps * kScaleBytes<F>, tail);
      AddSteps<F, R, 1>({padded.code, padded.scale, x_tail, padded.code}, {kXStep, 0, 0}, 1,
                        sums + o * R);
    }
    for (size_t o = 0; o < outs; ++o) {
      float* y = args.y + (group + o - args.y_origin);
#pragma GCC unroll 8
      for (size_t r = 0; r < R; ++r) y[r * args.y_stride] = ReduceSums(sums[o * R + r]);
    }
  }
}

template <typename F, int R, int S>
static void DirectRows(const GemmArgs& args) {
  constexpr size_t kXUnit = kUnit * F::kValueBytes, kXStep = kStep * F::kValueBytes, kChains = 4;
  const size_t steps = args.in / kStep, tail = args.in % kStep;
  alignas(64) uint8_t x_tail[(R + S) * kXStep];
  if (tail > 0) {
    memset(x_tail, 0, sizeof x_tail);
    for (size_t r = 0; r < R + S; ++r) {
      const uint8_t* from = RowOf<F>(args, r) + steps * kXStep;
      uint8_t* to = x_tail + r * kXStep;
      const size_t whole = tail / kUnit * kXUnit;
      memcpy(to, from, whole);
      if (tail % kUnit > 0) F::PadX(from + whole, tail % kUnit, to + whole);
    }
  }
  const size_t last = args.out_end / kChains * kChains;
  for (size_t o = args.out_begin; o < args.out_end;) {
    size_t end = last;
    if (o % kChains == 0 && o < last) {
      if constexpr (R >= F::kPieceRows) {
        TogetherOutputs<F, R, (R > 4 ? 2 : 4)>(args, x_tail, o, end);
      } else {
        DirectOutputs<F, R, S, kChains>(args, x_tail, o, end);
      }
    } else {
      end = (o / kChains + 1) * kChains;
      if (end > args.out_end) end = args.out_end;
      DirectOutputs<F, R, S, 1>(args, x_tail, o, end);
    }
    o = end;
  }
}

// One row of activations with whole steps, and outputs [begin, end), multiples of C: C at a time
// and a step at a time, so that little but their sums is kept, one FP8 scale serves them all, they
// are reduced together, and nothing is called.
template <typename F, int C>
static __attribute__((noinline)) void WholeRow(const GemmArgs& args, size_t begin, size_t end) {
  constexpr size_t kCodeBytes = kStep * F::kBits / 8, kXUnit = kUnit * F::kValueBytes;
  constexpr size_t kPart = C * kCodeBytes * F::kUnits * kUnit / kStep;
  constexpr int kValues = F::kUnits * F::kParts;
  const size_t steps = args.in / kStep, row = RowBytes<F>(args), scales = ScaleStride<F>(args);
  // Matrices with the shortest rows, and those of float32, are small and mostly in a cache: what
  // they begin with comes as fast as it can be asked for.
  const bool small = args.in <= (F::kBits == 32 ? kShort : 512);
  const size_t ahead = small ? kAhead : AheadOf(C * row), scales_ahead = C * scales + kAhead / 8;
  const uint8_t *next = args.weight + begin * row, *next_scale = ScalesOf<F>(args, begin);
  const size_t all = small ? 0 : (end - begin) * row;
  for (size_t i = 0; i < ahead && i < all; i += 64) Prefetch(next, i);
  for (size_t o = begin; o < end; o += C) {
    const uint8_t *code = args.weight + o * row, *scale = ScalesOf<F>(args, o);
    const uint8_t* x = RowOf<F>(args, 0);
    __m512 sum[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) sum[c] = _mm512_setzero_ps();
    for (size_t step = 0; step < steps; ++step) {
      typename F::Scale of_step = F::LoadScale(scale);
      typename F::Codes codes[C];
#pragma GCC unroll 16
      for (int c = 0; c < C; ++c) codes[c] = F::LoadCodes(code + static_cast<size_t>(c) * row);
      if (F::kBits == 4) {
        Prefetch(next_scale, scales_ahead);
        next_scale += C * kScaleBytes<F>;
      }
#pragma GCC unroll 4
      for (int unit = 0; unit < static_cast<int>(kStep / kUnit); unit += F::kUnits) {
        // Spread over the step: more than a core can have under way make it wait.
#pragma GCC unroll 64
        for (size_t i = 0; i < kPart; i += 64) Prefetch(next, ahead + i);
        next += kPart;
        __m512 v[kValues];
#pragma GCC unroll 2
        for (int i = 0; i < F::kUnits; ++i) {
          F::LoadX(x + static_cast<size_t>(unit + i) * kXUnit, v + i * F::kParts);
        }
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
          __m512 w[kValues];
          if (F::kBits == 4) of_step = F::LoadScale(scale + static_cast<size_t>(c) * scales);
          F::Decode(of_step, codes[c], unit, w);
#pragma GCC unroll 2
          for (int i = 0; i < kValues; ++i) sum[c] = F::Add(sum[c], v[i], w[i]);
        }
      }
      code += kCodeBytes;
      scale += kScaleBytes<F>;
      x += kStep * F::kValueBytes;
    }
    float* y = args.y + (o - args.y_origin);
    if constexpr (C % 8 == 0) {
#pragma GCC unroll 2
      for (int c = 0; c < C; c += 8) _mm256_storeu_ps(y + c, ReduceEight(sum + c));
    } else {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) y[c] = ReduceSums(sum[c]);
    }
  }
}

// One row of activations; C outputs at a time where there are so many.
template <typename F, int C>
static inline void OneRow(GemmArgs args) {
  const size_t begin = (args.out_begin + C - 1) / C * C, rest = args.out_end, end = rest / C * C;
  if (args.in % kStep != 0 || begin >= end) return DirectRows<F, 1, 0>(args);
  args.out_end = begin;
  DirectRows<F, 1, 0>(args);
  WholeRow<F, C>(args, begin, end);
  args.out_begin = end;
  args.out_end = rest;
  DirectRows<F, 1, 0>(args);
}

// Weights [k, k + n) of an output as column i of a panel; zeros up to a whole unit.
template <typename F>
static inline void DecodeColumn(const GemmArgs& args, size_t o, size_t k, size_t n, size_t i,
                                float* panel) {
  constexpr size_t kUnitFloats = F::kParts * 16;
  const uint8_t* code = args.weight + o * RowBytes<F>(args) + k * F::kBits / 8;
  const uint8_t* scale = ScalesOf<F>(args, o) + k / kStep * kScaleBytes<F>;
  float* to = panel + i * kUnitFloats;
  const auto decode = [&](const uint8_t* from, const uint8_t* scales, size_t units) {
    const typename F::Scale loaded = F::LoadScale(scales);
    const typename F::Codes codes = F::LoadCodes(from);
#pragma GCC unroll 4
    for (size_t unit = 0; unit < kStep / kUnit; unit += F::kUnits) {
      __m512 w[F::kUnits * F::kParts];
      F::Decode(loaded, codes, static_cast<int>(unit), w);
#pragma GCC unroll 2
      for (size_t j = 0; j < F::kUnits; ++j) {
        if (unit + j >= units) return;
#pragma GCC unroll 2
        for (size_t p = 0; p < F::kParts; ++p) {
          _mm512_store_ps(to + (unit + j) * kPanel * kUnitFloats + p * 16, w[j * F::kParts + p]);
        }
      }
    }
  };
  for (; n >= kStep; n -= kStep) {
    decode(code, scale, kStep / kUnit);
    code += kStep * F::kBits / 8;
    scale += kScaleBytes<F>;
    to += kStep / kUnit * kPanel * kUnitFloats;
  }
  if (n == 0) return;
  const PaddedStep<F> padded(code, scale, n);
  decode(padded.code, padded.scale, (n + kUnit - 1) / kUnit);
}

// sum[r * kPanel + i] += the products of R rows and the panel, for `units` units.
template <typename F, int R>
static inline void MultiplyUnits(const uint8_t* x, size_t x_stride, const float* panel,
                                 size_t units, __m512* sum) {
  constexpr int kOuts = static_cast<int>(kPanel);
  for (; units > 0; --units) {
    __m512 v[R * F::kParts];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
      F::LoadX(x + static_cast<size_t>(r) * x_stride, v + r * F::kParts);
    }
    // Loads are what limits: these must not be folded into each of their users.
#pragma GCC unroll 6
    for (int i = 0; i < R * F::kParts; ++i) __asm__("" : "+v"(v[i]));
#pragma GCC unroll 2
    for (int p = 0; p < F::kParts; ++p) {
#pragma GCC unroll 8
      for (int i = 0; i < kOuts; ++i) {
        __m512 w = _mm512_load_ps(panel + (i * F::kParts + p) * 16);
        if (R > 1) __asm__("" : "+v"(w));
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) {
          __m512& to = sum[r * kOuts + i];
          to = F::Add(to, v[r * F::kParts + p], w);
        }
      }
    }
    x += kUnit * F::kValueBytes;
    panel += kPanel * F::kParts * 16;
  }
}

// A panel that holds weights [k, k + n) of outputs from o on, and the sums that it adds to.
struct PanelWork {
  const float* panel;
  size_t o, outs, k, n;
  bool first, last;  // of K
};

// R rows from `row` on; sums [R][kPanel][16]. Not inlined, so that nothing else takes registers.
template <typename F, int R>
static __attribute__((noinline)) void MultiplyRows(const GemmArgs& args, size_t row,
                                                   const PanelWork& work, float* sums) {
  constexpr size_t kXUnit = kUnit * F::kValueBytes;
  constexpr int kOuts = static_cast<int>(kPanel), kSums = R * kOuts;
  const uint8_t* x = RowOf<F>(args, row) + work.k / kUnit * kXUnit;
  const size_t x_stride = args.x_stride * sizeof(float);
  const size_t units = work.n / kUnit, rest = work.n % kUnit;
  __m512 sum[kSums];
  if (work.first) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = _mm512_setzero_ps();
  } else {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = _mm512_load_ps(sums + i * 16);
  }
  MultiplyUnits<F, R>(x, x_stride, work.panel, units, sum);
  if (rest > 0) {
    alignas(64) uint8_t x_rest[R * kXUnit];
    memset(x_rest, 0, sizeof x_rest);
    for (size_t r = 0; r < R; ++r) {
      F::PadX(x + r * x_stride + units * kXUnit, rest, x_rest + r * kXUnit);
    }
    MultiplyUnits<F, R>(x_rest, kXUnit, work.panel + units * kPanel * F::kParts * 16, 1, sum);
  }
  if (!work.last) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) _mm512_store_ps(sums + i * 16, sum[i]);
    return;
  }
#pragma GCC unroll 3
  for (int r = 0; r < R; ++r) {
    _mm256_mask_storeu_ps(
        args.y + (row + static_cast<size_t>(r)) * args.y_stride + (work.o - args.y_origin),
        static_cast<__mmask8>((1u << work.outs) - 1), ReduceEight(sum + r * kOuts));
  }
}

// Part `part` of `parts` of the weights that the next panel will hold, [k, k + n) of kPanel outputs
// from o on.
template <typename F>
static inline void PrefetchPart(const GemmArgs& args, const PanelWork& work, size_t part,
                                size_t parts) {
  const size_t lines = (work.n * F::kBits / 8 + 63) / 64, all = kPanel * lines;
  const uint8_t* from = args.weight + (work.o + kPanel) * RowBytes<F>(args) + work.k * F::kBits / 8;
  size_t at = all * part / parts;
  const size_t end = all * (part + 1) / parts;
  while (at < end) {
    const size_t line = at % lines, left = end - at < lines - line ? end - at : lines - line;
    const size_t row = at / lines * RowBytes<F>(args);
    for (size_t i = line; i < line + left; ++i) PrefetchSecond(from, row + i * 64);
    at += left;
  }
}

template <typename F>
static void PanelRows(const GemmArgs& args, size_t first, size_t rows) {
  alignas(64) float panel[kDepth<F> / kUnit * kPanel * F::kParts * 16];
  alignas(64) float sums[kRowBlock * kPanel * 16];
  // As even as possible: blocks of few rows load more than they multiply.
  const size_t blocks = (rows + kRows - 1) / kRows;
  for (size_t o = args.out_begin; o < args.out_end; o += kPanel) {
    const size_t outs = args.out_end - o < kPanel ? args.out_end - o : kPanel;
    if (outs < kPanel) memset(panel, 0, sizeof panel);
    for (size_t k = 0; k < args.in; k += kDepth<F>) {
      const size_t n = args.in - k < kDepth<F> ? args.in - k : kDepth<F>;
      for (size_t i = 0; i < outs; ++i) DecodeColumn<F>(args, o + i, k, n, i, panel);
      const PanelWork work = {panel, o, outs, k, n, k == 0, k + n == args.in};
      for (size_t block = 0; block < blocks; ++block) {
        PrefetchPart<F>(args, work, block, blocks);
        const size_t begin = rows * block / blocks, count = rows * (block + 1) / blocks - begin;
        float* to = sums + begin * kPanel * 16;
        switch (count) {
          case 1:
            MultiplyRows<F, 1>(args, first + begin, work, to);
            break;
          case 2:
            MultiplyRows<F, 2>(args, first + begin, work, to);
            break;
          default:
            MultiplyRows<F, 3>(args, first + begin, work, to);
        }
      }
    }
  }
}

// Few rows in registers, many by `many`.
template <typename F, typename Many>
static inline void Multiply(const GemmArgs& args, const Many& many) {
  if (args.rows == 0 || args.out_begin >= args.out_end) return;
  switch (args.rows) {
    case 1:
      // Those at work and those behind them have room in the first cache.
      if (args.in <= kShort) return OneRow < F, F::kBits == 8 ? 16 : 8 > (args);
      return OneRow < F, F::kBits <= 8 ? 8 : 4 > (args);
    case 2:
      return DirectRows<F, 2, 0>(args);
    case 3:
      return DirectRows<F, 3, 0>(args);
    case 4:
      return DirectRows<F, 4, 0>(args);
    default:
      break;
  }
  if constexpr (F::kDirectRows == 8) {
    constexpr bool kHalves = F::kPieceRows > 4;
    switch (args.rows) {
      case 5:
        return DirectRows < F, kHalves ? 3 : 5, kHalves ? 2 : 0 > (args);
      case 6:
        return DirectRows < F, kHalves ? 3 : 6, kHalves ? 3 : 0 > (args);
      case 7:
        return DirectRows < F, kHalves ? 4 : 7, kHalves ? 3 : 0 > (args);
      case 8:
        return DirectRows < F, kHalves ? 4 : 8, kHalves ? 4 : 0 > (args);
      default:
        break;
    }
  }
  many(args);
}

template <typename F>
static inline void MultiplyInPanels(const GemmArgs& args) {
  for (size_t first = 0; first < args.rows; first += kRowBlock) {
    PanelRows<F>(args, first, args.rows - first < kRowBlock ? args.rows - first : kRowBlock);
  }
}

}  // namespace finback
