#include "core/network/attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/base/number_formats.h"
#include "core/network/compressor.h"
#include "core/network/indexer.h"
#include "core/network/products.h"

namespace finback {
namespace {

constexpr size_t kHeadsPerTask = 16;

// The published model normalizes query heads in bfloat16 steps, without a weight
// (docs/architecture.md 3.5).
void NormHead(const Compute& compute, float* q, size_t width) {
  const auto round = [&](float value) { return compute.numerics.bf16 ? RoundBf16(value) : value; };
  double sum[4] = {0, 0, 0, 0};
  for (size_t i = 0; i < width; ++i) sum[i % 4] += static_cast<double>(round(q[i] * q[i]));
  const double total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  float mean = round(static_cast<float>(total / static_cast<double>(width)));
  mean = round(mean + compute.config.rms_norm_eps);
  const float scale = round(1.0f / std::sqrt(mean));
  for (size_t i = 0; i < width; ++i) q[i] *= scale;
  compute.RoundBf16(q, width);
}

RotaryAngles AnglesOf(const Pass& pass, LayerKind layer) {
  const RotaryKind kind =
      layer == LayerKind::kWindow ? RotaryKind::kPlain : RotaryKind::kCompressed;
  return pass.scratch->angles[static_cast<size_t>(kind)].Angles(pass.compute.sizes.rope_pairs);
}

// All products that read the layer's input, in one fork. Rows stand in scratch: q_low, kv, and what
// the compressors and the indexer take.
void ProjectInput(const Pass& pass, const AttentionWeights& w, LayerKind kind,
                  const Activation& x) {
  Scratch* scratch = pass.scratch;
  Product products[7];
  size_t count = 0;
  const auto add = [&](const Linear& matrix, Rounding rounding, Buffer<float>& y) {
    products[count++] = ProductOf(matrix, x, rounding, y.data());
  };
  add(w.wq_a, Rounding::kBf16, scratch->q_low);
  add(w.wkv, Rounding::kBf16, scratch->kv);
  if (kind != LayerKind::kWindow) {
    add(w.compressor.wkv, Rounding::kNone, scratch->main_input.kv);
    add(w.compressor.wgate, Rounding::kNone, scratch->main_input.gate);
  }
  if (kind == LayerKind::kCsa) {
    add(w.index_compressor.wkv, Rounding::kNone, scratch->index_input.kv);
    add(w.index_compressor.wgate, Rounding::kNone, scratch->index_input.gate);
    add(w.index_weights, Rounding::kBf16, scratch->index_weight);
  }
  RunProducts(pass.compute, {products, count});
}

// The heads of the attention's queries, normed and rotated, and of the indexer's, in one fork.
// Returns [rows, heads, head_dim].
const float* MakeQueries(const Pass& pass, const AttentionWeights& w, LayerKind kind,
                         const RotaryAngles& angles) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t rows = pass.rows(), width = compute.sizes.head_dim;
  float* low = scratch->q_low.data();
  RmsNorm(compute, low, rows, w.q_norm, low);
  const Activation normed =
      PrepareActivation(compute, low, rows, w.wq_a.out, scratch->q_low_forms.data());
  float* q = scratch->q.data();
  Product products[2] = {ProductOf(w.wq_b, normed, Rounding::kBf16, q)};
  products[0].unit = width;
  const bool indexes = kind == LayerKind::kCsa;
  if (indexes) {
    products[1] = ProductOf(w.index_wq_b, normed, Rounding::kBf16, scratch->index_q.data());
    products[1].unit = compute.sizes.index_head_dim;
  }
  RunProducts(compute, {products, indexes ? 2u : 1u}, [&](const ProductPiece& piece) {
    const ProductTask& task = products[piece.product].task;
    for (size_t row = 0; row < rows; ++row) {
      float* of_row = task.y + row * task.y_stride;
      const RotaryAngles at = angles.Row(row);
      if (piece.product == 1) {
        RoundIndexQueries(compute, at, piece.begin, piece.end, of_row);
        continue;
      }
      for (size_t begin = piece.begin; begin < piece.end; begin += width) {
        float* head = of_row + begin;
        NormHead(compute, head, width);
        Rotate(at, Turn::kForward, head, width);
        compute.RoundBf16(head + width - 2 * at.pairs, 2 * at.pairs);
      }
    }
  });
  return q;
}

// Makes the tokens' window entries of their projections and stores them.
void AppendWindow(const Pass& pass, const Vector& norm, size_t layer, const RotaryAngles& angles) {
  const Compute& compute = pass.compute;
  const size_t width = compute.sizes.head_dim;
  float* entries = pass.scratch->kv.data();
  RmsNorm(compute, entries, pass.rows(), norm, entries);
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    const size_t grain = RowGrain(4 * width);
    compute.parallel.For(segment.rows, grain, [&](size_t begin, size_t end) {
      for (size_t row = segment.begin + begin; row < segment.begin + end; ++row) {
        float* kv = entries + row * width;
        Rotate(angles.Row(row), Turn::kForward, kv, width);
        compute.RoundBf16(kv + width - 2 * angles.pairs, 2 * angles.pairs);
        state.format.Store(compute.kernels, kv, state.WindowEntry(segment.PositionAt(row)));
      }
    });
  }
}

// What one query reads: window tokens, then compressed entries, in a fixed order.
struct KeyList {
  const LayerState& state;
  size_t window_begin, window_end;
  const int32_t* chosen;  // CSA: entry numbers; null: the first `entries`
  size_t entries;

  size_t size() const { return window_end - window_begin + entries; }
  const uint8_t* operator[](size_t i) const {
    const size_t in_window = window_end - window_begin;
    if (i < in_window) return state.WindowEntry(window_begin + i);
    const size_t entry = i - in_window;
    return state.main.Entry(chosen != nullptr ? static_cast<size_t>(chosen[entry]) : entry);
  }
};

KeyList KeysOf(const Pass& pass, size_t layer, const Selection& selection, size_t row) {
  const Sizes& sizes = pass.compute.sizes;
  const PassSegment& segment = pass.SegmentOf(row);
  const LayerState& state = segment.layers[layer];
  const size_t end = segment.PositionAt(row) + 1;
  KeyList keys{state, end - std::min(end, sizes.window), end, nullptr, 0};
  if (state.kind == LayerKind::kCsa) {
    keys.chosen = selection.entries + row * sizes.index_topk;
    keys.entries = static_cast<size_t>(selection.counts[row]);
  } else if (state.kind == LayerKind::kHca) {
    keys.entries = end / state.main.ratio;
  }
  return keys;
}

// Some heads of one query.
struct HeadsTask {
  const float* q;       // [count, head_dim]
  const float* sink;    // [count]
  size_t count;         // at most kHeadsPerTask
  RotaryAngles angles;  // of the query
  float* tile;          // [KeysPerTile(head_dim), head_dim] to unpack keys in
  float* out;           // [count, head_dim]
};

// Softmax over the keys with a sink in the denominator, then the inverse rotary.
void AttendHeads(const Compute& compute, const HeadsTask& task, const KeyList& keys) {
  const size_t width = compute.sizes.head_dim, pairs = task.angles.pairs;
  const size_t tile_keys = KeysPerTile(width);
  float top[kHeadsPerTask], sum[kHeadsPerTask];
  std::fill(top, top + kHeadsPerTask, -std::numeric_limits<float>::infinity());
  std::fill(sum, sum + kHeadsPerTask, 0.0f);
  std::fill(task.out, task.out + task.count * width, 0.0f);
  for (size_t first = 0; first < keys.size(); first += tile_keys) {
    const size_t count = std::min(tile_keys, keys.size() - first);
    for (size_t i = 0; i < count; ++i) {
      keys.state.format.Load(compute.kernels, keys[first + i], task.tile + i * width);
    }
    compute.kernels.attention_tile(
        {.q = task.q,
         .keys = task.tile,
         .heads = task.count,
         .head_dim = width,
         .count = count,
         .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width))),
         .max = top,
         .sum = sum,
         .acc = task.out});
  }
  for (size_t head = 0; head < task.count; ++head) {
    const float above = std::max(top[head], task.sink[head]);
    const float share = std::exp(top[head] - above);
    const float total = sum[head] * share + std::exp(task.sink[head] - above);
    float* out = task.out + head * width;
    for (size_t i = 0; i < width; ++i) out[i] = out[i] * share / total;
    compute.RoundBf16(out, width);
    Rotate(task.angles, Turn::kInverse, out, width);
    compute.RoundBf16(out + width - 2 * pairs, 2 * pairs);
  }
}

// q [rows, heads, head_dim] -> what the heads read, [rows, heads, head_dim].
float* ReadMemory(const Pass& pass, const Vector& sink, size_t layer, const RotaryAngles& angles,
                  const float* q, const Selection& selection) {
  const Compute& compute = pass.compute;
  const size_t heads = compute.sizes.heads, width = compute.sizes.head_dim;
  const size_t groups = (heads + kHeadsPerTask - 1) / kHeadsPerTask;
  const size_t tasks = pass.rows() * groups, tile_floats = KeysPerTile(width) * width;
  const PhaseScope timed(compute.profile, Phase::kAttention);
  const size_t takers = std::min(tasks, static_cast<size_t>(compute.parallel.threads()));
  float* attended = pass.scratch->attended.data();
  float* tiles = pass.scratch->key_tiles.data();
  std::atomic<size_t> next{0};
  compute.parallel.For(takers, 1, [&](size_t taker, size_t) {
    for (size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      const size_t row = task / groups, first = task % groups * kHeadsPerTask;
      const size_t offset = (row * heads + first) * width;
      AttendHeads(compute,
                  {.q = q + offset,
                   .sink = sink.data() + first,
                   .count = std::min(kHeadsPerTask, heads - first),
                   .angles = angles.Row(row),
                   .tile = tiles + taker * tile_floats,
                   .out = attended + offset},
                  KeysOf(pass, layer, selection, row));
    }
  });
  return attended;
}

// Each group of heads has its own low-rank projection; then one product over all groups. Prepares
// `attended` in place.
const float* ProjectOutput(const Pass& pass, const AttentionWeights& w, float* attended) {
  const Compute& compute = pass.compute;
  const size_t groups = compute.sizes.o_groups, rank = compute.sizes.o_lora_rank;
  const size_t rows = pass.rows(), low = groups * rank, in = w.wo_a.in;
  float* o_low = pass.scratch->o_low.data();
  PrepareInPlace(compute, w.wo_a, rows * groups, attended);
  Product* products = pass.scratch->products.data();
  for (size_t group = 0; group < groups; ++group) {
    products[group] = {.task = {.w = &w.wo_a,
                                .x = attended + group * in,
                                .x_stride = groups * in,
                                .rows = rows,
                                .begin = group * rank,
                                .end = (group + 1) * rank,
                                .y = o_low,
                                .y_stride = low,
                                .y_origin = 0,
                                .rounding = Rounding::kBf16}};
  }
  RunProducts(compute, {products, groups});
  const Activation input =
      PrepareActivation(compute, o_low, rows, low, pass.scratch->o_low_forms.data());
  return Project(compute, w.wo_b, input, Rounding::kBf16, pass.scratch->y.data());
}

}  // namespace

const float* Attend(const Pass& pass, const AttentionWeights& w, size_t layer,
                    const Activation& x) {
  const LayerKind kind = pass.compute.config.layers[layer].kind;
  const RotaryAngles angles = AnglesOf(pass, kind);
  ProjectInput(pass, w, kind, x);
  const float* queries = MakeQueries(pass, w, kind, angles);
  AppendWindow(pass, w.kv_norm, layer, angles);
  Selection selection;
  if (kind != LayerKind::kWindow) Compress(pass, w.compressor, layer, EntryKind::kMain);
  if (kind == LayerKind::kCsa) {
    Compress(pass, w.index_compressor, layer, EntryKind::kIndex);
    selection = SelectEntries(pass, layer);
  }
  float* attended = ReadMemory(pass, w.sink, layer, angles, queries, selection);
  return ProjectOutput(pass, w, attended);
}

}  // namespace finback
