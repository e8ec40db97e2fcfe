// The network over one checkpoint. Immutable once open; any number of sequences share it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/parallel.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"

namespace finback {

enum class Precision : uint8_t {
  kPublished,  // every rounding of the published model
  kBf16,       // inputs of quantized linears stay bfloat16
  kFloat32,    // no rounding anywhere: for the oracle
};

enum class LogitRows : uint8_t { kNone, kLast, kAll };

struct ModelOptions {
  Precision precision = Precision::kPublished;
  int threads = 0;  // 0: one per online core
};

class Model {
 public:
  static std::unique_ptr<Model> Open(const std::string& folder, const ModelOptions& options);
  ~Model();

  const Config& config() const;
  const Weights& weights() const;
  Precision precision() const;
  const Parallel& parallel() const;
  const std::string& folder() const;

  struct Impl;  // model_impl.h, for this room and its tests
  const Impl& impl() const { return *impl_; }

 private:
  Model();
  std::unique_ptr<Impl> impl_;
};

// How one Evaluate or Generate step can be stopped and watched.
struct EvaluateControl {
  const std::atomic<bool>* cancel = nullptr;                  // polled between layers
  std::function<bool(int64_t done, int64_t total)> progress;  // after each chunk; false cancels
};

// What one sequence remembers, at trained precision. One thread at a time; sequences of one model
// may run on several threads. Any split into chunks and any thread count gives the same bits.
class Sequence {
 public:
  // Bytes that a Sequence for `context_tokens` reserves, state and scratch together.
  static uint64_t PlanBytes(const Config& config, Precision precision, int64_t context_tokens,
                            int32_t chunk_tokens);

  Sequence(const Model& model, int64_t context_tokens, int32_t chunk_tokens);
  ~Sequence();

  int64_t position() const;  // tokens evaluated so far
  int64_t context_tokens() const;
  std::span<const int32_t> tokens() const;  // the evaluated ids

  // Evaluates `ids` (each in [0, vocab)) after what is already there, in chunks. Writes float32
  // logits, [1 or ids.size(), vocab]. Throws kInvalidArgument (id out of range), kContextFull,
  // kCancelled (the sequence then holds the whole chunks that were finished,
  // see position()), kCheckpoint.
  void Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                const EvaluateControl& control = {});

  void Reset();
  void RollBack(int64_t tokens);                 // any count up to position(); may recompute
  int64_t roll_back_floor() const;               // rolling back to here or later recomputes nothing
  std::vector<uint8_t> Snapshot() const;         // versioned, little-endian, tied to the config
  void Restore(std::span<const uint8_t> bytes);  // throws kInvalidArgument; unchanged on failure
  std::unique_ptr<Sequence> Fork() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace finback
