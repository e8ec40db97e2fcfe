// Ctrl-C: stops the answer that is being produced, not the program.
#pragma once

#include <functional>

enum class SecondInterrupt { kEndsProgram, kStopsAgain };

// From now on SIGINT is noted instead of ending the program; a write to a closed pipe is an error
// instead of a signal. Call once.
void InstallInterrupts(SecondInterrupt second);

// Whether Ctrl-C was pressed since the last call.
bool TakeInterrupt();
bool InterruptPending();

// While it lives, Ctrl-C calls `cancel`, on a thread of its own.
class CancelScope {
 public:
  explicit CancelScope(std::function<void()> cancel);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
};
