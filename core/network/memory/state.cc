#include "core/network/memory/state.h"

#include <algorithm>
#include <cstring>

namespace finback {

EntryFormat EntryFormat::Kv(const Sizes& sizes, const Numerics& numerics) {
  EntryFormat format;
  format.width = sizes.head_dim;
  if (numerics.kv_fp8) {
    format.kind = Kind::kKv;
    format.kv = {format.width, 2 * sizes.rope_pairs};
    format.bytes = format.kv.Bytes();
  } else {
    format.bytes = format.width * sizeof(float);
  }
  return format;
}

EntryFormat EntryFormat::Index(const Sizes& sizes, const Numerics& numerics) {
  EntryFormat format;
  format.width = sizes.index_head_dim;
  if (numerics.index_fp4) {
    format.kind = Kind::kIndex;
    format.bytes = format.width / 2 + format.width / 32;
  } else {
    format.bytes = format.width * sizeof(float);
  }
  return format;
}

void EntryFormat::Store(const Kernels& kernels, const float* values, uint8_t* entry) const {
  switch (kind) {
    case Kind::kFloat:
      memcpy(entry, values, bytes);
      return;
    case Kind::kKv:
      kernels.pack_kv(kv, values, entry);
      return;
    case Kind::kIndex:
      kernels.pack_index(values, width, entry);
      return;
  }
}

void EntryFormat::Load(const Kernels& kernels, const uint8_t* entry, float* values) const {
  switch (kind) {
    case Kind::kFloat:
      memcpy(values, entry, bytes);
      return;
    case Kind::kKv:
      kernels.unpack_kv(kv, entry, values);
      return;
    case Kind::kIndex:
      kernels.unpack_index(entry, width, values);
      return;
  }
}

size_t CompressorState::CarryBegin(size_t position) const {
  const size_t window_begin = position / ratio * ratio;
  return overlap && window_begin > 0 ? window_begin - ratio : window_begin;
}

namespace {

// Entries of a block, as powers of two. Attention of CSA reads single entries, so that a block of
// them is no longer than what forks should copy of their last one: 512 tokens. A call for index
// scores expands the queries first, and takes as long for 32 keys more: a block is what one call is
// given at most. Attention of HCA reads tiles of entries one after the other: a block is a tile.
constexpr unsigned kCsaShift = 7, kIndexShift = 10, kHcaShift = 6;

void ReserveCompressor(const StateShape& shape, const LayerSpec& spec, unsigned shift,
                       Reserve* reserve, CompressorState* state) {
  const EntryFormat& format = state->format;
  state->ratio = static_cast<size_t>(spec.ratio);
  state->overlap = spec.kind == LayerKind::kCsa;
  state->row = (state->overlap ? 2 : 1) * format.width;
  const size_t sides = shape.chunk_tokens > kBackTokens ? 2 : 1;
  state->ring = (state->overlap ? 2 : 1) * state->ratio + std::min(shape.chunk_tokens, kBackTokens);
  (*reserve)(state->kv, sides * state->ring * state->row);
  (*reserve)(state->gate, sides * state->ring * state->row);
  state->entries.Prepare({format.bytes, shift}, shape.context_tokens / state->ratio, reserve);
}

BlockList::Range EntriesOf(const TokenRange& tokens, const CompressorState& state) {
  return {tokens.kept / state.ratio, tokens.begin / state.ratio, tokens.end / state.ratio};
}

// State is const when the pieces are read, mutable when they are written.
template <typename State, typename Visit>
void VisitWindow(State& state, size_t window, size_t position, const Visit& visit) {
  for (size_t t = position - std::min(position, window - 1); t < position; ++t) {
    visit(state.WindowEntry(t), state.format.bytes);
  }
}

template <typename State, typename Visit>
void VisitCarry(State& state, size_t position, const Visit& visit) {
  for (size_t t = state.CarryBegin(position); t < position; ++t) {
    visit(state.KvRow(t), state.row * sizeof(float));
    visit(state.GateRow(t), state.row * sizeof(float));
  }
}

template <typename State, typename Visit>
void VisitCompressor(State& state, size_t position, const Visit& visit) {
  VisitRuns(state.entries, 0, position / state.ratio, visit);
  VisitCarry(state, position, visit);
}

// The pieces of memory that make up a layer's state at `position`, in snapshot order.
template <typename State, typename Visit>
void VisitLayer(State& state, size_t window, size_t position, const Visit& visit) {
  VisitWindow(state, window, position, visit);
  if (state.main.ratio != 0) VisitCompressor(state.main, position, visit);
  if (state.index.ratio != 0) VisitCompressor(state.index, position, visit);
}

}  // namespace

void ReserveLayer(const Sizes& sizes, const Numerics& numerics, const LayerSpec& spec,
                  const StateShape& shape, Reserve* reserve, LayerState* state) {
  state->kind = spec.kind;
  state->format = EntryFormat::Kv(sizes, numerics);
  state->ring = sizes.window - 1 + shape.chunk_tokens;
  (*reserve)(state->window, state->ring * state->format.bytes);
  if (spec.kind == LayerKind::kWindow) return;
  const bool csa = spec.kind == LayerKind::kCsa;
  state->main.format = state->format;
  ReserveCompressor(shape, spec, csa ? kCsaShift : kHcaShift, reserve, &state->main);
  if (!csa) return;
  state->index.format = EntryFormat::Index(sizes, numerics);
  ReserveCompressor(shape, spec, kIndexShift, reserve, &state->index);
}

std::vector<LayerState> ReserveLayers(const Config& config, Precision precision,
                                      const StateShape& shape, Reserve* reserve) {
  const Sizes sizes(config);
  const Numerics numerics = Numerics::Of(precision, config);
  std::vector<LayerState> layers(sizes.layers);
  for (size_t i = 0; i < layers.size(); ++i) {
    ReserveLayer(sizes, numerics, config.layers[i], shape, reserve, &layers[i]);
  }
  return layers;
}

uint64_t BytesToGrow(const TokenRange& tokens, const LayerState& state) {
  uint64_t bytes = 0;
  for (const CompressorState* compressor : {&state.main, &state.index}) {
    if (compressor->ratio != 0) bytes += compressor->entries.Needed(EntriesOf(tokens, *compressor));
  }
  return bytes;
}

void GrowLayer(const TokenRange& tokens, Reservation* charged, LayerState* state) {
  for (CompressorState* compressor : {&state->main, &state->index}) {
    if (compressor->ratio == 0) continue;
    compressor->entries.Grow(EntriesOf(tokens, *compressor), charged);
  }
}

void CutLayer(size_t position, LayerState* state) noexcept {
  for (CompressorState* compressor : {&state->main, &state->index}) {
    if (compressor->ratio != 0) compressor->entries.Cut(position / compressor->ratio);
  }
}

void EndChunk(size_t tokens, LayerState* state) {
  for (CompressorState* compressor : {&state->main, &state->index}) {
    if (compressor->ratio != 0) compressor->side = compressor->NextSide(tokens);
  }
}

size_t WindowBytes(const LayerState& state, size_t window, size_t position) {
  return std::min(position, window - 1) * state.format.bytes;
}

uint8_t* SaveWindow(const LayerState& state, size_t window, size_t position, uint8_t* out) {
  VisitWindow(state, window, position, [&](const uint8_t* entry, size_t bytes) {
    memcpy(out, entry, bytes);
    out += bytes;
  });
  return out;
}

uint8_t* SaveRings(const LayerState& state, size_t window, size_t position, uint8_t* out) {
  out = SaveWindow(state, window, position, out);
  for (const CompressorState* compressor : {&state.main, &state.index}) {
    if (compressor->ratio == 0) continue;
    VisitCarry(*compressor, position, [&](const float* row, size_t bytes) {
      memcpy(out, row, bytes);
      out += bytes;
    });
  }
  return out;
}

const uint8_t* LoadRings(const uint8_t* bytes, size_t window, size_t position, LayerState* state) {
  const auto read = [&](void* data, size_t size) {
    memcpy(data, bytes, size);
    bytes += size;
  };
  VisitWindow(*state, window, position, read);
  if (state->main.ratio != 0) VisitCarry(state->main, position, read);
  if (state->index.ratio != 0) VisitCarry(state->index, position, read);
  return bytes;
}

void LoadAllRings(const uint8_t* bytes, size_t window, size_t position,
                  std::span<LayerState> layers) {
  for (LayerState& layer : layers) bytes = LoadRings(bytes, window, position, &layer);
}

void ForkLayer(const LayerState& from, size_t window, size_t position, LayerState* to) {
  for (size_t t = position - std::min(position, window - 1); t < position; ++t) {
    memcpy(to->WindowEntry(t), from.WindowEntry(t), from.format.bytes);
  }
  const auto fork = [position](const CompressorState& source, CompressorState* copy) {
    if (source.ratio == 0) return;
    for (size_t t = source.CarryBegin(position); t < position; ++t) {
      memcpy(copy->KvRow(t), source.KvRow(t), source.row * sizeof(float));
      memcpy(copy->GateRow(t), source.GateRow(t), source.row * sizeof(float));
    }
    copy->entries.Share(source.entries, position / source.ratio);
  };
  fork(from.main, &to->main);
  fork(from.index, &to->index);
}

uint64_t LayerSnapshotBytes(const LayerState& state, size_t window, size_t position) {
  uint64_t total = 0;
  VisitLayer(state, window, position, [&](const void*, size_t bytes) { total += bytes; });
  return total;
}

void AppendLayer(const LayerState& state, size_t window, size_t position,
                 std::vector<uint8_t>* out) {
  VisitLayer(state, window, position, [&](const void* data, size_t bytes) {
    const uint8_t* begin = static_cast<const uint8_t*>(data);
    out->insert(out->end(), begin, begin + bytes);
  });
}

size_t ReadLayer(const uint8_t* bytes, size_t window, size_t position, LayerState* state) {
  size_t done = 0;
  VisitLayer(*state, window, position, [&](void* data, size_t size) {
    if (size != 0) memcpy(data, bytes + done, size);
    done += size;
  });
  return done;
}

}  // namespace finback
