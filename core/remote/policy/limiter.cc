#include "core/remote/policy/limiter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <list>

#include "core/remote/transport/failure.h"

namespace finback {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr double kNoLimit = 1e9;
constexpr double kBackOff = 0.75;
constexpr double kOfStated = 0.9;  // others may use the account too
constexpr milliseconds kPollInterval(10);
constexpr int64_t kMaxWaitMs = int64_t{365} * 24 * 3600 * 1000;

[[noreturn]] void ThrowNotAdmitted(FailureKind kind, int64_t timeout_ms, double limit) {
  std::string detail;
  if (kind == FailureKind::kTimeout) {
    detail = Format("%lld ms passed while %.0f other requests, the most at once, were running",
                    static_cast<long long>(timeout_ms), limit);
  }
  Failure failure = MakeFailure(kind, detail);
  failure.retryable = false;
  ThrowFailure(failure);
}

}  // namespace

// Invariant: nobody waits while a place is free.
struct ConcurrencyLimiter::Gate {
  struct Waiter {
    std::condition_variable admission;
    bool admitted = false;
    uint64_t epoch = 0;  // when it was admitted
  };

  explicit Gate(int32_t ceiling_of_service)
      : ceiling(ceiling_of_service > 0 ? ceiling_of_service : kNoLimit), limit(ceiling) {}

  bool HasPlace() const { return static_cast<double>(running + 1) <= limit; }

  // Hands free places to those who wait longest. The lock is held, so a waiter cannot go away
  // before its condition variable was used.
  void Admit() {
    while (!queue.empty() && HasPlace()) {
      Waiter* first = queue.front();
      queue.pop_front();
      ++running;
      first->admitted = true;
      first->epoch = epoch;
      first->admission.notify_one();
    }
  }

  std::mutex mutex;
  const double ceiling;
  double limit;
  int64_t running = 0;
  uint64_t epoch = 0;  // how often the limit was lowered
  std::list<Waiter*> queue;
};

ConcurrencyLimiter::Lease& ConcurrencyLimiter::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Release();
    gate_ = std::move(other.gate_);
    epoch_ = other.epoch_;
  }
  return *this;
}

void ConcurrencyLimiter::Lease::Succeeded() {
  if (gate_ == nullptr) return;
  const std::lock_guard lock(gate_->mutex);
  // An answer says nothing about a limit that was not met.
  if (gate_->HasPlace()) return;
  gate_->limit = std::min(gate_->ceiling, gate_->limit + 1 / gate_->limit);
  gate_->Admit();
}

void ConcurrencyLimiter::Lease::Limited(int64_t stated) {
  if (gate_ == nullptr) return;
  const std::lock_guard lock(gate_->mutex);
  const double wanted = std::max(std::floor(static_cast<double>(stated) * kOfStated), 1.0);
  if (stated > 0 && wanted < gate_->limit) {
    gate_->limit = wanted;
  } else if (epoch_ == gate_->epoch) {
    const double tried = std::min(gate_->limit, static_cast<double>(gate_->running));
    gate_->limit = std::max(tried * kBackOff, 1.0);
  } else {
    return;
  }
  ++gate_->epoch;
}

void ConcurrencyLimiter::Lease::Release() {
  const std::shared_ptr<Gate> gate = std::move(gate_);
  if (gate == nullptr) return;
  const std::lock_guard lock(gate->mutex);
  --gate->running;
  gate->Admit();
}

ConcurrencyLimiter::Lease ConcurrencyLimiter::Acquire(const std::string& account,
                                                      const std::string& model, int32_t ceiling,
                                                      const Wait& wait) {
  std::shared_ptr<Gate> gate;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Gate>& found = gates_[Key(account, model)];
    if (found == nullptr) found = std::make_shared<Gate>(ceiling);
    gate = found;
  }
  std::unique_lock lock(gate->mutex);
  if (gate->queue.empty() && gate->HasPlace()) {
    ++gate->running;
    return Lease(gate, gate->epoch);
  }

  const int64_t timeout_ms =
      wait.timeout_ms < 0 ? kMaxWaitMs : std::min(wait.timeout_ms, kMaxWaitMs);
  const auto end = steady_clock::now() + milliseconds(timeout_ms);
  Gate::Waiter waiter;
  gate->queue.push_back(&waiter);
  while (!waiter.admitted) {
    const bool cancelled = wait.cancelled != nullptr && wait.cancelled->load();
    if (cancelled || steady_clock::now() >= end) {
      gate->queue.remove(&waiter);
      const double limit = std::floor(gate->limit);
      lock.unlock();
      ThrowNotAdmitted(cancelled ? FailureKind::kCancelled : FailureKind::kTimeout, timeout_ms,
                       limit);
    }
    const auto until =
        wait.cancelled == nullptr ? end : std::min(end, steady_clock::now() + kPollInterval);
    waiter.admission.wait_until(lock, until);
  }
  return Lease(gate, waiter.epoch);
}

ConcurrencyLimiter::Usage ConcurrencyLimiter::UsageOf(const std::string& account,
                                                      const std::string& model) const {
  const std::lock_guard map_lock(mutex_);
  const auto found = gates_.find(Key(account, model));
  if (found == gates_.end()) return {};
  Gate& gate = *found->second;
  const std::lock_guard lock(gate.mutex);
  Usage usage;
  usage.limit = gate.limit >= kNoLimit ? 0 : static_cast<int64_t>(gate.limit);
  usage.running = gate.running;
  usage.waiting = static_cast<int64_t>(gate.queue.size());
  return usage;
}

}  // namespace finback
