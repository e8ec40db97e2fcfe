// What was measured and what was computed, as the JSON text of finback_benchmark(). What was not
// measured is null, with the reason beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/bench/measurement.h"
#include "core/bench/settings.h"
#include "core/bench/shapes.h"
#include "core/checkpoint/config.h"

namespace finback {

// The checkpoint that was measured.
struct BenchmarkSubject {
  const ModelShape* shape = nullptr;  // null: the user's own
  std::string folder;                 // "": in memory
  std::vector<std::string> notes;
  double make_seconds = -1, open_seconds = -1;  // below 0: was there
};

struct BenchmarkReport {
  const BenchmarkSettings& settings;
  const BenchmarkSubject& subject;
  const Config& config;          // of what was measured
  const Config& whole;           // of the whole model, which the sample stands for
  const Model* model = nullptr;  // null: nothing was measured
  const Measurement* measured = nullptr;
};

std::string BenchmarkJson(const BenchmarkReport& report);

}  // namespace finback
