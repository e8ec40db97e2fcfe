#include "core/bench/measurement.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>

#include "core/base/random.h"
#include "core/base/status.h"
#include "core/bench/deep_memory.h"
#include "core/kernels/isa.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = BenchmarkPart::Kind;

constexpr double kEnoughSeconds = 20;  // of a part: then it is not repeated
constexpr size_t kRoofBytes = size_t{512} << 20, kLeastRoofBytes = size_t{64} << 20;
constexpr size_t kPageBytes = 4096;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::string Megabytes(uint64_t bytes) {
  return Format("%.0f MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

const BenchmarkPart::Sample& BenchmarkPart::Best() const {
  return *std::min_element(samples.begin(), samples.end(),
                           [](const Sample& a, const Sample& b) { return a.seconds < b.seconds; });
}

double BenchmarkPart::seconds() const {
  return std::accumulate(samples.begin(), samples.end(), 0.0,
                         [](double sum, const Sample& sample) { return sum + sample.seconds; });
}

Measurement::Measurement(const Model& model, Profile* profile, const BenchmarkSettings& settings,
                         int32_t chunk_tokens, const MemoryLeft& memory)
    : model_(model), profile_(profile), settings_(settings), weights_fit_(memory.weights_fit) {
  PlanParts(settings);
  const uint64_t roof_bytes =
      memory.bytes == 0 ? kRoofBytes
                        : std::clamp<uint64_t>(memory.bytes / 8, kLeastRoofBytes, kRoofBytes);
  PlanContext(chunk_tokens,
              memory.bytes == 0 ? UINT64_MAX : memory.bytes - std::min(memory.bytes, roof_bytes));
  roofs_ = std::make_unique<RoofMeter>(model.compute().parallel, ActiveIsa(),
                                       static_cast<size_t>(roof_bytes));
  sequence_ = std::make_unique<Sequence>(model, context_, chunk_tokens);
  evaluator_ = std::make_unique<Evaluator>(model, context_, chunk_tokens);
  if (!settings.streams.empty()) {
    const int64_t most = *std::max_element(settings.streams.begin(), settings.streams.end());
    streams_ = std::make_unique<StreamsMeter>(model, most, settings.tokens);
  }
  const auto vocab = static_cast<size_t>(model.config().vocab);
  int64_t most_rows = 1, most_ids = settings.tokens;
  for (const BenchmarkPart& part : parts_) {
    if (part.kind == Kind::kTogether) most_rows = std::max(most_rows, part.rows);
    most_ids = std::max({most_ids, part.rows, part.depth});
  }
  logits_.resize(static_cast<size_t>(most_rows) * vocab);
  ids_.resize(static_cast<size_t>(most_ids));
}

void Measurement::PlanParts(const BenchmarkSettings& settings) {
  for (const int64_t depth : settings.depths) parts_.push_back({Kind::kDecode, 1, depth});
  for (const int64_t rows : settings.together) {
    if (rows > 1) parts_.push_back({Kind::kTogether, rows, 0});
  }
  for (const int64_t streams : settings.streams) parts_.push_back({Kind::kStreams, streams, 0});
  for (const int64_t depth : settings.prefill_depths) {
    for (const int64_t rows : settings.prefill) parts_.push_back({Kind::kPrefill, rows, depth});
  }
}

// The longest context that a part needs and there is memory for.
void Measurement::PlanContext(int32_t chunk_tokens, uint64_t memory_bytes) {
  const auto needed = [&](const BenchmarkPart& part) {
    switch (part.kind) {
      case Kind::kDecode:
        return std::max(part.depth, settings_.tokens);
      case Kind::kTogether:
        return std::max(part.rows, settings_.tokens) + part.rows;
      case Kind::kStreams:
        return settings_.tokens;
      case Kind::kPrefill:
        break;
    }
    return part.depth + part.rows;
  };
  const int64_t limit = model_.config().max_position;
  std::vector<BenchmarkPart*> by_length;
  for (BenchmarkPart& part : parts_) by_length.push_back(&part);
  std::stable_sort(
      by_length.begin(), by_length.end(),
      [&](const BenchmarkPart* a, const BenchmarkPart* b) { return needed(*a) < needed(*b); });
  context_ = settings_.tokens;
  for (BenchmarkPart* part : by_length) {
    const int64_t tokens = needed(*part);
    const uint64_t sequence =
        Sequence::PlanBytes(model_.config(), model_.precision(), tokens, chunk_tokens);
    const uint64_t evaluator = Evaluator::PlanBytes(model_, tokens, chunk_tokens);
    if (tokens > limit) {
      part->skipped = Format("the model's limit is %lld tokens", static_cast<long long>(limit));
    } else if (sequence + evaluator > memory_bytes) {
      part->skipped = "needs " + Megabytes(sequence + evaluator) + " of memory, " +
                      Megabytes(memory_bytes) + " are left";
    } else {
      context_ = std::max(context_, tokens);
    }
  }
  sequence_bytes_ =
      Sequence::PlanBytes(model_.config(), model_.precision(), context_, chunk_tokens);
  evaluator_bytes_ = Evaluator::PlanBytes(model_, context_, chunk_tokens);
}

// Contents are checked when they are first used, and pages come when they are first touched;
// neither is to be found in what is timed.
void Measurement::TouchWeights(Watch* watch) {
  const Clock::time_point begin = Clock::now();
  const Weights& weights = model_.weights();
  const Config& config = model_.config();
  weights.CheckGlobal();
  const uint64_t total = weights.total_bytes();
  for (int32_t layer = 0; layer < config.layers_count; ++layer) {
    weights.CheckLayer(layer);
    for (int32_t expert = 0; weights_fit_ && expert < config.experts; ++expert) {
      weights.CheckExpert(layer, expert);
      watch->Poll();
    }
  }
  if (!weights_fit_) return;
  std::atomic<uint64_t> sink{0};
  uint64_t done = 0;
  const std::vector<Tensor>& tensors = weights.tensors();
  for (size_t first = 0; first < tensors.size();) {
    size_t end = first;
    uint64_t bytes = 0;
    while (end < tensors.size() && (end == first || bytes < (uint64_t{256} << 20))) {
      bytes += tensors[end++].bytes;
    }
    watch->Tell("load", done, total);
    model_.compute().parallel.For(end - first, 1, [&](size_t from, size_t to) {
      uint64_t sum = 0;
      for (size_t i = first + from; i < first + to; ++i) {
        for (uint64_t at = 0; at < tensors[i].bytes; at += kPageBytes) sum += tensors[i].data[at];
      }
      sink.fetch_add(sum, std::memory_order_relaxed);
    });
    done += bytes;
    first = end;
  }
  watch->Tell("load", total, total);
  load_.touch_seconds = SecondsSince(begin);
}

void Measurement::GoTo(int64_t position) {
  sequence_->Pretend({ids_.data(), static_cast<size_t>(position)});
}

void Measurement::Evaluate(int64_t rows, LogitRows wanted, Watch* watch) {
  const auto vocab = static_cast<uint64_t>(model_.config().vocab);
  const auto count = static_cast<size_t>(rows);
  // In the place of the ids that are there before, whose values nobody reads again.
  for (size_t i = 0; i < count; ++i) {
    random_ += kSplitMixStep;
    ids_[i] = static_cast<int32_t>(SplitMix(random_) % vocab);
  }
  const Segment segment{sequence_.get(), {ids_.data(), count}, wanted, logits_.data()};
  EvaluateControl control;
  control.between_layers = [watch] { watch->Poll(); };
  evaluator_->Run({&segment, 1}, control);
}

void Measurement::RunPart(BenchmarkPart* part, Watch* watch) {
  int64_t passes = 1;
  switch (part->kind) {
    case Kind::kDecode:
      passes = settings_.tokens;
      GoTo(std::max<int64_t>(0, part->depth - passes));
      break;
    case Kind::kTogether:
      passes = std::max<int64_t>(1, settings_.tokens / part->rows);
      GoTo(0);
      break;
    case Kind::kStreams: {
      part->tokens = settings_.tokens * part->rows;
      const double seconds = streams_->Run(part->rows, profile_, watch);
      part->samples.push_back({seconds, *profile_});
      return;
    }
    case Kind::kPrefill:
      GoTo(part->depth);
      break;
  }
  part->tokens = passes * part->rows;
  profile_->Clear();
  const Clock::time_point begin = Clock::now();
  const LogitRows wanted = part->kind == Kind::kTogether ? LogitRows::kAll : LogitRows::kLast;
  for (int64_t i = 0; i < passes; ++i) Evaluate(part->rows, wanted, watch);
  part->samples.push_back({SecondsSince(begin), *profile_});
}

void Measurement::Run(Watch* watch) {
  TouchWeights(watch);
  FillRandomly(model_, sequence_.get());
  const Clock::time_point begin = Clock::now();
  GoTo(0);
  Evaluate(1, LogitRows::kLast, watch);
  load_.first_token_seconds = SecondsSince(begin);
  const uint64_t steps = static_cast<uint64_t>(settings_.repeats) * parts_.size();
  uint64_t done = 0;
  for (int64_t repeat = 0; repeat < settings_.repeats; ++repeat) {
    for (BenchmarkPart& part : parts_) {
      watch->Tell("benchmark", done++, steps);
      if (!part.skipped.empty() || part.seconds() > kEnoughSeconds) continue;
      roofs_->Measure();
      RunPart(&part, watch);
    }
  }
  if (roofs_->samples().read.empty()) roofs_->Measure();
  watch->Tell("benchmark", steps, steps);
}

}  // namespace finback
