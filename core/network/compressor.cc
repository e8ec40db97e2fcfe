#include "core/network/compressor.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

namespace finback {
namespace {

constexpr size_t kChannels = 256;  // pooled at once

// What a chunk reads: its own rows, with their bias, and those before it from the memory.
struct RecentRows {
  const CompressorState& state;
  const float *kv, *gate;  // [chunk, state.row]
  size_t position;         // of the first of them

  const float* Kv(size_t t) const {
    return t < position ? state.KvRow(t) : kv + (t - position) * state.row;
  }
  const float* Gate(size_t t) const {
    return t < position ? state.GateRow(t) : gate + (t - position) * state.row;
  }
};

// entry[ch] = sum_j softmax_j(gate_j[ch]) * kv_j[ch] over the window's tokens; overlapping windows
// take the previous window's tokens by their first half of channels, their own by the second. Here
// for `count` channels from `begin` on, at most kChannels.
void PoolChannels(const Compute& compute, const RecentRows& rows, size_t window, size_t begin,
                  size_t count, float* entry) {
  const CompressorState& state = rows.state;
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
    const float* gate = rows.Gate(t) + half(t);
    // Not std::max, whose references keep compilers from making vectors of it.
    for (size_t i = 0; i < count; ++i) top[i] = top[i] < gate[i] ? gate[i] : top[i];
  }
  for (size_t t = first; t < own + state.ratio; ++t) {
    const float* gate = rows.Gate(t) + half(t);
    const float* kv = rows.Kv(t) + half(t);
    compute.kernels.pool(
        {.gate = gate, .value = kv, .top = top, .n = count, .total = total, .sum = entry});
  }
  for (size_t i = 0; i < count; ++i) entry[i] /= total[i];
}

struct Compressor {
  const CompressorWeights& w;
  EntryKind kind;
  CompressorState* state;
};

// `space` is [width], then [2, rope_dim / 2] for angles.
void EmitEntry(const Compute& compute, const Compressor& compressor, const RecentRows& rows,
               size_t window, float* space) {
  const CompressorWeights& w = compressor.w;
  CompressorState* state = compressor.state;
  const size_t width = state->format.width;
  const RotaryFrequencies& rotary = compute.compressed_rotary;
  float* entry = space;
  for (size_t i = 0; i < width; i += kChannels) {
    PoolChannels(compute, rows, window, i, std::min(kChannels, width - i), entry + i);
  }
  compute.RoundBf16(entry, width);
  RmsNorm(compute, entry, 1, w.norm, entry);
  // The entry sits at the position of its window's first token.
  float *cosine = space + width, *sine = cosine + rotary.size();
  MakeRotaryAngles(rotary, window * state->ratio, cosine, sine);
  Rotate(compute, {cosine, sine, rotary.size()}, Turn::kForward, entry, width);
  if (compressor.kind == EntryKind::kIndex && compute.numerics.index_fp4) {
    compute.kernels.hadamard({.x = entry, .n = width, .bf16 = compute.numerics.bf16});
  }
  state->format.Store(compute.kernels, entry, state->Entry(window));
}

// What the next entry needs at a position that the chunk passes.
void CopyCarry(const RecentRows& rows, const CarryCopy& copy) {
  const size_t bytes = rows.state.row * sizeof(float);
  uint8_t* to = copy.to;
  for (size_t t = rows.state.CarryBegin(copy.position); t < copy.position; ++t) {
    memcpy(to, rows.Kv(t), bytes);
    memcpy(to + bytes, rows.Gate(t), bytes);
    to += 2 * bytes;
  }
}

// Leaves behind what later chunks read of this one's rows.
void StoreRows(const RecentRows& rows, size_t count, CompressorState* state) {
  const size_t next = state->NextSide(count), end = rows.position + count;
  const size_t first = next == state->side ? rows.position : end - std::min(end, state->ring);
  for (size_t t = first; t < end; ++t) {
    memcpy(state->NextKvRow(next, t), rows.Kv(t), state->row * sizeof(float));
    memcpy(state->NextGateRow(next, t), rows.Gate(t), state->row * sizeof(float));
  }
}

// One segment's part: kv and gate [rows, state->row] are the projections of its rows.
void Append(const Pass& pass, const Compressor& compressor, const PassSegment& segment, float* kv,
            float* gate) {
  const Compute& compute = pass.compute;
  CompressorState* state = compressor.state;
  const size_t row = state->row, position = segment.position;
  const RecentRows rows{*state, kv, gate, position};
  compute.parallel.For(segment.rows, RowGrain(row), [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      const float* bias = compressor.w.ape.data() + (position + i) % state->ratio * row;
      for (size_t ch = 0; ch < row; ++ch) gate[i * row + ch] += bias[ch];
    }
  });
  const size_t begin = position / state->ratio;
  const size_t entries = (position + segment.rows) / state->ratio - begin;
  const size_t takers = std::min(entries, static_cast<size_t>(compute.parallel.threads()));
  std::atomic<size_t> next{0};
  compute.parallel.For(takers, 1, [&](size_t from, size_t to) {
    for (size_t taker = from; taker < to; ++taker) {
      uint8_t* space = pass.scratch->key_tiles.data() + taker * KeyTileBytes(compute);
      for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < entries;) {
        EmitEntry(compute, compressor, rows, begin + i, reinterpret_cast<float*>(space));
      }
    }
  });
  for (const CarryCopy& copy : state->copies) CopyCarry(rows, copy);
  StoreRows(rows, segment.rows, state);
}

}  // namespace

void Compress(const Pass& pass, const CompressorWeights& w, size_t layer, EntryKind kind) {
  CompressorInput& input =
      kind == EntryKind::kMain ? pass.scratch->main_input : pass.scratch->index_input;
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    const size_t at = segment.begin * w.wkv.out;
    Append(pass, {w, kind, kind == EntryKind::kMain ? &state.main : &state.index}, segment,
           input.kv.data() + at, input.gate.data() + at);
  }
}

}  // namespace finback
