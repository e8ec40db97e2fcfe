#include "core/network/compressor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace finback {
namespace {

constexpr size_t kChannels = 256;  // pooled at once

// entry[ch] = sum_j softmax_j(gate_j[ch]) * kv_j[ch] over the window's tokens; overlapping windows
// take the previous window's tokens by their first half of channels, their own by the second. Here
// for `count` channels from `begin` on, at most kChannels.
void PoolChannels(const CompressorState& state, size_t window, size_t begin, size_t count,
                  float* entry) {
  const size_t own = window * state.ratio;
  const size_t first = state.overlap && window > 0 ? own - state.ratio : own;
  const auto half = [&](size_t t) {
    return begin + (state.overlap && t >= own ? state.format.width : 0);
  };
  float top[kChannels], total[kChannels];
  std::fill(top, top + count, -std::numeric_limits<float>::infinity());
  std::fill(total, total + count, 0.0f);
  std::fill(entry, entry + count, 0.0f);
  for (size_t t = first; t < own + state.ratio; ++t) {
    const float* gate = state.GateRow(t) + half(t);
    for (size_t i = 0; i < count; ++i) top[i] = std::max(top[i], gate[i]);
  }
  for (size_t t = first; t < own + state.ratio; ++t) {
    const float* gate = state.GateRow(t) + half(t);
    const float* kv = state.KvRow(t) + half(t);
    for (size_t i = 0; i < count; ++i) {
      const float weight = std::exp(gate[i] - top[i]);
      total[i] += weight;
      entry[i] += weight * kv[i];
    }
  }
  for (size_t i = 0; i < count; ++i) entry[i] /= total[i];
}

// What an entry is made in.
struct EntrySpace {
  float* entry;   // [width]
  float* angles;  // [2, rope_dim / 2]
};

void EmitEntry(const Compute& compute, const CompressorWeights& w, EntryKind kind, size_t window,
               const EntrySpace& space, CompressorState* state) {
  const size_t width = state->format.width;
  const RotaryFrequencies& rotary = compute.compressed_rotary;
  float* entry = space.entry;
  for (size_t i = 0; i < width; i += kChannels) {
    PoolChannels(*state, window, i, std::min(kChannels, width - i), entry + i);
  }
  compute.RoundBf16(entry, width);
  const float mean = static_cast<float>(SumOfSquares(entry, width) / static_cast<double>(width));
  const float scale = 1.0f / std::sqrt(mean + compute.config.rms_norm_eps);
  for (size_t i = 0; i < width; ++i) entry[i] = w.norm[i] * (entry[i] * scale);
  compute.RoundBf16(entry, width);
  // The entry sits at the position of its window's first token.
  float *cosine = space.angles, *sine = cosine + rotary.size();
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
  float* kv;
  float* gate;
};

// One segment's part: kv and gate [rows, state->row] are the projections of its rows. Once stored,
// their place is where entries are made: there is at most one entry for each row.
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
    for (size_t i = from; i < to; ++i) {
      EmitEntry(compute, w, kind, begin + i, {projected.kv + i * row, projected.gate + i * row},
                state);
    }
  });
}

}  // namespace

void Compress(const Pass& pass, const CompressorWeights& w, size_t layer, EntryKind kind) {
  CompressorInput& input =
      kind == EntryKind::kMain ? pass.scratch->main_input : pass.scratch->index_input;
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    const size_t at = segment.begin * w.wkv.out;
    Append(pass.compute, w, kind, segment, {input.kv.data() + at, input.gate.data() + at},
           kind == EntryKind::kMain ? &state.main : &state.index);
  }
}

}  // namespace finback
