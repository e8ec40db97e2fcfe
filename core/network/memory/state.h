// What a sequence remembers of each layer, at trained precision (docs/architecture.md 3.10, 3.11,
// 5).
//
// Everything that slides lives in rings indexed by absolute token position, so arranged that a
// chunk's new rows never overwrite what its first query still reads; so the state at a position is
// a pure function of the tokens before it, and going back as far as the rings reach
// only moves the position.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/buffer.h"
#include "core/network/compute.h"
#include "core/network/memory/blocks.h"

namespace finback {

// How one kind of entry is stored: packed codes, or plain float32 where nothing is rounded.
struct EntryFormat {
  enum class Kind : uint8_t { kFloat, kKv, kIndex };
  Kind kind = Kind::kFloat;
  KvFormat kv{};     // kKv
  size_t width = 0;  // channels
  size_t bytes = 0;

  static EntryFormat Kv(const Sizes& sizes, const Numerics& numerics);
  static EntryFormat Index(const Sizes& sizes, const Numerics& numerics);
  void Store(const Kernels& kernels, const float* values, uint8_t* entry) const;
  void Load(const Kernels& kernels, const uint8_t* entry, float* values) const;
};

// Going back so many tokens only moves the position; a longer chunk leaves no more behind.
inline constexpr size_t kBackTokens = 32;

// Where the rows that the next entry needs at a position within a chunk are put as it passes.
struct CarryCopy {
  size_t position;
  uint8_t* to;
};

// A compressor's memory: raw projections of recent tokens and the entries pooled so far. A chunk
// longer than kBackTokens writes to the other side, so that what was there before is left until
// the chunk is done (EndChunk).
struct CompressorState {
  size_t ratio = 0;
  bool overlap = false;  // an entry pools the previous window too
  size_t row = 0;        // floats per token: (overlap ? 2 : 1) * width
  size_t ring = 0;       // tokens that a side holds; slot = position % ring
  size_t side = 0;       // the present one
  EntryFormat format;
  Buffer<float> kv, gate;  // [1 or 2 sides, ring, row]
  BlockList entries;       // of format.bytes
  std::span<const CarryCopy> copies;

  float* KvRow(size_t position) { return kv.data() + Slot(side, position) * row; }
  float* GateRow(size_t position) { return gate.data() + Slot(side, position) * row; }
  const float* KvRow(size_t position) const { return kv.data() + Slot(side, position) * row; }
  const float* GateRow(size_t position) const { return gate.data() + Slot(side, position) * row; }
  // The side that a chunk of so many tokens writes to.
  size_t NextSide(size_t tokens) const { return tokens > kBackTokens ? 1 - side : side; }
  float* NextKvRow(size_t next, size_t position) { return kv.data() + Slot(next, position) * row; }
  float* NextGateRow(size_t next, size_t position) {
    return gate.data() + Slot(next, position) * row;
  }
  uint8_t* Entry(size_t w) { return entries.At(w); }
  const uint8_t* Entry(size_t w) const { return entries.At(w); }
  // The oldest token whose projections the next entry still needs when `position` tokens are done.
  size_t CarryBegin(size_t position) const;
  // Of those from there on: of each its projection, then its gate.
  size_t CarryBytes(size_t position) const {
    return (position - CarryBegin(position)) * 2 * row * sizeof(float);
  }

 private:
  size_t Slot(size_t of_side, size_t position) const { return of_side * ring + position % ring; }
};

struct LayerState {
  LayerKind kind = LayerKind::kWindow;
  EntryFormat format;
  size_t ring = 0;              // window slots
  Buffer<uint8_t> window;       // [ring, format.bytes], slot = position % ring
  CompressorState main, index;  // ratio 0 when the layer has none

  uint8_t* WindowEntry(size_t position) { return window.data() + position % ring * format.bytes; }
  const uint8_t* WindowEntry(size_t position) const {
    return window.data() + position % ring * format.bytes;
  }
};

struct StateShape {
  size_t context_tokens;
  size_t chunk_tokens;
};

// Lays out the state of one layer; `reserve` counts or takes.
void ReserveLayer(const Sizes& sizes, const Numerics& numerics, const LayerSpec& spec,
                  const StateShape& shape, Reserve* reserve, LayerState* state);

// Of all layers of a model.
std::vector<LayerState> ReserveLayers(const Config& config, Precision precision,
                                      const StateShape& shape, Reserve* reserve);

// Takes blocks for the entries of tokens [begin, end), which are about to be written, of `charged`:
// so many bytes. What `kept` tokens have left stays, also when it throws std::bad_alloc.
struct TokenRange {
  size_t kept, begin, end;
};
uint64_t BytesToGrow(const TokenRange& tokens, const LayerState& state);
void GrowLayer(const TokenRange& tokens, Reservation* charged, LayerState* state);
// Lets go of blocks that no entry of so many tokens is in.
void CutLayer(size_t position, LayerState* state) noexcept;

// A chunk of so many tokens is done: what it wrote is what is there.
void EndChunk(size_t tokens, LayerState* state);

// What slides, at `position`: the window's entries, then what the compressors carry. These return
// the end of what they wrote and read.
size_t WindowBytes(const LayerState& state, size_t window, size_t position);
uint8_t* SaveWindow(const LayerState& state, size_t window, size_t position, uint8_t* out);
uint8_t* SaveRings(const LayerState& state, size_t window, size_t position, uint8_t* out);
const uint8_t* LoadRings(const uint8_t* bytes, size_t window, size_t position, LayerState* state);
// Of all layers, in order.
void LoadAllRings(const uint8_t* bytes, size_t window, size_t position,
                  std::span<LayerState> layers);

// `to`, of the same model, becomes what `from` is at `position`: rings are copied, entries shared.
// Throws nothing.
void ForkLayer(const LayerState& from, size_t window, size_t position, LayerState* to);

// The versioned byte form of layers at `position` (little-endian; the same bytes whatever the chunk
// size, thread count or history). Append and read in layer order.
void AppendLayer(const LayerState& state, size_t window, size_t position,
                 std::vector<uint8_t>* out);
uint64_t LayerSnapshotBytes(const LayerState& state, size_t window, size_t position);
// Returns the bytes read; the caller has checked that LayerSnapshotBytes are there, and has taken
// the blocks.
size_t ReadLayer(const uint8_t* bytes, size_t window, size_t position, LayerState* state);

}  // namespace finback
