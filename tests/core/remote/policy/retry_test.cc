#include "core/remote/policy/retry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace finback {
namespace {

using Kind = FailureKind;

class Retry : public testing::Test {
 protected:
  RetryDecision Decide(const Failure& failure, int attempt,
                       Delivered delivered = Delivered::kNothing) {
    return rules_.Decide(failure, attempt, delivered);
  }

  int64_t now_ms_ = 0;
  double random_ = 0;
  RetryRules rules_{{}, [this] { return now_ms_; }, [this] { return random_; }};
};

TEST_F(Retry, RepeatsWhatMayPassAndNothingElse) {
  for (int kind = 0; kind <= static_cast<int>(Kind::kCancelled); ++kind) {
    const Failure failure = MakeFailure(static_cast<Kind>(kind), "");
    EXPECT_EQ(Decide(failure, 0).retry, IsPassing(failure.kind)) << FailureName(failure.kind);
  }
  for (const Kind kind : {Kind::kRateLimit, Kind::kServer, Kind::kOverloaded, Kind::kResource,
                          Kind::kTransport, Kind::kTimeout, Kind::kEmptyResponse}) {
    EXPECT_TRUE(IsPassing(kind)) << FailureName(kind);
  }
}

TEST_F(Retry, WaitsTwiceAsLongEachTimeWithJitter) {
  RetryPolicy policy;
  policy.max_retries = 100;
  RetryRules rules(
      policy, [] { return 0; }, [this] { return random_; });
  const Failure failure = MakeFailure(Kind::kServer, "");
  const int64_t least[] = {375, 750, 1500, 3000, 6000, 6000};
  const int64_t most[] = {500, 1000, 2000, 4000, 8000, 8000};
  for (int attempt = 0; attempt < 6; ++attempt) {
    random_ = 0;
    EXPECT_EQ(rules.Decide(failure, attempt, Delivered::kNothing).wait_ms, least[attempt]);
    random_ = 1 - 0x1p-40;
    EXPECT_NEAR(rules.Decide(failure, attempt, Delivered::kNothing).wait_ms, most[attempt], 1);
  }
  random_ = 0;
  EXPECT_EQ(rules.Decide(failure, 99, Delivered::kNothing).wait_ms, 6000);
}

TEST_F(Retry, WaitsLongerForOverloadedServices) {
  EXPECT_EQ(Decide(MakeFailure(Kind::kOverloaded, ""), 0).wait_ms, 1500);
  EXPECT_EQ(Decide(MakeFailure(Kind::kOverloaded, ""), 1).wait_ms, 3000);
}

TEST_F(Retry, EndsAfterTwoRetries) {
  const Failure failure = MakeFailure(Kind::kTransport, "");
  EXPECT_TRUE(Decide(failure, 0).retry);
  EXPECT_TRUE(Decide(failure, 1).retry);
  EXPECT_FALSE(Decide(failure, 2).retry);
  EXPECT_STREQ(Decide(failure, 2).reason, "no attempts are left");
}

TEST_F(Retry, NeverRepeatsWhatWasDeliveredInPart) {
  const RetryDecision decision = Decide(MakeFailure(Kind::kResource, ""), 0, Delivered::kSome);
  EXPECT_FALSE(decision.retry);
  EXPECT_STREQ(decision.reason, "a part of the answer was delivered");
}

TEST_F(Retry, HonoursWhatTheServiceAsksForUpToAMinute) {
  Failure failure = MakeFailure(Kind::kRateLimit, "");
  const std::pair<int64_t, int64_t> waits[] = {
      {-1, 375}, {0, 375}, {374, 375}, {20'000, 20'000}, {60'000, 60'000}};
  for (const auto& [asked_ms, wait_ms] : waits) {
    failure.retry_after_ms = asked_ms;
    const RetryDecision decision = Decide(failure, 0);
    EXPECT_TRUE(decision.retry);
    EXPECT_EQ(decision.wait_ms, wait_ms);
  }
  failure.retry_after_ms = 60'001;
  EXPECT_FALSE(Decide(failure, 0).retry);
  EXPECT_STREQ(Decide(failure, 0).reason, "the service asks for a longer wait");
}

TEST_F(Retry, HoldsStormsBack) {
  const Failure failure = MakeFailure(Kind::kServer, "");
  int retries = 0;
  while (retries < 1000 && Decide(failure, 0).retry) ++retries;
  EXPECT_EQ(retries, 100);
  EXPECT_STREQ(Decide(failure, 0).reason, "too many retries of late");
  now_ms_ += 499;
  EXPECT_FALSE(Decide(failure, 0).retry);
  now_ms_ += 1;
  EXPECT_TRUE(Decide(failure, 0).retry);
  EXPECT_FALSE(Decide(failure, 0).retry);
}

TEST(RetryBudget, NeverHoldsMoreThanItsCapacity) {
  int64_t now_ms = 0;
  RetryBudget budget(2, 1, [&] { return now_ms; });
  now_ms = 1'000'000;
  EXPECT_TRUE(budget.Take());
  EXPECT_TRUE(budget.Take());
  EXPECT_FALSE(budget.Take());
  now_ms = 0;  // a clock that goes back gives nothing
  EXPECT_FALSE(budget.Take());
}

TEST(RetryBudget, IsSharedByThreads) {
  RetryBudget budget(1000, 0, [] { return 0; });
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) taken += budget.Take();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

TEST(RetryRules, DrawsJitterEvenly) {
  const RetryRules::Random random = RetryRules::DefaultRandom();
  int quarters[4] = {};
  for (int i = 0; i < 4000; ++i) {
    const double value = random();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    ++quarters[static_cast<int>(value * 4)];
  }
  for (const int count : quarters) EXPECT_NEAR(count, 1000, 200);
}

}  // namespace
}  // namespace finback
