#include "core/network/indexer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace finback {
namespace {

constexpr size_t kScoreTile = 64;                     // entries that one task scores
constexpr size_t kUnpackedFloats = kMaxIndexHeadDim;  // of the entries unpacked at once

// [rows, index_heads], in place: how much each head's score counts.
const float* ScaleHeadWeights(const Compute& compute, size_t rows, float* weight) {
  const Config& c = compute.config;
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.index_head_dim)) /
                                         std::sqrt(static_cast<double>(c.index_heads)));
  const size_t count = rows * compute.sizes.index_heads;
  for (size_t i = 0; i < count; ++i) weight[i] *= scale;
  compute.RoundBf16(weight, count);
  return weight;
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

// One query of the indexer, or the first of several.
struct IndexQuery {
  const float* heads;   // [rows, index_heads, index_head_dim]
  const float* weight;  // [rows, index_heads]

  IndexQuery Row(const Sizes& sizes, size_t row) const {
    return {heads + row * sizes.index_heads * sizes.index_head_dim,
            weight + row * sizes.index_heads};
  }
};

// Scores of entries [begin, end) for one query.
void ScoreEntries(const Compute& compute, const IndexQuery& query, const CompressorState& state,
                  size_t begin, size_t end, float* score) {
  const size_t width = state.format.width;
  const size_t tile = kUnpackedFloats / width;
  float keys[kUnpackedFloats];
  for (size_t first = begin; first < end; first += tile) {
    const size_t count = std::min(tile, end - first);
    for (size_t i = 0; i < count; ++i) {
      state.format.Load(compute.kernels, state.Entry(first + i), keys + i * width);
    }
    compute.kernels.index_score({.q = query.heads,
                                 .weight = query.weight,
                                 .keys = keys,
                                 .heads = compute.sizes.index_heads,
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

void Record(const Sizes& sizes, const Selection& selection, size_t rows, LayerTrace* trace) {
  for (size_t row = 0; row < rows; ++row) {
    const int32_t* chosen = selection.entries + row * sizes.index_topk;
    trace->selected.emplace_back(chosen, chosen + selection.counts[row]);
  }
}

// Where a selection is written; see Selection.
struct SelectionRows {
  int32_t* entries;
  int32_t* counts;
};

// One segment's rows: its queries score the entries that they can see in its memory.
void SelectInSegment(const Pass& pass, const PassSegment& segment, const CompressorState& state,
                     const IndexQuery& queries, const SelectionRows& to) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t topk = compute.sizes.index_topk;
  const auto visible = [&](size_t row) { return (segment.PositionAt(row) + 1) / state.ratio; };

  size_t row = segment.begin;
  for (; row < segment.end() && visible(row) <= topk; ++row) {  // few enough: all are read
    int32_t* chosen = to.entries + row * topk;
    for (size_t i = 0; i < visible(row); ++i) chosen[i] = static_cast<int32_t>(i);
    to.counts[row] = static_cast<int32_t>(visible(row));
  }
  const size_t longest = visible(segment.end() - 1);
  while (row < segment.end()) {
    const size_t batch =
        std::clamp<size_t>(scratch->score.size() / longest, 1, segment.end() - row);
    const size_t tiles = (longest + kScoreTile - 1) / kScoreTile;
    const size_t first = row;
    float* score = scratch->score.data();
    compute.parallel.For(
        batch * tiles, std::max<size_t>(1, batch * tiles / 64), [&](size_t begin, size_t end) {
          for (size_t task = begin; task < end; ++task) {
            const size_t i = task / tiles, tile = task % tiles;
            const size_t stop = std::min((tile + 1) * kScoreTile, visible(first + i));
            if (tile * kScoreTile >= stop) continue;
            ScoreEntries(compute, queries.Row(compute.sizes, first + i), state, tile * kScoreTile,
                         stop, score + i * longest);
          }
        });
    const PhaseScope timed(compute.profile, Phase::kTopK);
    compute.parallel.For(batch, 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        SelectLargest(score + i * longest, visible(first + i), topk,
                      scratch->score_order.data() + i * longest, to.entries + (first + i) * topk);
        to.counts[first + i] = static_cast<int32_t>(topk);
      }
    });
    row += batch;
  }
}

}  // namespace

// Through the packed form, which is exact.
void RoundIndexQueries(const Compute& compute, const RotaryAngles& angles, size_t begin, size_t end,
                       float* q) {
  const EntryFormat format = EntryFormat::Index(compute.sizes, compute.numerics);
  const size_t width = format.width;
  uint8_t packed[kMaxIndexHeadDim];
  for (size_t at = begin; at < end; at += width) {
    float* head = q + at;
    Rotate(angles, Turn::kForward, head, width);
    compute.RoundBf16(head, width);
    if (!compute.numerics.index_fp4) continue;
    HadamardTransform(head, width);
    compute.RoundBf16(head, width);
    format.Store(compute.kernels, head, packed);
    format.Load(compute.kernels, packed, head);
  }
}

Selection SelectEntries(const Pass& pass, size_t layer) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t rows = pass.rows();
  const PhaseScope timed(compute.profile, Phase::kIndexer);
  const float* q = scratch->index_q.data();
  const float* weight = ScaleHeadWeights(compute, rows, scratch->index_weight.data());
  const SelectionRows rows_of{scratch->selected.data(), scratch->selected_count.data()};
  for (const PassSegment& segment : pass.segments) {
    SelectInSegment(pass, segment, segment.layers[layer].index, {q, weight}, rows_of);
  }
  const Selection selection{rows_of.entries, rows_of.counts};
  if (pass.trace != nullptr) Record(compute.sizes, selection, rows, pass.trace);
  return selection;
}

}  // namespace finback
