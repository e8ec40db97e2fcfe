// The timed runs of a model: decoding at depths, several tokens at once, prefill. Each is repeated,
// and between repeats come the others and the roofs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/bench/roof_meter.h"
#include "core/bench/settings.h"
#include "core/bench/streams.h"
#include "core/bench/watch.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/profile/profile.h"
#include "core/network/sequence.h"

namespace finback {

// One of the runs that are timed.
struct BenchmarkPart {
  enum class Kind : uint8_t { kDecode, kTogether, kStreams, kPrefill };
  struct Sample {
    double seconds;
    Profile profile;
  };

  Kind kind;
  int64_t rows;              // of a pass: 1 when decoding; of streams, if all are in it
  int64_t depth;             // tokens that are there before it ends; before it begins for prefill
  std::string skipped = {};  // why it was not measured
  int64_t tokens = 0;        // of a sample
  std::vector<Sample> samples = {};

  const Sample& Best() const;
  double seconds() const;  // of all samples
};

struct LoadTimes {
  double touch_seconds = -1;  // of every weight for the first time; below 0: they do not fit
  double first_token_seconds = 0;
};

// What a measurement may take beside the weights.
struct MemoryLeft {
  uint64_t bytes = 0;       // 0: nobody knows
  bool weights_fit = true;  // else they come from the disk, again and again
};

class Measurement {
 public:
  // Of a model that was opened with `profile`.
  Measurement(const Model& model, Profile* profile, const BenchmarkSettings& settings,
              int32_t chunk_tokens, const MemoryLeft& memory);

  void Run(Watch* watch);

  const std::vector<BenchmarkPart>& parts() const { return parts_; }
  const RoofSamples& roofs() const { return roofs_->samples(); }
  const LoadTimes& load() const { return load_; }
  uint64_t sequence_bytes() const { return sequence_bytes_; }
  uint64_t evaluator_bytes() const { return evaluator_bytes_; }
  uint64_t roof_bytes() const { return roofs_->bytes(); }
  int64_t context_tokens() const { return context_; }
  size_t chunk_tokens() const { return sequence_->chunk_tokens(); }

 private:
  void PlanParts(const BenchmarkSettings& settings);
  void PlanContext(int32_t chunk_tokens, uint64_t memory_bytes);
  void TouchWeights(Watch* watch);
  void FillMemory();
  void GoTo(int64_t position);
  void Evaluate(int64_t rows, LogitRows wanted, Watch* watch);
  void RunPart(BenchmarkPart* part, Watch* watch);

  const Model& model_;
  Profile* profile_;
  const BenchmarkSettings& settings_;
  std::vector<BenchmarkPart> parts_;
  int64_t context_ = 0;
  uint64_t sequence_bytes_ = 0, evaluator_bytes_ = 0;
  bool weights_fit_;
  LoadTimes load_;
  std::unique_ptr<RoofMeter> roofs_;
  std::unique_ptr<Sequence> sequence_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<StreamsMeter> streams_;  // null: none are asked for
  std::vector<int32_t> ids_;               // random, as many as the longest part has
  std::vector<float> logits_;
  uint64_t random_ = 1;
};

}  // namespace finback
