#include "core/network/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/number_formats.h"
#include "core/network/compressor.h"
#include "core/network/indexer.h"

namespace finback {
namespace {

constexpr size_t kHeadsPerTask = 16;
constexpr size_t kTileFloats = 128 * 1024 / sizeof(float);

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

void NormAndRotateHeads(const Compute& compute, size_t rows, Scratch* scratch) {
  const size_t heads = compute.sizes.heads;
  const size_t width = compute.sizes.head_dim;
  const size_t pairs = compute.sizes.rope_pairs;
  compute.parallel.For(rows * heads, 8, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t row = i / heads;
      float* q = scratch->q.data() + i * width;
      NormHead(compute, q, width);
      Rotate(scratch->cosine.data() + row * pairs, scratch->sine.data() + row * pairs, pairs,
             Turn::kForward, q, width);
      compute.RoundBf16(q + width - 2 * pairs, 2 * pairs);
    }
  });
}

// Stores the window entries of the chunk's tokens.
void AppendWindow(const Compute& compute, size_t rows, size_t position, Scratch* scratch,
                  LayerState* state) {
  const size_t width = compute.sizes.head_dim;
  const size_t pairs = compute.sizes.rope_pairs;
  for (size_t row = 0; row < rows; ++row) {
    float* kv = scratch->kv.data() + row * width;
    Rotate(scratch->cosine.data() + row * pairs, scratch->sine.data() + row * pairs, pairs,
           Turn::kForward, kv, width);
    compute.RoundBf16(kv + width - 2 * pairs, 2 * pairs);
    state->format.Store(compute.kernels, kv, state->WindowEntry(position + row));
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

KeyList KeysOf(const Compute& compute, const LayerState& state, const Scratch& scratch,
               size_t position, size_t row) {
  const size_t end = position + row + 1;
  KeyList keys{state, end - std::min(end, compute.sizes.window), end, nullptr, 0};
  if (state.kind == LayerKind::kCsa) {
    keys.chosen = scratch.selected.data() + row * compute.sizes.index_topk;
    keys.entries = static_cast<size_t>(scratch.selected_count[row]);
  } else if (state.kind == LayerKind::kHca) {
    keys.entries = end / state.main.ratio;
  }
  return keys;
}

// Heads [begin, end) of one query over its keys: softmax with a sink in the denominator, then the
// inverse rotary; writes o [end - begin, head_dim].
void AttendHeads(const Pass& pass, const Vector& sink, const KeyList& keys, size_t row,
                 size_t begin, size_t end) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t width = compute.sizes.head_dim;
  const size_t pairs = compute.sizes.rope_pairs;
  const size_t offset = (row * compute.sizes.heads + begin) * width;
  const size_t tile_keys = std::clamp<size_t>(kTileFloats / width, 1, kAttentionTile);
  float tile[kTileFloats], top[kHeadsPerTask], sum[kHeadsPerTask];
  float* o = scratch->attended.data() + offset;
  std::fill(top, top + kHeadsPerTask, -std::numeric_limits<float>::infinity());
  std::fill(sum, sum + kHeadsPerTask, 0.0f);
  std::fill(o, o + (end - begin) * width, 0.0f);
  for (size_t first = 0; first < keys.size(); first += tile_keys) {
    const size_t count = std::min(tile_keys, keys.size() - first);
    for (size_t i = 0; i < count; ++i) {
      keys.state.format.Load(compute.kernels, keys[first + i], tile + i * width);
    }
    compute.kernels.attention_tile(
        {.q = scratch->q.data() + offset,
         .keys = tile,
         .heads = end - begin,
         .head_dim = width,
         .count = count,
         .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width))),
         .max = top,
         .sum = sum,
         .acc = o});
  }
  for (size_t head = 0; head < end - begin; ++head) {
    const float above = std::max(top[head], sink[begin + head]);
    const float share = std::exp(top[head] - above);
    const float total = sum[head] * share + std::exp(sink[begin + head] - above);
    float* out = o + head * width;
    for (size_t i = 0; i < width; ++i) out[i] = out[i] * share / total;
    compute.RoundBf16(out, width);
    Rotate(scratch->cosine.data() + row * pairs, scratch->sine.data() + row * pairs, pairs,
           Turn::kInverse, out, width);
    compute.RoundBf16(out + width - 2 * pairs, 2 * pairs);
  }
}

// Each group of heads has its own low-rank projection; then one product over all groups.
void ProjectOutput(const Compute& compute, const AttentionWeights& w, size_t rows,
                   Scratch* scratch) {
  const size_t groups = compute.sizes.o_groups;
  const size_t rank = compute.sizes.o_lora_rank, low = groups * rank;
  const size_t in = w.wo_a.in;
  compute.parallel.For(low, ProductGrain(compute, low, rows * in), [&](size_t begin, size_t end) {
    while (begin < end) {
      const size_t group = begin / rank, stop = std::min(end, (group + 1) * rank);
      RunProduct(compute, {.w = &w.wo_a,
                           .x = scratch->attended.data() + group * in,
                           .x_stride = groups * in,
                           .rows = rows,
                           .begin = begin,
                           .end = stop,
                           .y = scratch->o_low.data(),
                           .y_stride = low,
                           .y_origin = 0,
                           .rounding = Rounding::kBf16});
      begin = stop;
    }
  });
  const Activation o_low = QuantizeActivation(compute, scratch->o_low.data(), rows, low,
                                              scratch->o_low_quantized.data());
  Project(compute, w.wo_b, o_low, Rounding::kBf16, scratch->y.data());
}

}  // namespace

void Attend(const Pass& pass, const AttentionWeights& w, const Activation& x, LayerState* state) {
  const Compute& compute = pass.compute;
  const size_t position = pass.position;
  Scratch* scratch = pass.scratch;
  const size_t heads = compute.sizes.heads;
  float* low = scratch->q_low.data();
  Project(compute, w.wq_a, x, Rounding::kBf16, low);
  RmsNorm(compute, low, x.rows, w.q_norm, low);
  const Activation q_low =
      QuantizeActivation(compute, low, x.rows, w.wq_a.out, scratch->q_low_quantized.data());
  Project(compute, w.wq_b, q_low, Rounding::kBf16, scratch->q.data());
  NormAndRotateHeads(compute, x.rows, scratch);

  float* kv = scratch->kv.data();
  Project(compute, w.wkv, x, Rounding::kBf16, kv);
  RmsNorm(compute, kv, x.rows, w.kv_norm, kv);
  AppendWindow(compute, x.rows, position, scratch, state);

  if (state->kind != LayerKind::kWindow) {
    Compress(pass, w.compressor, EntryRotation::kNone, x, &state->main);
  }
  if (state->kind == LayerKind::kCsa) {
    Compress(pass, w.index_compressor, EntryRotation::kHadamard, x, &state->index);
    SelectEntries(pass, w, q_low, x, state->index);
  }

  const size_t groups = (heads + kHeadsPerTask - 1) / kHeadsPerTask;
  compute.parallel.For(x.rows * groups, 1, [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const size_t row = task / groups, first = task % groups * kHeadsPerTask;
      AttendHeads(pass, w.sink, KeysOf(compute, *state, *scratch, position, row), row, first,
                  std::min(heads, first + kHeadsPerTask));
    }
  });
  ProjectOutput(compute, w, x.rows, scratch);
}

}  // namespace finback
