// What a process that was forked inherits, and what not: memory, but no threads; mutexes as they
// were, whoever held them.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace finback {

// Another number in a forked child than in its parent. Cheap.
uint64_t ProcessGeneration() noexcept;

// While one lives, fork() in another thread waits, for a second at most: around calls of libraries
// with locks of their own, which a child would find taken for ever. Not around callbacks.
class NoFork {
 public:
  NoFork() noexcept;
  ~NoFork();
  NoFork(const NoFork&) = delete;
  NoFork& operator=(const NoFork&) = delete;
};

// A mutex that is free again in a forked child, whoever held it.
class ForkMutex {
 public:
  ForkMutex() noexcept : state_(2 * ProcessGeneration()) {}
  ForkMutex(const ForkMutex&) = delete;
  ForkMutex& operator=(const ForkMutex&) = delete;

  void lock() {
    Renew();
    mutex_.lock();
  }
  bool try_lock() {
    Renew();
    return mutex_.try_lock();
  }
  void unlock() { mutex_.unlock(); }

  // While locked: true, once, when another thread held it at the fork, so that what it guards may
  // have been left half done.
  bool TakeOrphaned() { return orphaned_.exchange(false); }

 private:
  void Renew() {
    const uint64_t now = 2 * ProcessGeneration();
    if (state_.load(std::memory_order_acquire) != now) RenewFor(now);
  }
  void RenewFor(uint64_t now);

  std::mutex mutex_;
  std::atomic<uint64_t> state_;  // 2 * generation; + 1 while a thread of it makes the mutex anew
  std::atomic<bool> orphaned_{false};
};

}  // namespace finback
