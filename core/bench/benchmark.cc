#include "core/bench/benchmark.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/machine_memory.h"
#include "core/base/parallel.h"
#include "core/base/status.h"
#include "core/bench/measurement.h"
#include "core/bench/random_checkpoint.h"
#include "core/bench/report.h"
#include "core/bench/settings.h"
#include "core/bench/shapes.h"

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kConfigName = "config.json";
constexpr uint64_t kOtherBytes = uint64_t{1} << 30;  // for scratch, roofs and everybody else

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double Gigabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

RandomCheckpoint::Contents ContentsOf(const ModelShape& shape, const BenchmarkSettings& settings,
                                      int64_t experts) {
  std::string config = ShapeConfig(shape, settings.kinds, experts);
  std::vector<PublishedTensor> tensors = PublishedTensors(ParseConfig(config, kConfigName));
  return {std::move(config), std::move(tensors)};
}

// What this process may take, and the engine's budget; 0 if neither is known.
uint64_t MemoryOf(const BenchmarkTarget& target) {
  const std::optional<MachineMemory> machine = AvailableMemory();
  const uint64_t available =
      machine ? static_cast<uint64_t>(std::max<int64_t>(0, machine->available_bytes)) : 0;
  if (target.memory_budget_bytes == 0) return available;
  return available == 0 ? target.memory_budget_bytes
                        : std::min(available, target.memory_budget_bytes);
}

// With as many experts as were asked for, or as there is memory for if none were.
RandomCheckpoint::Contents Fitting(const ModelShape& shape, const BenchmarkSettings& settings,
                                   uint64_t memory, BenchmarkSubject* subject) {
  const int64_t wanted = settings.experts != 0 ? settings.experts : shape.experts;
  RandomCheckpoint::Contents contents = ContentsOf(shape, settings, wanted);
  const uint64_t needed = RandomCheckpoint::PlanBytes(contents.tensors) + kOtherBytes;
  if (memory == 0 || needed <= memory) return contents;
  for (int64_t fewer = wanted / 2; fewer >= shape.experts_per_token; fewer /= 2) {
    RandomCheckpoint::Contents smaller = ContentsOf(shape, settings, fewer);
    const uint64_t bytes = RandomCheckpoint::PlanBytes(smaller.tensors) + kOtherBytes;
    if (bytes > memory) continue;
    if (settings.experts != 0) {
      Throw(Code::kBudget,
            "experts: %lld of them take %.1f GB in all, and %.1f GB of memory is available; %lld "
            "take %.1f GB",
            static_cast<long long>(wanted), Gigabytes(needed), Gigabytes(memory),
            static_cast<long long>(fewer), Gigabytes(bytes));
    }
    subject->notes.push_back(
        Format("%lld experts a layer in place of %lld, which would take %.1f GB of %.1f available: "
               "a token reads as many of them, a prompt of many tokens reads fewer different ones",
               static_cast<long long>(fewer), static_cast<long long>(wanted), Gigabytes(needed),
               Gigabytes(memory)));
    return smaller;
  }
  Throw(Code::kBudget,
        "kinds: %zu layers of %s take %.1f GB in all, and %.1f GB of memory is available, which is "
        "too little for %d experts, too; name fewer kinds",
        settings.kinds.size(), shape.name, Gigabytes(needed), Gigabytes(memory),
        shape.experts_per_token);
}

// The whole model that a sample of its layers stands for.
Config WholeConfig(const ModelShape& shape) {
  return ParseConfig(ShapeConfig(shape, shape.kinds, shape.experts), kConfigName);
}

std::string Measure(const BenchmarkTarget& target, const BenchmarkSettings& settings,
                    BenchmarkSubject* subject, Watch* watch) {
  std::unique_ptr<RandomCheckpoint> random;
  std::string folder = target.model;
  if (subject->shape != nullptr) {
    const uint64_t memory = settings.folder.empty() ? MemoryOf(target) : 0;
    const auto contents = Fitting(*subject->shape, settings, memory, subject);
    const Parallel parallel(target.threads);
    const Clock::time_point begin = Clock::now();
    random = std::make_unique<RandomCheckpoint>(contents, settings.folder, parallel, watch);
    if (!random->was_there()) subject->make_seconds = SecondsSince(begin);
    folder = random->folder();
  }
  subject->folder = subject->shape == nullptr ? target.model : settings.folder;
  const Clock::time_point begin = Clock::now();
  const auto layers = static_cast<size_t>(LoadConfig(folder).layers_count);
  Profile profile(layers);
  ModelOptions options{.precision = target.precision, .threads = target.threads};
  options.profile = &profile;
  if (random != nullptr) options.weights.memory = random->memory();
  if (target.copied) {
    options.weights.copy = [&](uint64_t done, uint64_t total) { watch->Tell("load", done, total); };
  }
  const std::unique_ptr<Model> model = Model::Open(folder, options);
  subject->open_seconds = SecondsSince(begin);
  const Config& config = model->config();
  const Config whole = subject->shape != nullptr ? WholeConfig(*subject->shape) : config;
  MemoryLeft left{MemoryOf(target)};
  const bool taken = target.copied || (random != nullptr && settings.folder.empty());
  if (!taken && left.bytes != 0) {
    const uint64_t weights = model->weights().total_bytes();
    left.weights_fit = weights < left.bytes;
    if (left.weights_fit) left.bytes -= weights;
  }
  if (!left.weights_fit) {
    subject->notes.push_back("the weights do not fit into memory: what is measured is the disk");
  }
  // Of a context as long as sessions have where nobody says how long.
  const int32_t chunk =
      target.chunk_tokens > 0 ? target.chunk_tokens : ChooseChunkTokens(*model, 32768, left.bytes);
  Measurement measurement(*model, &profile, settings, chunk, left);
  measurement.Run(watch);
  return BenchmarkJson({settings, *subject, config, whole, model.get(), &measurement});
}

}  // namespace

std::string RunBenchmark(const BenchmarkTarget& target, const char* settings_json) {
  const BenchmarkSettings settings = ParseBenchmarkSettings(settings_json);
  Watch watch(target.progress);
  BenchmarkSubject subject;
  if (target.model.empty()) subject.shape = FindShape(settings.shape);
  if (settings.measure) return Measure(target, settings, &subject, &watch);
  const Config config =
      subject.shape != nullptr ? WholeConfig(*subject.shape) : LoadConfig(target.model);
  subject.folder = target.model;
  return BenchmarkJson({settings, subject, config, config});
}

}  // namespace finback
