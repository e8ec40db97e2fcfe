// Attention of several query heads over one tile of keys (K = V), with an online softmax carried
// from tile to tile, and the scoring of index keys.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace finback {

inline constexpr size_t kAttentionTile = 64;  // keys per tile at most

struct AttentionTileArgs {
  const float* q;     // [heads, head_dim]
  const float* keys;  // [count, head_dim], count <= kAttentionTile
  size_t heads, head_dim, count;
  float scale;  // softmax scale
  float* max;   // [heads] running maximum; -inf before the first tile
  float* sum;   // [heads] running sum of exp(score - max); 0 before
  float* acc;   // [heads, head_dim] running sum of exp(score - max) * key; 0 before
};
// Within a tile, values add up in double: float32 sums over a window flip enough bfloat16 roundings
// of the output to be seen layers later. score = dot(q, key) * scale (dot as in gemm.h); a head's
// result depends on the sequence of tiles only, not on which other heads are in the call.
using AttentionTileFunction = void (*)(const AttentionTileArgs& args);

struct IndexScoreArgs {
  const float* q;       // [heads, width], rounded index queries
  const float* weight;  // [heads]
  const float* keys;    // [count, width]
  size_t heads, width, count;
  bool round_bf16;  // dot, product and sum are rounded to bfloat16 as published
  float* score;     // [count]: sum over heads ascending of relu(dot) * weight
};
using IndexScoreFunction = void (*)(const IndexScoreArgs& args);

}  // namespace finback
