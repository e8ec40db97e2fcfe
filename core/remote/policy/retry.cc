#include "core/remote/policy/retry.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "core/base/random.h"

namespace finback {
namespace {

// Enough for a burst of failures of every stream that a program is likely to run,
// and then a trickle.
constexpr double kBudgetCapacity = 100;
constexpr double kBudgetPerSecond = 2;

constexpr int kMaxDoublings = 20;

}  // namespace

RetryBudget::RetryBudget(double capacity, double per_second, MonotonicClock clock)
    : capacity_(capacity),
      per_ms_(per_second / 1000),
      clock_(std::move(clock)),
      tokens_(capacity),
      filled_ms_(clock_()) {}

bool RetryBudget::Take() {
  const std::lock_guard lock(mutex_);
  const int64_t now_ms = clock_();
  const double elapsed_ms = static_cast<double>(std::max<int64_t>(now_ms - filled_ms_, 0));
  tokens_ = std::min(capacity_, tokens_ + elapsed_ms * per_ms_);
  filled_ms_ = now_ms;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

RetryRules::Random RetryRules::DefaultRandom() {
  const auto seed =
      static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return [counter = std::make_shared<std::atomic<uint64_t>>(seed)] {
    return UniformOf(SplitMix(counter->fetch_add(kSplitMixStep) + kSplitMixStep));
  };
}

RetryRules::RetryRules(const RetryPolicy& policy, MonotonicClock clock, Random random)
    : policy_(policy),
      random_(std::move(random)),
      budget_(kBudgetCapacity, kBudgetPerSecond, std::move(clock)) {}

int64_t RetryRules::WaitMs(const Failure& failure, int attempt) const {
  int64_t wait_ms = policy_.base_ms << std::clamp(attempt, 0, kMaxDoublings);
  if (failure.kind == FailureKind::kOverloaded) wait_ms *= policy_.overloaded_factor;
  wait_ms = std::min(wait_ms, policy_.most_ms);
  const double jitter = policy_.least_jitter + (1 - policy_.least_jitter) * random_();
  return std::max(static_cast<int64_t>(static_cast<double>(wait_ms) * jitter),
                  failure.retry_after_ms);
}

RetryDecision RetryRules::Decide(const Failure& failure, int attempt, Delivered delivered) {
  if (!failure.retryable) return {.reason = "the same request would fail again"};
  if (delivered == Delivered::kSome) return {.reason = "a part of the answer was delivered"};
  if (attempt >= policy_.max_retries) return {.reason = "no attempts are left"};
  if (failure.retry_after_ms > policy_.most_retry_after_ms) {
    return {.reason = "the service asks for a longer wait"};
  }
  if (!budget_.Take()) return {.reason = "too many retries of late"};
  return {.retry = true, .wait_ms = WaitMs(failure, attempt)};
}

}  // namespace finback
