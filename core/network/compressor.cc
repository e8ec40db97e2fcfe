#include "core/network/compressor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace finback {
namespace {

constexpr size_t kMaxWidth = 4096;  // head_dim and index_head_dim are bounded by the config

// entry[ch] = sum_j softmax_j(gate_j[ch]) * kv_j[ch] over the window's tokens; overlapping windows
// take the previous window's tokens by their first half of channels, their own by the second.
void PoolWindow(const CompressorState& state, size_t window, float* entry) {
  const size_t width = state.format.width;
  const size_t own = window * state.ratio;
  const size_t first = state.overlap && window > 0 ? own - state.ratio : own;
  float top[kMaxWidth], total[kMaxWidth];
  std::fill(top, top + width, -std::numeric_limits<float>::infinity());
  std::fill(total, total + width, 0.0f);
  std::fill(entry, entry + width, 0.0f);
  for (size_t t = first; t < own + state.ratio; ++t) {
    const float* gate = state.GateRow(t) + (state.overlap && t >= own ? width : 0);
    for (size_t i = 0; i < width; ++i) top[i] = std::max(top[i], gate[i]);
  }
  for (size_t t = first; t < own + state.ratio; ++t) {
    const size_t half = state.overlap && t >= own ? width : 0;
    const float* gate = state.GateRow(t) + half;
    const float* kv = state.KvRow(t) + half;
    for (size_t i = 0; i < width; ++i) {
      const float weight = std::exp(gate[i] - top[i]);
      total[i] += weight;
      entry[i] += weight * kv[i];
    }
  }
  for (size_t i = 0; i < width; ++i) entry[i] /= total[i];
}

void EmitEntry(const Compute& compute, const CompressorWeights& w, EntryKind kind, size_t window,
               CompressorState* state) {
  const size_t width = state->format.width;
  const RotaryFrequencies& rotary = compute.compressed_rotary;
  float entry[kMaxWidth], cosine[kMaxWidth / 2], sine[kMaxWidth / 2];
  PoolWindow(*state, window, entry);
  compute.RoundBf16(entry, width);
  const float mean = static_cast<float>(SumOfSquares(entry, width) / static_cast<double>(width));
  const float scale = 1.0f / std::sqrt(mean + compute.config.rms_norm_eps);
  for (size_t i = 0; i < width; ++i) entry[i] = w.norm[i] * (entry[i] * scale);
  compute.RoundBf16(entry, width);
  // The entry sits at the position of its window's first token.
  MakeRotaryAngles(rotary, window * state->ratio, cosine, sine);
  Rotate({cosine, sine, rotary.size()}, Turn::kForward, entry, width);
  compute.RoundBf16(entry, width);
  if (kind == EntryKind::kIndex && compute.numerics.index_fp4) {
    HadamardTransform(entry, width);
    compute.RoundBf16(entry, width);
  }
  state->format.Store(compute.kernels, entry, state->Entry(window));
}

struct Projections {
  const float* kv;
  const float* gate;
};

// One segment's part: kv and gate [rows, state->row] are the projections of its rows.
void Append(const Compute& compute, const CompressorWeights& w, EntryKind kind,
            const PassSegment& segment, const Projections& projected, CompressorState* state) {
  const size_t row = state->row, position = segment.position;
  for (size_t i = 0; i < segment.rows; ++i) {
    const size_t t = position + i;
    const float* bias = w.ape.data() + t % state->ratio * row;
    memcpy(state->KvRow(t), projected.kv + i * row, row * sizeof(float));
    float* to = state->GateRow(t);
    for (size_t ch = 0; ch < row; ++ch) to[ch] = projected.gate[i * row + ch] + bias[ch];
  }
  const size_t begin = position / state->ratio, end = (position + segment.rows) / state->ratio;
  compute.parallel.For(end - begin, 1, [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) EmitEntry(compute, w, kind, begin + i, state);
  });
}

}  // namespace

void Compress(const Pass& pass, const CompressorWeights& w, size_t layer, EntryKind kind,
              const Activation& x) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const float* kv = Project(compute, w.wkv, x, Rounding::kNone, scratch->compressor_kv.data());
  const float* gate =
      Project(compute, w.wgate, x, Rounding::kNone, scratch->compressor_gate.data());
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    const size_t at = segment.begin * w.wkv.out;
    Append(compute, w, kind, segment, {kv + at, gate + at},
           kind == EntryKind::kMain ? &state.main : &state.index);
  }
}

}  // namespace finback
