// The yardstick: how fast this machine computes a model, next to how fast it could.
#pragma once

#include <cstdint>
#include <string>

#include "core/bench/watch.h"
#include "core/network/model.h"

namespace finback {

struct BenchmarkTarget {
  std::string model;  // a folder; "" for random weights
  Precision precision = Precision::kPublished;
  bool copied = false;  // weights are read into memory
  int threads = 0;
  int32_t chunk_tokens = 0;          // 0: as ChooseChunkTokens() has it
  uint64_t memory_budget_bytes = 0;  // 0: what the machine has
  Watch::Progress progress;          // may be empty
};

// Returns the JSON text that finback_benchmark() describes. Throws Error, kCancelled among others.
std::string RunBenchmark(const BenchmarkTarget& target, const char* settings_json);

}  // namespace finback
