// What a benchmark is asked to do: the JSON document of finback_benchmark(), checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finback {

inline constexpr int64_t kMostPositions = 1 << 20;

struct BenchmarkSettings {
  std::string shape = "flash";
  std::vector<int64_t> kinds;  // a layer each, as in compress_ratios; empty: the shape's sample
  int64_t experts = 0;         // of a layer; 0: the shape's, or as many as there is memory for
  std::string folder;          // where the checkpoint is kept; "": in memory
  std::vector<int64_t> prefill = {512, 2048}, prefill_depths = {0};
  std::vector<int64_t> depths = {0, 8192, 32768, 131072, 1048576};
  std::vector<int64_t> together = {2, 4, 8};
  std::vector<int64_t> streams = {1, 2, 4, 8};
  int64_t tokens = 16, repeats = 3;
  bool measure = true;  // false: what is computed alone
};

// Throws Error(kInvalidRequest) naming the JSON path.
BenchmarkSettings ParseBenchmarkSettings(const char* json);

}  // namespace finback
