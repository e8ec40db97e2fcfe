#include "core/remote/policy/retry.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace finback {
namespace {

// Enough for a burst of failures of every stream that a program is likely to run,
// and then a trickle.
constexpr double kBudgetCapacity = 100;
constexpr double kBudgetPerSecond = 2;

constexpr int kMostDoublings = 20;

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
  // SplitMix64 (Steele, Lea, Flood 2014): its state is a counter, so threads can share it.
  return [state = std::make_shared<std::atomic<uint64_t>>(seed)] {
    constexpr uint64_t kStep = 0x9E3779B97F4A7C15u;
    uint64_t z = state->fetch_add(kStep) + kStep;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  };
}

RetryRules::RetryRules(const RetryPolicy& policy, MonotonicClock clock, Random random)
    : policy_(policy),
      random_(std::move(random)),
      budget_(kBudgetCapacity, kBudgetPerSecond, std::move(clock)) {}

int64_t RetryRules::WaitMs(const Failure& failure, int attempt) const {
  int64_t wait_ms = policy_.base_ms << std::clamp(attempt, 0, kMostDoublings);
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
