// What one thread waits at and others ring. A ring that comes first is not lost.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace finback {

class Doorbell {
 public:
  // Whoever waits may go on, and take the bell with it, before this returns.
  void Ring() {
    const std::lock_guard<std::mutex> lock(mutex_);
    rung_ = true;
    heard_.notify_one();
  }

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    heard_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

  void WaitUntil(std::chrono::steady_clock::time_point until) {
    std::unique_lock<std::mutex> lock(mutex_);
    heard_.wait_until(lock, until, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable heard_;
  bool rung_ = false;
};

}  // namespace finback
