#include "core/remote/policy/limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "core/remote/transport/failure.h"

namespace finback {
namespace {

using Lease = ConcurrencyLimiter::Lease;

class Limiter : public testing::Test {
 protected:
  Lease Acquire(int32_t ceiling, ConcurrencyLimiter::Wait wait = {.timeout_ms = 0}) {
    return limiter_.Acquire("key", "model", ceiling, wait);
  }
  std::vector<Lease> Fill(int count, int32_t ceiling) {
    std::vector<Lease> leases;
    for (int i = 0; i < count; ++i) leases.push_back(Acquire(ceiling));
    return leases;
  }
  bool IsFull() {
    try {
      Acquire(0);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kTimeout);
      return true;
    }
    return false;
  }
  ConcurrencyLimiter::Usage usage() const { return limiter_.UsageOf("key", "model"); }
  void AwaitWaiting(int64_t count) {
    while (usage().waiting != count) std::this_thread::yield();
  }

  ConcurrencyLimiter limiter_;
};

TEST_F(Limiter, AdmitsUpToTheCeiling) {
  std::vector<Lease> leases = Fill(3, 3);
  EXPECT_TRUE(IsFull());
  EXPECT_EQ(usage().limit, 3);
  EXPECT_EQ(usage().running, 3);
  leases.pop_back();
  EXPECT_FALSE(IsFull());
  EXPECT_EQ(usage().running, 2);
}

TEST_F(Limiter, CountsAccountsAndModelsApart) {
  const Lease lease = Acquire(1);
  EXPECT_TRUE(IsFull());
  EXPECT_TRUE(limiter_.Acquire("other", "model", 1, {.timeout_ms = 0}));
  EXPECT_TRUE(limiter_.Acquire("key", "other", 1, {.timeout_ms = 0}));
  EXPECT_EQ(limiter_.UsageOf("nobody", "model").running, 0);
}

TEST_F(Limiter, HasNoLimitUntilTheServiceShowsOne) {
  std::vector<Lease> leases = Fill(1000, 0);
  EXPECT_EQ(usage().limit, 0);
  leases.back().Limited(-1);
  EXPECT_EQ(usage().limit, 750);
  EXPECT_TRUE(IsFull());
}

TEST_F(Limiter, GivesALeaseBackOnce) {
  Lease first = Acquire(2);
  Lease second = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
  EXPECT_EQ(usage().running, 1);
  first = Acquire(2);
  first = std::move(second);
  EXPECT_EQ(usage().running, 1);
  Lease& same = first;
  first = std::move(same);
  EXPECT_EQ(usage().running, 1);
  first.Release();
  first.Release();
  first.Succeeded();
  first.Limited(3);
  EXPECT_EQ(usage().running, 0);
  EXPECT_EQ(usage().limit, 2);
}

TEST_F(Limiter, TakesTheStatedLimitLessATenth) {
  std::vector<Lease> leases = Fill(40, 500);
  leases[0].Limited(39);
  EXPECT_EQ(usage().limit, 35);
  leases[1].Limited(39);
  leases[2].Limited(39);
  EXPECT_EQ(usage().limit, 35);
  leases[3].Limited(20);
  EXPECT_EQ(usage().limit, 18);
  leases[4].Limited(1);
  EXPECT_EQ(usage().limit, 1);
}

TEST_F(Limiter, BacksOffByAQuarterOncePerBurst) {
  std::vector<Lease> leases = Fill(40, 40);
  for (Lease& lease : leases) lease.Limited(-1);
  EXPECT_EQ(usage().limit, 30);
  leases.clear();
  leases = Fill(30, 40);
  leases[0].Limited(-1);
  EXPECT_EQ(usage().limit, 22);
  for (int i = 0; i < 50; ++i) {
    leases.clear();
    leases = Fill(1, 40);
    leases[0].Limited(-1);
  }
  EXPECT_EQ(usage().limit, 1);
}

TEST_F(Limiter, BacksOffWhenAStatedLimitIsNoLower) {
  std::vector<Lease> leases = Fill(20, 20);
  leases[0].Limited(100);
  EXPECT_EQ(usage().limit, 15);
  leases[1].Limited(100);
  EXPECT_EQ(usage().limit, 15);
}

TEST_F(Limiter, GrowsByOneForEachRoundOfAnswers) {
  std::vector<Lease> leases = Fill(10, 10);
  leases[0].Limited(6);
  leases.clear();
  ASSERT_EQ(usage().limit, 5);
  int answers = 0;
  while (usage().limit == 5 && answers < 100) {
    leases.clear();
    leases = Fill(5, 10);
    leases[0].Succeeded();
    ++answers;
  }
  EXPECT_NEAR(answers, 5, 1);
  while (answers < 1000) {
    leases.clear();
    leases = Fill(static_cast<int>(usage().limit), 10);
    leases[0].Succeeded();
    ++answers;
  }
  EXPECT_EQ(usage().limit, 10);
}

TEST_F(Limiter, DoesNotGrowWhileTheLimitIsNotMet) {
  std::vector<Lease> leases = Fill(10, 10);
  leases[0].Limited(6);
  leases.clear();
  leases = Fill(3, 10);
  for (int i = 0; i < 100; ++i) leases[0].Succeeded();
  EXPECT_EQ(usage().limit, 5);
}

TEST_F(Limiter, AdmitsInOrderOfArrival) {
  Lease held = Acquire(1);
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Lease lease = Acquire(1, {});
      order.push_back(i);  // one at a time, as the limit is 1
    });
    AwaitWaiting(i + 1);
  }
  EXPECT_TRUE(IsFull());
  held.Release();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(usage().running, 0);
}

TEST_F(Limiter, CancelsOneWaiterAndKeepsTheOthers) {
  Lease held = Acquire(1);
  std::atomic<bool> cancel = false;
  Code code = Code::kOk;
  bool admitted = false;
  std::thread first([&] {
    try {
      Acquire(1, {.cancelled = &cancel});
    } catch (const Error& error) {
      code = error.code();
    }
  });
  AwaitWaiting(1);
  std::thread second([&] { admitted = static_cast<bool>(Acquire(1, {})); });
  AwaitWaiting(2);
  cancel = true;
  first.join();
  EXPECT_EQ(code, Code::kCancelled);
  EXPECT_EQ(usage().waiting, 1);
  held.Release();
  second.join();
  EXPECT_TRUE(admitted);
}

TEST_F(Limiter, EndsAWaitThatIsTooLong) {
  const Lease held = Acquire(1);
  try {
    Acquire(1, {.timeout_ms = 30});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout);
    const Failure failure = FailureOf(error);
    EXPECT_FALSE(failure.retryable);
    EXPECT_NE(failure.message.find("30 ms passed"), std::string::npos) << failure.message;
  }
  EXPECT_EQ(usage().waiting, 0);
}

TEST_F(Limiter, AdmitsWaitersWhenTheLimitGrows) {
  std::vector<Lease> leases = Fill(2, 2);
  leases[0].Limited(1);
  leases[1].Release();
  std::thread waiter([&] { Acquire(2, {}); });
  AwaitWaiting(1);
  leases[0].Succeeded();  // 1 + 1/1
  waiter.join();
  EXPECT_EQ(usage().limit, 2);
}

TEST(ConcurrencyLimiter, MayGoBeforeItsLeases) {
  Lease lease;
  {
    ConcurrencyLimiter limiter;
    lease = limiter.Acquire("key", "model", 1, {});
  }
  lease.Succeeded();
  lease.Release();
  EXPECT_FALSE(lease);
}

TEST(ConcurrencyLimiter, NeverExceedsItsLimitUnderContention) {
  ConcurrencyLimiter limiter;
  std::atomic<int> running = 0, most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 300; ++n) {
        Lease lease = limiter.Acquire("key", "model", 3, {});
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        if (n % 50 == i) lease.Limited(-1);
        lease.Succeeded();
        --running;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(limiter.UsageOf("key", "model").running, 0);
  EXPECT_EQ(limiter.UsageOf("key", "model").waiting, 0);
}

}  // namespace
}  // namespace finback
