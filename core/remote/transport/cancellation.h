// How one thread stops what another waits for: a transfer, a pause between attempts,
// a turn at the limiter.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/remote/transport/http.h"

namespace finback {

class Cancellation {
 public:
  // Any thread, any number of times; never blocks for longer than the others hold the lock.
  void Cancel() noexcept;
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  const std::atomic<bool>& flag() const { return cancelled_; }

  // The transfer that Cancel reaches from now on; nullptr: none. One that is attached too late is
  // cancelled at once.
  void Attach(HttpTransfer* transfer);

  // Waits; false if it was cancelled.
  bool Sleep(int64_t milliseconds);

  // Throws the failure kCancelled if it was.
  void Check() const;

 private:
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  HttpTransfer* transfer_ = nullptr;
};

}  // namespace finback
