#include "core/network/attention/indexer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/base/number_formats.h"

namespace finback {
namespace {

constexpr size_t kMostEntries = 1024, kLeastEntries = 64;  // that one task scores

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

// The k largest of score[count], smaller index first among equals, as ascending indices: the k-th
// largest is found bit by bit, by counting.
void SelectLargest(const Kernels& kernels, const int16_t* score, size_t count, size_t k,
                   int32_t* chosen) {
  int32_t least = INT16_MIN;  // the largest value that k scores reach
  for (int32_t step = 1 << 15; step != 0; step /= 2) {
    const int32_t next = least + step;
    if (kernels.count_at_least(score, count, static_cast<int16_t>(next)) >= k) least = next;
  }
  kernels.take_at_least(score, count, {static_cast<int16_t>(least), k}, chosen);
}

// The same for float32. `order` is scratch of `count` floats.
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

// The queries of all rows.
struct IndexQueries {
  const float* heads;   // [rows, index_heads, index_head_dim], as RoundIndexQueries leaves them
  const float* weight;  // [rows, index_heads]
};

// Scores of entries [begin, end), which are floats, for one query.
void ScoreFloats(const Compute& compute, const IndexQueries& query, const CompressorState& state,
                 size_t begin, size_t end, float* score) {
  constexpr size_t kEntries = 64, kHeads = 16;
  const size_t width = state.format.width, heads = compute.sizes.index_heads;
  const auto round = [&](float value) { return compute.numerics.bf16 ? RoundBf16(value) : value; };
  for (size_t first = begin; first < end; first += kEntries) {
    const size_t count = std::min(kEntries, end - first);
    float* sums = score + first;
    std::fill(sums, sums + count, 0.0f);
    for (size_t head = 0; head < heads; head += kHeads) {
      float dots[kHeads * kEntries];
      const size_t rows = std::min(kHeads, heads - head);
      compute.kernels.gemm_f32.multiply({.weight = state.Entry(first),
                                         .scale = nullptr,
                                         .in = width,
                                         .out_begin = 0,
                                         .out_end = count,
                                         .x = query.heads + head * width,
                                         .x_stride = width,
                                         .rows = rows,
                                         .y = dots,
                                         .y_stride = kEntries,
                                         .y_origin = 0});
      for (size_t row = 0; row < rows; ++row) {
        for (size_t i = 0; i < count; ++i) {
          const float dot = round(dots[row * kEntries + i]);
          sums[i] += round((dot > 0.0f ? dot : 0.0f) * query.weight[head + row]);
        }
      }
    }
    // A NaN would break the ordering; it ranks last.
    for (size_t i = 0; i < count; ++i) {
      sums[i] = std::isnan(sums[i]) ? -std::numeric_limits<float>::infinity() : round(sums[i]);
    }
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

// Some queries of one segment, whose scores are held at once.
class ScoredRows {
 public:
  ScoredRows(const Pass& pass, const PassSegment& segment, const CompressorState& state)
      : pass_(pass),
        compute_(pass.compute),
        segment_(segment),
        state_(state),
        stride_(Visible(segment.end() - 1)) {}

  size_t Visible(size_t row) const { return (segment_.PositionAt(row) + 1) / state_.ratio; }

  // How many rows from `row` on there is room for.
  size_t AtOnce(size_t row) const {
    const size_t room = pass_.scratch->score.size() + pass_.scratch->score_codes.size();
    return std::clamp<size_t>(room / stride_, 1, segment_.end() - row);
  }

  void Score(const IndexQueries& queries, size_t first, size_t count) const {
    const size_t threads = static_cast<size_t>(compute_.parallel.threads());
    const size_t least = count * stride_ / (threads * 8) / kLeastEntries * kLeastEntries;
    const size_t tile = std::clamp(least, kLeastEntries, kMostEntries);
    const size_t tiles = (stride_ + tile - 1) / tile;
    compute_.parallel.For(count * tiles, 1, [&](size_t from, size_t to) {
      for (size_t task = from; task < to; ++task) {
        const size_t i = task / tiles, begin = task % tiles * tile;
        const size_t end = std::min(begin + tile, Visible(first + i));
        if (begin < end) ScorePart(queries, first + i, i * stride_, begin, end);
      }
    });
  }

  void Select(size_t first, size_t count, const SelectionRows& to) const {
    const PhaseScope timed(compute_.profile, Phase::kTopK);
    const size_t topk = compute_.sizes.index_topk;
    const Scratch& scratch = *pass_.scratch;
    compute_.parallel.For(count, 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const size_t row = first + i, at = i * stride_;
        int32_t* chosen = to.entries + row * topk;
        if (compute_.numerics.index_fp4) {
          SelectLargest(compute_.kernels, scratch.score_codes.data() + at, Visible(row), topk,
                        chosen);
        } else {
          SelectLargest(scratch.score.data() + at, Visible(row), topk,
                        pass_.scratch->score_order.data() + at, chosen);
        }
        to.counts[row] = static_cast<int32_t>(topk);
      }
    });
  }

 private:
  // Scores of entries [begin, end) for one row, whose scores begin at `at`.
  void ScorePart(const IndexQueries& queries, size_t row, size_t at, size_t begin,
                 size_t end) const {
    const size_t heads = compute_.sizes.index_heads, width = state_.format.width;
    const float* weight = queries.weight + row * heads;
    const float* q = queries.heads + row * heads * width;
    while (begin < end) {  // a run of keys at a time
      const size_t stop = std::min(end, state_.entries.RunEnd(begin));
      if (!compute_.numerics.index_fp4) {
        ScoreFloats(compute_, {q, weight}, state_, begin, stop, pass_.scratch->score.data() + at);
      } else {
        compute_.kernels.index_score({.q = reinterpret_cast<const uint8_t*>(q),
                                      .q_stride = width * sizeof(float),
                                      .weight = weight,
                                      .keys = state_.Entry(begin),
                                      .heads = heads,
                                      .width = width,
                                      .count = stop - begin,
                                      .score = pass_.scratch->score_codes.data() + at + begin});
      }
      begin = stop;
    }
  }

  const Pass& pass_;
  const Compute& compute_;
  const PassSegment& segment_;
  const CompressorState& state_;
  const size_t stride_;  // entries that the last row sees
};

// One segment's rows: its queries score the entries that they can see in its memory.
void SelectInSegment(const Pass& pass, const PassSegment& segment, const CompressorState& state,
                     const IndexQueries& queries, const SelectionRows& to) {
  const size_t topk = pass.compute.sizes.index_topk;
  const ScoredRows scored(pass, segment, state);
  size_t row = segment.begin;
  for (; row < segment.end() && scored.Visible(row) <= topk; ++row) {  // few enough: all are read
    int32_t* chosen = to.entries + row * topk;
    for (size_t i = 0; i < scored.Visible(row); ++i) chosen[i] = static_cast<int32_t>(i);
    to.counts[row] = static_cast<int32_t>(scored.Visible(row));
  }
  while (row < segment.end()) {
    const size_t count = scored.AtOnce(row);
    scored.Score(queries, row, count);
    scored.Select(row, count, to);
    row += count;
  }
}

}  // namespace

void RoundIndexQueries(const Compute& compute, const RotaryAngles& angles, size_t begin, size_t end,
                       float* q) {
  const EntryFormat format = EntryFormat::Index(compute.sizes, compute.numerics);
  const size_t width = format.width;
  const PrepareFunction prepare = compute.kernels.gemm_f32.prepare;
  uint8_t packed[kMaxIndexHeadDim];
  for (size_t at = begin; at < end; at += width) {
    float* head = q + at;
    Rotate(compute, angles, Turn::kForward, head, width);
    if (compute.numerics.index_fp4) {
      compute.kernels.hadamard({.x = head, .n = width, .bf16 = compute.numerics.bf16});
      format.Store(compute.kernels, head, packed);
      memcpy(head, packed, format.bytes);
    } else if (prepare != nullptr) {
      prepare(head, width);
    }
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
