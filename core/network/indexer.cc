#include "core/network/indexer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace finback {
namespace {

constexpr size_t kScoreTile = 64;  // entries unpacked at once
constexpr size_t kMaxTileFloats = 64 * 1024 / sizeof(float);

// Index queries as the keys are: rotary, Hadamard, FP4 (through the packed form, which is exact).
void RoundQueries(const Compute& compute, const EntryFormat& format, size_t rows,
                  Scratch* scratch) {
  const size_t heads = compute.sizes.index_heads, width = format.width;
  const size_t pairs = compute.sizes.rope_pairs;
  compute.parallel.For(rows, 1, [&](size_t begin, size_t end) {
    uint8_t packed[4096];  // index_head_dim is bounded by the config
    for (size_t row = begin; row < end; ++row) {
      const float* cosine = scratch->cosine.data() + row * pairs;
      const float* sine = scratch->sine.data() + row * pairs;
      for (size_t head = 0; head < heads; ++head) {
        float* q = scratch->index_q.data() + (row * heads + head) * width;
        Rotate(cosine, sine, pairs, Turn::kForward, q, width);
        compute.RoundBf16(q, width);
        if (!compute.numerics.index_fp4) continue;
        HadamardTransform(q, width);
        compute.RoundBf16(q, width);
        format.Store(compute.kernels, q, packed);
        format.Load(compute.kernels, packed, q);
      }
    }
  });
}

// The k largest of score[count], smaller index first among equals, as ascending indices.
// `order` is scratch of `count` floats.
void SelectLargest(const float* score, size_t count, size_t k, float* order, int32_t* chosen) {
  std::copy(score, score + count, order);
  std::nth_element(order, order + (k - 1), order + count, std::greater<float>());
  const float least = order[k - 1];
  size_t above = 0;
  for (size_t w = 0; w < count; ++w) above += score[w] > least;
  size_t ties = k - above, done = 0;
  for (size_t w = 0; w < count && done < k; ++w) {
    if (score[w] > least) {
      chosen[done++] = static_cast<int32_t>(w);
    } else if (score[w] == least && ties != 0) {
      chosen[done++] = static_cast<int32_t>(w);
      --ties;
    }
  }
}

// Scores of entries [begin, end) for one query.
void ScoreEntries(const Pass& pass, const CompressorState& state, size_t row, size_t begin,
                  size_t end, float* score) {
  const Compute& compute = pass.compute;
  const Scratch& scratch = *pass.scratch;
  const size_t heads = compute.sizes.index_heads, width = state.format.width;
  const size_t tile = std::min(kScoreTile, std::max<size_t>(1, kMaxTileFloats / width));
  float keys[kMaxTileFloats];
  for (size_t first = begin; first < end; first += tile) {
    const size_t count = std::min(tile, end - first);
    for (size_t i = 0; i < count; ++i) {
      state.format.Load(compute.kernels, state.Entry(first + i), keys + i * width);
    }
    compute.kernels.index_score({.q = scratch.index_q.data() + row * heads * width,
                                 .weight = scratch.index_weight.data() + row * heads,
                                 .keys = keys,
                                 .heads = heads,
                                 .width = width,
                                 .count = count,
                                 .round_bf16 = compute.numerics.bf16,
                                 .score = score + first});
  }
  // A NaN would break the ordering; it ranks last.
  for (size_t w = begin; w < end; ++w) {
    if (std::isnan(score[w])) score[w] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace

void SelectEntries(const Pass& pass, const AttentionWeights& w, const Activation& q_low,
                   const Activation& x, const CompressorState& state) {
  const Compute& compute = pass.compute;
  const size_t position = pass.position;
  Scratch* scratch = pass.scratch;
  const Config& c = compute.config;
  const size_t topk = compute.sizes.index_topk, heads = compute.sizes.index_heads;
  const auto visible = [&](size_t row) { return (position + row + 1) / state.ratio; };
  Project(compute, w.index_wq_b, q_low, Rounding::kBf16, scratch->index_q.data());
  RoundQueries(compute, state.format, x.rows, scratch);
  Project(compute, w.index_weights, x, Rounding::kBf16, scratch->index_weight.data());
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.index_head_dim)) /
                                         std::sqrt(static_cast<double>(c.index_heads)));
  for (size_t i = 0; i < x.rows * heads; ++i) scratch->index_weight[i] *= scale;
  compute.RoundBf16(scratch->index_weight.data(), x.rows * heads);

  size_t row = 0;
  for (; row < x.rows && visible(row) <= topk; ++row) {  // few enough: all are read
    int32_t* chosen = scratch->selected.data() + row * topk;
    for (size_t i = 0; i < visible(row); ++i) chosen[i] = static_cast<int32_t>(i);
    scratch->selected_count[row] = static_cast<int32_t>(visible(row));
  }
  const size_t longest = visible(x.rows - 1);
  while (row < x.rows) {
    const size_t batch = std::clamp<size_t>(scratch->score.size() / longest, 1, x.rows - row);
    const size_t tiles = (longest + kScoreTile - 1) / kScoreTile;
    const size_t first = row;
    compute.parallel.For(
        batch * tiles, std::max<size_t>(1, batch * tiles / 64), [&](size_t begin, size_t end) {
          for (size_t task = begin; task < end; ++task) {
            const size_t query = task / tiles, tile = task % tiles;
            const size_t stop = std::min((tile + 1) * kScoreTile, visible(first + query));
            if (tile * kScoreTile >= stop) continue;
            ScoreEntries(pass, state, first + query, tile * kScoreTile, stop,
                         scratch->score.data() + query * longest);
          }
        });
    compute.parallel.For(batch, 1, [&](size_t begin, size_t end) {
      for (size_t query = begin; query < end; ++query) {
        SelectLargest(scratch->score.data() + query * longest, visible(first + query), topk,
                      scratch->score_order.data() + query * longest,
                      scratch->selected.data() + (first + query) * topk);
        scratch->selected_count[first + query] = static_cast<int32_t>(topk);
      }
    });
    row += batch;
  }
}

}  // namespace finback
