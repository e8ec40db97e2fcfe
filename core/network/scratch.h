// The working memory of one sequence's forward pass, sized once for its chunk and context.
#pragma once

#include <cstdint>

#include "core/base/buffer.h"
#include "core/checkpoint/config.h"
#include "core/network/state.h"

namespace finback {

struct Scratch {
  size_t chunk = 0;
  // Rows are tokens of the chunk.
  Buffer<float> streams;                  // [chunk, hc, hidden] the residual
  Buffer<float> x, normed, quantized, y;  // [chunk, hidden]
  Buffer<float> hc_mix;                   // [chunk, (2 + hc) * hc]
  Buffer<float> hc_post, hc_comb;         // [chunk, hc], [chunk, hc, hc]
  Buffer<float> cosine, sine;             // [chunk, rope_dim / 2] of the layer's rotary
  // Attention.
  Buffer<float> q_low, q_low_quantized;          // [chunk, q_lora_rank]
  Buffer<float> q, attended;                     // [chunk, heads, head_dim]
  Buffer<float> kv;                              // [chunk, head_dim]
  Buffer<float> o_low, o_low_quantized;          // [chunk, o_groups * o_lora_rank]
  Buffer<float> compressor_kv, compressor_gate;  // [chunk, 2 * max(head_dim, index_head_dim)]
  Buffer<float> index_q;                         // [chunk, index_heads, index_head_dim]
  Buffer<float> index_weight;                    // [chunk, index_heads]
  Buffer<float> score, score_order;              // [queries at once, visible entries]
  Buffer<int32_t> selected;                      // [chunk, index_topk]
  Buffer<int32_t> selected_count;                // [chunk]
  // Mixture of experts; "pairs" are (token, expert) with the shared expert last.
  Buffer<float> router;                                              // [chunk, experts]
  Buffer<int32_t> expert, pair_token, pair_of, expert_begin, group;  // see moe.cc
  Buffer<float> expert_weight, pair_weight;  // [chunk, experts_per_token], [pairs]
  Buffer<float> pair_x, pair_y;              // [pairs, hidden]
  Buffer<float> pair_gate, pair_up;          // [pairs, expert_width]

  void ReserveAll(const Config& config, const StateShape& shape, Reserve* reserve);
};

// What the draft block needs beside it.
struct DraftScratch {
  Buffer<float> embed;    // [chunk, hidden]
  Buffer<float> streams;  // [chunk, hc, hidden]

  void ReserveAll(const Sizes& sizes, size_t rows, Reserve* reserve);
};

}  // namespace finback
