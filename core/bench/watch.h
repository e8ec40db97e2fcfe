// How far a benchmark is, told to whoever waits for it, who may stop it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "core/base/status.h"

namespace finback {

class Watch {
 public:
  using Progress = std::function<bool(const char* phase, uint64_t done, uint64_t total)>;

  explicit Watch(Progress progress) : progress_(std::move(progress)) {}

  // Throws Error(kCancelled) when the work shall stop.
  void Tell(const char* phase, uint64_t done, uint64_t total) {
    phase_ = phase;
    done_ = done;
    total_ = total;
    told_ = Clock::now();
    if (progress_ && !progress_(phase, done, total)) {
      throw Error(Code::kCancelled, "the benchmark was cancelled");
    }
  }

  // The same again, but not so often that it would be felt in what is measured.
  void Poll() {
    if (Clock::now() - told_ > std::chrono::milliseconds(50)) Tell(phase_, done_, total_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  Progress progress_;
  const char* phase_ = "benchmark";
  uint64_t done_ = 0, total_ = 1;
  Clock::time_point told_;
};

}  // namespace finback
