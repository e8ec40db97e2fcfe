#include "core/network/scratch.h"

#include <algorithm>

namespace finback {
namespace {

// Index scores held at once: enough queries of a chunk to keep the threads busy, or one query's
// whole context when that is longer.
constexpr uint64_t kScoreBatch = uint64_t{1} << 20;

}  // namespace

void Scratch::ReserveAll(const Config& c, const StateShape& shape, Reserve* reserve) {
  chunk = shape.chunk_tokens;
  Reserve& take = *reserve;
  const uint64_t rows = static_cast<uint64_t>(shape.chunk_tokens);
  const uint64_t d = static_cast<uint64_t>(c.hidden), m = static_cast<uint64_t>(c.hc_streams);
  take(streams, rows * m * d);
  take(x, rows * d);
  take(normed, rows * d);
  take(quantized, rows * d);
  take(y, rows * d);
  take(hc_mix, rows * (2 + m) * m);
  take(hc_post, rows * m);
  take(hc_comb, rows * m * m);
  take(cosine, rows * static_cast<uint64_t>(c.rope_dim) / 2);
  take(sine, rows * static_cast<uint64_t>(c.rope_dim) / 2);

  const uint64_t head_dim = static_cast<uint64_t>(c.head_dim);
  const uint64_t heads = static_cast<uint64_t>(c.heads) * head_dim;
  const uint64_t low = static_cast<uint64_t>(c.o_groups) * static_cast<uint64_t>(c.o_lora_rank);
  take(q_low, rows * static_cast<uint64_t>(c.q_lora_rank));
  take(q_low_quantized, rows * static_cast<uint64_t>(c.q_lora_rank));
  take(q, rows * heads);
  take(attended, rows * heads);
  take(kv, rows * head_dim);
  take(o_low, rows * low);
  take(o_low_quantized, rows * low);

  const auto has = [&](LayerKind kind) {
    return std::any_of(c.layers.begin(), c.layers.end(),
                       [&](const LayerSpec& layer) { return layer.kind == kind; });
  };
  if (has(LayerKind::kCsa) || has(LayerKind::kHca)) {
    const uint64_t width = std::max(head_dim, static_cast<uint64_t>(c.index_head_dim));
    take(compressor_kv, rows * 2 * width);
    take(compressor_gate, rows * 2 * width);
  }
  if (has(LayerKind::kCsa)) {
    const uint64_t index_heads = static_cast<uint64_t>(c.index_heads);
    take(index_q, rows * index_heads * static_cast<uint64_t>(c.index_head_dim));
    take(index_weight, rows * index_heads);
    const uint64_t entries = static_cast<uint64_t>(shape.context_tokens) / 4 + 1;
    const uint64_t scores = std::max(entries, std::min(kScoreBatch, rows * entries));
    take(score, scores);
    take(score_order, scores);
    take(selected, rows * static_cast<uint64_t>(c.index_topk));
    take(selected_count, rows);
  }

  const uint64_t experts = static_cast<uint64_t>(c.experts);
  const uint64_t chosen = rows * static_cast<uint64_t>(c.experts_per_token);
  const uint64_t pairs = chosen + rows;
  const uint64_t width = static_cast<uint64_t>(c.expert_width);
  take(router, rows * experts);
  take(expert, chosen);
  take(expert_weight, chosen);
  take(pair_token, pairs);
  take(pair_weight, pairs);
  take(pair_of, pairs);
  take(expert_begin, experts + 2);
  take(group, experts + 1);
  take(pair_x, pairs * d);
  take(pair_y, pairs * d);
  take(pair_gate, pairs * width);
  take(pair_up, pairs * width);
  if (c.drafts > 0) {
    take(draft_embed, rows * d);
    take(draft_streams, rows * m * d);
  }
}

}  // namespace finback
