// One line about long work on standard error, if that is a terminal: drawn late, redrawn seldom,
// gone when the work is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { Clear(); }

  void Update(const char* phase, uint64_t done, uint64_t total);
  void Clear();

  // For finback_options_set_progress(): `user_data` is a ProgressLine. Asks to stop after Ctrl-C.
  static int32_t Callback(const char* phase, uint64_t done, uint64_t total, void* user_data);

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  bool drawn_ = false;
  std::string phase_;
  uint64_t first_ = 0;  // done when the phase began
  Clock::time_point began_, redrawn_;
};
