// What an engine is opened with, already validated. capi/options.inc names, bounds and explains
// each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace finback {

enum class PrecisionChoice : uint8_t { kPublished, kBf16, kFloat32 };
enum class LadderChoice : uint8_t { kAuto, kPreview, k0731 };
enum class LogLevel : int32_t { kError = 0, kWarning = 1, kInformation = 2, kDetail = 3 };

// Returns false to stop the work.
using ProgressFunction = std::function<bool(const char* phase, uint64_t done, uint64_t total)>;
using LogFunction = std::function<void(LogLevel level, const char* message)>;

struct EngineOptions {
  std::string model;  // a folder, once the engine is being opened
  PrecisionChoice precision = PrecisionChoice::kPublished;
  int threads = 0;
  int64_t context_tokens = 0;  // 0: kDefaultContextTokens, or the model's limit if that is less
  int32_t chunk_tokens = 256;
  uint64_t memory_budget_bytes = 0;  // 0: no limit
  LadderChoice effort_ladder = LadderChoice::kAuto;
  bool trust_all = false;
  int32_t restore_points = 4;
  ProgressFunction progress;  // may be empty
  LogFunction log;            // may be empty
};

inline constexpr int64_t kDefaultContextTokens = 32768;

}  // namespace finback
