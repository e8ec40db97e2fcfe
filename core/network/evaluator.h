// Computes what comes next in sequences: any number of them together, so that they share the
// reading of the weights. A row's result does not depend on who else is in the batch, on how ids
// are split over calls and chunks, or on threads: equal bits.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/network/pass.h"
#include "core/network/sequence.h"

namespace finback {

enum class LogitRows : uint8_t { kNone, kLast, kAll };

// What one sequence wants of a batch.
struct Segment {
  Sequence* sequence;
  std::span<const int32_t> ids;  // to evaluate after what is already there, each in [0, vocab)
  LogitRows rows = LogitRows::kNone;
  float* logits = nullptr;  // [0, 1 or ids.size(), vocab], for the rows that are wanted
  // What the last layer leaves of the last so many ids, which a draft block goes on from.
  size_t stream_rows = 0;
  float* streams = nullptr;  // [stream_rows, hc, hidden]
};
using Batch = std::span<const Segment>;

// The rows of a segment that one pass computes: ids [from, from + rows).
struct PassPart {
  const Segment* segment;
  size_t from, rows;
};

// How a run can be stopped and watched.
struct EvaluateControl {
  const std::atomic<bool>* cancel = nullptr;                  // polled between layers
  std::function<bool(int64_t done, int64_t total)> progress;  // after each chunk; false cancels
  std::function<void()> between_layers;                       // throws to stop
};

// Rows of a chunk where nobody says how many: 1,024 or 512, of which each expert gets enough to be
// worth decoding its weights, where they take at most a small part of `memory_bytes` (0: unknown)
// more than 256 do, and the context is not so long that its memory comes first. Results do not
// depend on it.
int32_t ChooseChunkTokens(const Model& model, int64_t context_tokens, uint64_t memory_bytes);

// Owns the working memory of a chunk. One thread at a time; evaluators of one model may run on
// several threads.
class Evaluator {
 public:
  // Bytes that an Evaluator reserves.
  static uint64_t PlanBytes(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

  // Computes `chunk_tokens` rows at once, of sequences that hold up to `context_tokens`.
  Evaluator(const Model& model, int64_t context_tokens, int32_t chunk_tokens);

  // Evaluates every segment, in chunks of rows taken from the segments in turn. Throws
  // kInvalidArgument (id out of range; a sequence twice, of another model or longer than this is
  // made for), kContextFull, kBudget and std::bad_alloc before anything is done; kCancelled and
  // kCheckpoint, and then every sequence holds the whole chunks that were finished, see position().
  void Run(Batch batch, const EvaluateControl& control = {});

  // Takes back any number of tokens; what the sequence cannot do alone is computed again.
  void RollBack(Sequence* sequence, int64_t tokens);

  // The same in steps, for who decides pass by pass what is in it. Check() throws what Run() does
  // before anything is done, but for blocks: those are the caller's to take, and to drop when
  // something fails. A pass has parts of different sequences, at most most_rows() rows together
  // and Sequence::chunk_tokens() of each. It may go on in another thread after each step.
  void Check(const Segment& segment) const;
  const Model& model() const { return model_; }
  size_t most_rows() const { return chunk_; }
  void BeginPass(std::span<const PassPart> parts);
  bool ComputeLayer();                      // the next one; false: that was the last
  void LeaveOut(const Sequence& sequence);  // between layers: it holds what it held before
  void EndPass();                           // after the last layer

 private:
  void CheckBatch(Batch batch) const;
  void GatherParts(Batch batch);
  void RunPass(const EvaluateControl& control);
  Pass ThisPass() { return {model_.compute(), model_.weights(), ids_, segments_, &scratch_}; }
  void CopyStreams(const float* streams) const;
  void ComputeLogits(const Pass& pass, float* streams);

  const Model& model_;
  size_t chunk_, context_;
  Scratch scratch_;
  std::vector<size_t> done_;  // ids of each segment of the batch that passes have taken
  std::vector<PassPart> parts_;

  // The present pass.
  std::optional<PassScope> timed_;
  size_t layer_ = 0;  // the next one
  std::vector<int32_t> ids_;
  std::vector<PassSegment> segments_;
  std::vector<Sequence*> sequences_;  // of the segments
  struct StreamRows {                 // of a segment, from its row `first` on
    size_t first, rows;
    float* to;
  };
  std::vector<StreamRows> kept_streams_;  // of the segments
  std::vector<size_t> wanted_;            // rows whose logits are wanted
  std::vector<float*> logits_;            // [vocab] each, of the wanted rows
};

}  // namespace finback
