// Whether and when a request that failed is sent again.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "core/base/clock.h"
#include "core/remote/transport/failure.h"

namespace finback {

struct RetryPolicy {
  int max_retries = 2;
  int64_t base_ms = 500, most_ms = 8000;  // base_ms * 2^attempt, at most most_ms
  int64_t overloaded_factor = 4;          // of base_ms, where the service is overloaded
  double least_jitter = 0.75;             // the wait is multiplied by [least_jitter, 1)
  int64_t most_retry_after_ms = 60'000;   // a service that asks for more is not asked again
};

// Retries that all streams of an engine may spend together: a bucket that fills with time, so that
// a service in trouble is not met with a multiple of its load. Any thread.
class RetryBudget {
 public:
  RetryBudget(double capacity, double per_second, MonotonicClock clock);
  bool Take();

 private:
  const double capacity_, per_ms_;
  const MonotonicClock clock_;
  std::mutex mutex_;
  double tokens_;
  int64_t filled_ms_;
};

enum class Delivered : uint8_t { kNothing, kSome };

struct RetryDecision {
  bool retry = false;
  int64_t wait_ms = 0;      // before the next attempt
  const char* reason = "";  // why not
};

// An engine's. Any thread.
class RetryRules {
 public:
  using Random = std::function<double()>;  // uniform in [0, 1), from any thread
  static Random DefaultRandom();

  explicit RetryRules(const RetryPolicy& policy, MonotonicClock clock = SteadyClock(),
                      Random random = DefaultRandom());

  // `attempt` counts from 0. Something delivered is never taken back: no retry then. A decision to
  // retry spends budget.
  RetryDecision Decide(const Failure& failure, int attempt, Delivered delivered);

 private:
  int64_t WaitMs(const Failure& failure, int attempt) const;

  const RetryPolicy policy_;
  const Random random_;
  RetryBudget budget_;
};

}  // namespace finback
