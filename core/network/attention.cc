#include "core/network/attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/base/number_formats.h"
#include "core/network/compressor.h"
#include "core/network/indexer.h"

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

// The rotary angles of all rows, for the kind of layer.
RotaryAngles AnglesOf(const Pass& pass, LayerKind kind) {
  const Compute& compute = pass.compute;
  const RotaryFrequencies& rotary =
      kind == LayerKind::kWindow ? compute.plain_rotary : compute.compressed_rotary;
  float* cosine = pass.scratch->cosine.data();
  float* sine = pass.scratch->sine.data();
  for (const PassSegment& segment : pass.segments) {
    for (size_t row = segment.begin; row < segment.end(); ++row) {
      MakeRotaryAngles(rotary, segment.PositionAt(row), cosine + row * rotary.size(),
                       sine + row * rotary.size());
    }
  }
  return {cosine, sine, rotary.size()};
}

struct Queries {
  const float* heads;  // [rows, heads, head_dim], normed and rotated
  Activation low;      // [rows, q_lora_rank], normed: what the heads and the indexer are made of
};

Queries MakeQueries(const Pass& pass, const AttentionWeights& w, const RotaryAngles& angles,
                    const Activation& x) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t heads = compute.sizes.heads, width = compute.sizes.head_dim;
  float* low = Project(compute, w.wq_a, x, Rounding::kBf16, scratch->q_low.data());
  RmsNorm(compute, low, x.rows, w.q_norm, low);
  const Activation normed =
      PrepareActivation(compute, low, x.rows, w.wq_a.out, scratch->q_low_forms.data());
  float* q = Project(compute, w.wq_b, normed, Rounding::kBf16, scratch->q.data());
  compute.parallel.For(x.rows * heads, 8, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      float* head = q + i * width;
      NormHead(compute, head, width);
      Rotate(angles.Row(i / heads), Turn::kForward, head, width);
      compute.RoundBf16(head + width - 2 * angles.pairs, 2 * angles.pairs);
    }
  });
  return {q, normed};
}

// Makes the tokens' window entries and stores them.
void AppendWindow(const Pass& pass, const AttentionWeights& w, size_t layer,
                  const RotaryAngles& angles, const Activation& x) {
  const Compute& compute = pass.compute;
  const size_t width = compute.sizes.head_dim;
  float* entries = Project(compute, w.wkv, x, Rounding::kBf16, pass.scratch->kv.data());
  RmsNorm(compute, entries, x.rows, w.kv_norm, entries);
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    for (size_t row = segment.begin; row < segment.end(); ++row) {
      float* kv = entries + row * width;
      Rotate(angles.Row(row), Turn::kForward, kv, width);
      compute.RoundBf16(kv + width - 2 * angles.pairs, 2 * angles.pairs);
      state.format.Store(compute.kernels, kv, state.WindowEntry(segment.PositionAt(row)));
    }
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
  const auto project_groups = [&](size_t begin, size_t end) {
    while (begin < end) {
      const size_t group = begin / rank, stop = std::min(end, (group + 1) * rank);
      RunProduct(compute, {.w = &w.wo_a,
                           .x = attended + group * in,
                           .x_stride = groups * in,
                           .rows = rows,
                           .begin = begin,
                           .end = stop,
                           .y = o_low,
                           .y_stride = low,
                           .y_origin = 0,
                           .rounding = Rounding::kBf16});
      begin = stop;
    }
  };
  {
    const PhaseScope timed = TimeProduct(compute, w.wo_a);
    compute.parallel.For(low, ProductGrain(compute, low, rows * in), project_groups);
  }
  const Activation input =
      PrepareActivation(compute, o_low, rows, low, pass.scratch->o_low_forms.data());
  return Project(compute, w.wo_b, input, Rounding::kBf16, pass.scratch->y.data());
}

}  // namespace

const float* Attend(const Pass& pass, const AttentionWeights& w, size_t layer,
                    const Activation& x) {
  const LayerKind kind = pass.compute.config.layers[layer].kind;
  const RotaryAngles angles = AnglesOf(pass, kind);
  const Queries queries = MakeQueries(pass, w, angles, x);
  AppendWindow(pass, w, layer, angles, x);
  Selection selection;
  if (kind != LayerKind::kWindow) Compress(pass, w.compressor, layer, EntryKind::kMain, x);
  if (kind == LayerKind::kCsa) {
    Compress(pass, w.index_compressor, layer, EntryKind::kIndex, x);
    selection = SelectEntries(pass, w, layer, angles, {queries.low, x});
  }
  float* attended = ReadMemory(pass, w.sink, layer, angles, queries.heads, selection);
  return ProjectOutput(pass, w, attended);
}

}  // namespace finback
