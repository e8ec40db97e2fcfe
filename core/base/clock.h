// Time that only moves forward, passed in so that tests can move it themselves,
// and the time of day.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace finback {

using MonotonicClock = std::function<int64_t()>;  // milliseconds since some fixed instant

inline MonotonicClock SteadyClock() {
  return [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  };
}

inline int64_t UnixMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<int64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace finback
