// What one conversation leaves behind: token ids, and every layer's memory of them at trained
// precision. An Evaluator extends it; the same ids leave the same bytes, however they were
// computed. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/buffer.h"
#include "core/network/memory/state.h"
#include "core/network/model.h"

namespace finback {

class Sequence {
 public:
  // Bytes that a Sequence reserves.
  static uint64_t PlanBytes(const Config& config, Precision precision, int64_t context_tokens,
                            int32_t chunk_tokens);

  // Holds up to `context_tokens`, of which at most `chunk_tokens` are appended at once.
  Sequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

  const Model& model() const { return model_; }
  int64_t position() const { return static_cast<int64_t>(position_); }  // tokens held
  int64_t context_tokens() const { return static_cast<int64_t>(shape_.context_tokens); }
  std::span<const int32_t> tokens() const { return {memory_.ids.data(), position_}; }

  void Reset() { position_ = floor_ = 0; }
  int64_t roll_back_floor() const { return static_cast<int64_t>(floor_); }
  // Forgets the last tokens; throws kInvalidArgument below roll_back_floor(), where what lies
  // before must be computed again (Evaluator::RollBack).
  void RollBack(int64_t tokens);
  std::vector<uint8_t> Snapshot() const;         // versioned, little-endian, tied to the config
  void Restore(std::span<const uint8_t> bytes);  // throws kInvalidArgument; unchanged on failure
  std::unique_ptr<Sequence> Fork() const;

  // For what computes the next tokens. BeginChunk() says that their memory is about to be written,
  // at layers() and from position() on; EndChunk() that it has been. In between the sequence holds
  // what it held before.
  size_t chunk_tokens() const { return shape_.chunk_tokens; }
  std::span<LayerState> layers() { return memory_.layers; }
  void BeginChunk(size_t tokens);
  void EndChunk(std::span<const int32_t> ids);

 private:
  size_t BackFrom(size_t end) const;

  struct Memory {
    std::vector<LayerState> layers;
    Buffer<int32_t> ids;  // [context_tokens]
    uint64_t ReserveAll(const Config& config, Precision precision, const StateShape& shape,
                        Reserve::Mode mode);
  };

  const Model& model_;
  StateShape shape_;
  Memory memory_;
  size_t position_ = 0;
  // The rings hold what positions down to here need.
  size_t floor_ = 0;
};

}  // namespace finback
