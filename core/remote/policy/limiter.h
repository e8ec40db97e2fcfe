// How many requests run at once for one account and model. The limit adapts: a service's refusal
// lowers it, answers while it is met raise it slowly, up to where it began.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace finback {

class ConcurrencyLimiter {
  struct Gate;

 public:
  // One running request; gives its place back when it goes. One thread's. May outlive the limiter.
  class Lease {
   public:
    Lease() = default;
    ~Lease() { Release(); }
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept;
    explicit operator bool() const { return gate_ != nullptr; }

    // The service answered.
    void Succeeded();
    // The service refused for too many requests; `stated`: the limit that it named, or -1. Of
    // requests that ran together only the first lowers the limit.
    void Limited(int64_t stated);
    void Release();

   private:
    friend class ConcurrencyLimiter;
    Lease(std::shared_ptr<Gate> gate, uint64_t epoch) : gate_(std::move(gate)), epoch_(epoch) {}

    std::shared_ptr<Gate> gate_;
    uint64_t epoch_ = 0;
  };

  struct Wait {
    int64_t timeout_ms = -1;                       // -1: as long as it takes; 0: not at all
    const std::atomic<bool>* cancelled = nullptr;  // looked at every few milliseconds
  };

  struct Usage {
    int64_t limit = 0;  // 0: none
    int64_t running = 0, waiting = 0;
  };

  // Waits for a place, first come, first served. `ceiling`: the limit to begin with and never to
  // exceed, 0: none; that of the first call counts. Throws Error with a Failure's details:
  // kTimeout, kCancelled. Any thread.
  Lease Acquire(const std::string& account, const std::string& model, int32_t ceiling,
                const Wait& wait);
  Usage UsageOf(const std::string& account, const std::string& model) const;

 private:
  using Key = std::pair<std::string, std::string>;

  mutable std::mutex mutex_;  // of the map; each gate has its own
  std::map<Key, std::shared_ptr<Gate>> gates_;
};

}  // namespace finback
