#include "core/network/scratch.h"

#include <algorithm>

namespace finback {
namespace {

// Index scores held at once: enough queries of a chunk to keep the threads busy, or one query's
// whole context when that is longer.
constexpr size_t kScoreBatch = size_t{1} << 20;

// The same for scores of attention, of all heads: 16 MB.
constexpr size_t kKeyScores = size_t{4} << 20;

constexpr size_t RoundUp(size_t n) { return (n + kKeyTile - 1) / kKeyTile * kKeyTile; }

// The most slots that a query's keys take, and a tile: see attention/reader.h.
size_t MostSlots(const Compute& compute, size_t context_tokens) {
  size_t entries = 0;
  for (const LayerSpec& layer : compute.config.layers) {
    if (layer.kind == LayerKind::kCsa) entries = std::max(entries, compute.sizes.index_topk);
    if (layer.kind == LayerKind::kHca) {
      entries = std::max(entries, context_tokens / static_cast<size_t>(layer.ratio));
    }
  }
  return RoundUp(compute.sizes.window + kKeyTile - 1) + RoundUp(entries) + kKeyTile;
}

}  // namespace

size_t UnpackedBytes(const Compute& compute) {
  return 2 * kKeyTile *
         std::max<size_t>({compute.sizes.head_dim, compute.sizes.index_head_dim, 16}) *
         sizeof(float);
}

size_t KeptTiles(const Compute& compute) {
  constexpr size_t kKeptBytes = 65536;  // of a second cache that the weights pass through too
  return kKeptBytes / (kKeyTile * compute.sizes.head_dim * sizeof(Bf16));
}

size_t KeyTileBytes(const Compute& compute) {
  return UnpackedBytes(compute) +
         KeptTiles(compute) * kKeyTile * compute.sizes.head_dim * sizeof(Bf16);
}

void Scratch::ReserveAll(const Compute& compute, size_t rows, size_t context_tokens,
                         Reserve* reserve) {
  Reserve& take = *reserve;
  const Config& c = compute.config;
  const Kernels& kernels = compute.kernels;
  const Sizes& sizes = compute.sizes;
  const size_t d = sizes.hidden, m = sizes.streams;
  take(streams, rows * m * d);
  take(x, rows * d);
  take(normed, rows * d);
  const size_t copies = CopiesOfActivation(kernels);
  take(forms, copies * rows * d);
  take(y, rows * d);
  if (kernels.gemm_f32.prepare != nullptr) take(hc_input, rows * m * d);
  take(hc_mix, rows * (2 + m) * m);
  take(hc_post, rows * m);
  take(hc_comb, rows * m * m);
  for (RowAngles& of_kind : angles) {
    take(of_kind.cosine, rows * sizes.rope_pairs);
    take(of_kind.sine, rows * sizes.rope_pairs);
  }

  take(products, std::max(sizes.o_groups, sizes.experts + 1));

  const size_t threads = static_cast<size_t>(compute.parallel.threads());
  const size_t head_dim = sizes.head_dim, heads = sizes.heads * head_dim;
  const size_t low = sizes.o_groups * sizes.o_lora_rank;
  take(q_low, rows * sizes.q_lora_rank);
  take(q_low_forms, copies * rows * sizes.q_lora_rank);
  take(q, rows * heads);
  take(attended, rows * heads);
  take(key_tiles, threads * KeyTileBytes(compute));
  const size_t row_scores = sizes.heads * MostSlots(compute, context_tokens);
  take(key_scores, row_scores * std::clamp<size_t>(kKeyScores / row_scores, 1, rows));
  take(key_sums, rows * sizes.heads);
  take(kv, rows * head_dim);
  take(o_low, rows * low);
  take(o_low_forms, copies * rows * low);

  const auto has = [&](LayerKind kind) {
    return std::any_of(c.layers.begin(), c.layers.end(),
                       [&](const LayerSpec& layer) { return layer.kind == kind; });
  };
  if (has(LayerKind::kCsa) || has(LayerKind::kHca)) {
    take(main_input.kv, rows * 2 * head_dim);
    take(main_input.gate, rows * 2 * head_dim);
  }
  if (has(LayerKind::kCsa)) {
    take(index_input.kv, rows * 2 * sizes.index_head_dim);
    take(index_input.gate, rows * 2 * sizes.index_head_dim);
    take(index_q, rows * sizes.index_heads * sizes.index_head_dim);
    take(index_weight, rows * sizes.index_heads);
    const size_t entries = context_tokens / 4 + 1;
    const size_t scores = std::max(entries, std::min(kScoreBatch, rows * entries));
    if (compute.numerics.index_fp4) {
      take(score_codes, scores);
    } else {
      take(score, scores);
      take(score_order, scores);
    }
    take(selected, rows * sizes.index_topk);
    take(selected_count, rows);
  }

  const size_t experts = sizes.experts, width = sizes.expert_width;
  const size_t chosen = rows * sizes.experts_per_token, pairs = chosen + rows;
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
}

void DraftScratch::ReserveAll(const Compute& compute, size_t rows, Reserve* reserve) {
  const size_t residual = compute.sizes.residual();
  (*reserve)(embed, rows * compute.sizes.hidden);
  (*reserve)(streams, rows * residual);
  (*reserve)(normed, rows * residual);
  (*reserve)(forms, CopiesOfActivation(compute.kernels) * rows * residual);
}

}  // namespace finback
