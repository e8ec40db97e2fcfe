// The working memory of a pass through the network, sized once for a chunk of rows and for the
// longest context. It is where results live, not how they travel: steps return what they made.
#pragma once

#include <cstdint>

#include "core/base/buffer.h"
#include "core/network/compute.h"
#include "core/network/products.h"

namespace finback {

// What a thread unpacks a tile of keys in, and arranges them; then tiles that it keeps unpacked
// while it reads few of them twice.
size_t UnpackedBytes(const Compute& compute);
size_t KeptTiles(const Compute& compute);
size_t KeyTileBytes(const Compute& compute);

// The rotary angles of a pass's rows, for one kind of layers: [chunk, rope_dim / 2].
struct RowAngles {
  Buffer<float> cosine, sine;

  RotaryAngles Angles(size_t pairs) const { return {cosine.data(), sine.data(), pairs}; }
};

// What a compressor takes of each row: [chunk, 2 * width].
struct CompressorInput {
  Buffer<float> kv, gate;
};

struct Scratch {
  Buffer<float> streams;           // [chunk, hc, hidden] the residual
  Buffer<float> x, normed, y;      // [chunk, hidden]
  Buffer<float> forms;             // [copies, chunk, hidden] of normed (compute.h)
  Buffer<float> hc_input;          // [chunk, hc, hidden] if products of float32 ask for it
  Buffer<float> hc_mix;            // [chunk, (2 + hc) * hc]
  Buffer<float> hc_post, hc_comb;  // [chunk, hc], [chunk, hc, hc]
  RowAngles angles[2];             // of every RotaryKind
  Buffer<Product> products;        // of one fork: a group of heads, an expert
  // Attention.
  Buffer<float> q_low;                      // [chunk, q_lora_rank]
  Buffer<float> q_low_forms;                // [copies, chunk, q_lora_rank]
  Buffer<float> q, attended;                // [chunk, heads, head_dim]
  Buffer<uint8_t> key_tiles;                // [threads, KeyTileBytes]
  Buffer<float> key_scores;                 // [rows at once, heads, slots], see attention/
  Buffer<SoftmaxSums> key_sums;             // [chunk, heads]
  Buffer<float> kv;                         // [chunk, head_dim]
  CompressorInput main_input, index_input;  // of head_dim, of index_head_dim
  Buffer<float> o_low;                      // [chunk, o_groups * o_lora_rank]
  Buffer<float> o_low_forms;                // [copies, chunk, o_groups * o_lora_rank]
  Buffer<float> index_q;                    // [chunk, index_heads, index_head_dim]
  Buffer<float> index_weight;               // [chunk, index_heads]
  Buffer<int16_t> score_codes;              // [queries at once, visible entries] of packed keys
  Buffer<float> score, score_order;         // the same of others
  Buffer<int32_t> selected;                 // [chunk, index_topk]
  Buffer<int32_t> selected_count;           // [chunk]
  // Mixture of experts; "pairs" are (token, expert) with the shared expert last.
  Buffer<float> router;                                              // [chunk, experts]
  Buffer<int32_t> expert, pair_token, pair_of, expert_begin, group;  // see moe.cc
  Buffer<float> expert_weight, pair_weight;  // [chunk, experts_per_token], [pairs]
  Buffer<float> pair_x, pair_y;              // [pairs, hidden]
  Buffer<float> pair_gate, pair_up;          // [pairs, expert_width]

  void ReserveAll(const Compute& compute, size_t rows, size_t context_tokens, Reserve* reserve);
};

// What the draft block needs beside it.
struct DraftScratch {
  Buffer<float> embed;    // [chunk, hidden]
  Buffer<float> streams;  // [chunk, hc, hidden]
  Buffer<float> normed;   // [chunk, hc, hidden]
  Buffer<float> forms;    // [copies, chunk, hc, hidden]

  void ReserveAll(const Compute& compute, size_t rows, Reserve* reserve);
};

}  // namespace finback
