// Attention over bfloat16 keys (K = V): both of its products as one operation on pairs of bfloat16
// values, the softmax between them, and what brings packed entries into the forms that they read.
//
//   form         layout                                         read by
//   entry rows   [keys][channels] codes                         the two below
//   by channel   [channels / 2][kKeyTile] pairs: channels 2j,   scores: columns are keys
//                2j + 1 of a key
//   by key       [keys / 2][channels] pairs: keys 2j, 2j + 1    values: columns are channels
//                of a channel
//
// What a query's heads read is slots, a key each or none: scores of no key are -inf, their weights
// are 0. A score is one product's column, the largest is exact, weights add up in 16 partial sums
// by slot, and a value channel adds its pairs of slots in ascending order. So nothing depends on
// how keys are cut into tiles, heads and channels over tasks, or rows over calls.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/base/number_formats.h"
#include "core/kernels/quantize.h"

namespace finback {

inline constexpr size_t kKeyTile = 64;  // keys in the form by channel

// For each row and column: c = c (or 0), and for pair j = 0, 1, ...: first a[2j + 1] times the odd
// element of b's pair, then a[2j] times the even one are added, each sum rounded once to nearest.
// Products of bfloat16 values are exact, so all tiers give equal bits where operands and sums are
// zero or normal.
struct PairProductArgs {
  const Bf16* a;  // [rows, a_stride] codes, pair j is codes 2j and 2j + 1
  size_t a_stride;
  const Bf16* b;     // pair j of column i is codes j * b_stride + 2i and + 2i + 1
  size_t b_stride;   // codes
  const Bf16* head;  // if not null, b's pairs for j = 0
  const Bf16* tail;  // if not null, b's pairs for the last j (where that is not 0)
  size_t rows, pairs, columns;
  float* c;  // [rows, c_stride]
  size_t c_stride;
  bool add;  // to what c holds; else c is written only
};
using PairProductFunction = void (*)(const PairProductArgs& args);

// One head's scores into weights: s = dot * scale, weight = exp(s - largest), largest being the
// largest s that is not NaN. Sum l of 16 takes weights l, l + 16, ... as float32; reduced
// l + (l+8), +4, +2, +1. While every score is -inf, all weights and the sum are 0.
struct SoftmaxArgs {
  float* scores;  // [slots] dots; becomes the weights, as Bf16 codes from its begin on if `round`
  size_t slots;   // a multiple of 16
  float scale;
  bool round;
};
struct SoftmaxSums {
  float largest, sum;
};
using SoftmaxFunction = SoftmaxSums (*)(const SoftmaxArgs& args);

// Channels [begin, begin + count) of a packed kv entry as bfloat16 codes, which hold them exactly.
// `begin` and `count` are multiples of 64 but for the last channels. NaN codes give anything.
struct EntryCodesArgs {
  KvFormat format;
  const uint8_t* entry;
  size_t begin, count;
  Bf16* codes;
};
using EntryCodesFunction = void (*)(const EntryCodesArgs& args);

// Rows of codes into one of the forms. Missing rows of the last pair count as zeros.
struct ArrangeArgs {
  const Bf16* rows;  // [count, stride]
  size_t stride, count;
  size_t width;  // codes of a row
  Bf16* out;  // by channel: [(width + 1) / 2][2 * kKeyTile]; by key: [(count + 1) / 2][2 * width]
};
using ArrangeFunction = void (*)(const ArrangeArgs& args);  // by channel: count <= kKeyTile

// x[n], which are bfloat16 values, becomes their codes, from its first byte on.
using CodesInPlaceFunction = void (*)(float* x, size_t n);

// x[i] = x[i] * factor / divisor.
using ScaleFunction = void (*)(float* x, size_t n, float factor, float divisor);

}  // namespace finback
