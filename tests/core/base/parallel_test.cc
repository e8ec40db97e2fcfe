#include "core/base/parallel.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

TEST(Parallel, CoversTheRangeOnceInPiecesOfAtMostGrain) {
  for (int threads : {1, 2, 3}) {
    const Parallel parallel(threads);
    EXPECT_EQ(parallel.threads(), threads);
    for (size_t count : {0u, 1u, 2u, 7u, 1000u}) {
      for (size_t grain : {1u, 3u, 64u, 5000u}) {
        std::vector<int> visits(count, 0);
        std::atomic<size_t> longest{0};
        std::atomic<bool> empty_piece{false};
        parallel.For(count, grain, [&](size_t begin, size_t end) {
          if (begin >= end) empty_piece = true;
          size_t seen = longest;
          while (end - begin > seen && !longest.compare_exchange_weak(seen, end - begin)) {
          }
          for (size_t i = begin; i < end; ++i) ++visits[i];
        });
        EXPECT_EQ(visits, std::vector<int>(count, 1)) << threads << " " << count << " " << grain;
        EXPECT_LE(longest, grain);
        EXPECT_FALSE(empty_piece);
      }
    }
  }
}

TEST(Parallel, TreatsAGrainOfZeroAsOne) {
  const Parallel parallel(2);
  std::atomic<int> pieces{0};
  parallel.For(10, 0, [&](size_t, size_t) { ++pieces; });
  EXPECT_EQ(pieces, 10);
}

TEST(Parallel, OneThreadRunsOnTheCaller) {
  const Parallel parallel(1);
  std::set<std::thread::id> ids;
  parallel.For(50, 3, [&](size_t, size_t) { ids.insert(std::this_thread::get_id()); });
  EXPECT_EQ(ids, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(Parallel, SeveralThreadsTakePart) {
  const Parallel parallel(2);
  std::atomic<int> inside{0};
  // Both pieces wait for each other: this returns only if two threads run them.
  parallel.For(2, 1, [&](size_t, size_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
  });
  EXPECT_EQ(inside, 2);
}

TEST(Parallel, CountsTheCallsThatOthersTookPartIn) {
  ForkCount count;
  const Parallel two(2, &count);
  std::atomic<int> inside{0};
  const auto together = [&](size_t, size_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
  };
  two.For(2, 1, together);
  EXPECT_EQ(count.forks, 1u);
  EXPECT_GT(count.time.count(), 0);
  two.For(2, 2, [](size_t, size_t) {});  // a single piece is the caller's
  EXPECT_EQ(count.forks, 1u);
  ForkCount none;
  const Parallel one(1, &none);
  one.For(2, 1, [](size_t, size_t) {});
  EXPECT_EQ(none.forks, 0u);
}

bool IsBlocked(int signal) {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

TEST(Parallel, LeavesTheSignalsOfTheProcessToItsOwnThreads) {
  const Parallel parallel(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> inside{0}, open{0}, closed{0};
  parallel.For(2, 1, [&](size_t, size_t) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
    if (std::this_thread::get_id() == caller) return;
    for (const int signal : {SIGINT, SIGTERM, SIGTSTP, SIGWINCH, SIGUSR1, SIGCHLD}) {
      closed += IsBlocked(signal) ? 1 : 0;
    }
    for (const int signal : {SIGSEGV, SIGBUS, SIGPROF}) open += IsBlocked(signal) ? 0 : 1;
  });
  EXPECT_EQ(closed, 6);
  EXPECT_EQ(open, 3);
  for (const int signal : {SIGINT, SIGWINCH}) EXPECT_FALSE(IsBlocked(signal));
}

TEST(Parallel, WritesOfEveryPieceAreVisibleAfterward) {
  const Parallel parallel(3);
  std::vector<uint32_t> values(10000, 0);
  for (uint32_t round = 1; round <= 50; ++round) {
    parallel.For(values.size(), 100, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) values[i] += round;
    });
  }
  for (uint32_t v : values) ASSERT_EQ(v, 50u * 51u / 2);
}

TEST(Parallel, TakesAStepWhenAllOfTheStepsBeforeAreDone) {
  for (int threads : {1, 2, 5}) {
    const Parallel parallel(threads);
    for (int round = 0; round < 200; ++round) {
      const size_t tasks[] = {17, 0, 1, 40};
      std::vector<int> visits[4];
      for (size_t step = 0; step < 4; ++step) visits[step].assign(tasks[step], 0);
      std::atomic<bool> early{false};
      parallel.ForSteps({17, 0, 1, 40}, [&](size_t step, size_t task, size_t taker) {
        if (taker >= static_cast<size_t>(threads)) early = true;
        for (size_t before = 0; before < step; ++before) {
          for (const int count : visits[before]) {
            if (count != 1) early = true;  // a race where it may be 0 still
          }
        }
        ++visits[step][task];
      });
      EXPECT_FALSE(early);
      for (size_t step = 0; step < 4; ++step) {
        EXPECT_EQ(visits[step], std::vector<int>(tasks[step], 1)) << threads << " " << step;
      }
    }
  }
}

TEST(Parallel, CallersOfOneObjectDoNotWaitForEachOther) {
  for (int threads : {1, 2}) {
    const Parallel parallel(threads);
    std::atomic<int> inside{0};
    const auto call = [&] {
      // Returns only if both callers are in their bodies at the same time.
      std::atomic<bool> first{true};
      parallel.For(2, 1, [&](size_t, size_t) {
        if (!first.exchange(false)) return;
        ++inside;
        while (inside < 2) std::this_thread::yield();
      });
    };
    std::thread other(call);
    call();
    other.join();
    EXPECT_EQ(inside, 2);
  }
}

TEST(Parallel, EveryCallerGetsTheWholeRange) {
  for (int threads : {1, 2}) {
    const Parallel parallel(threads);
    std::vector<size_t> sums(4, 0);
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&, caller] {
        for (int round = 0; round < 50; ++round) {
          std::atomic<size_t> sum{0};
          parallel.For(40, 1, [&](size_t begin, size_t) { sum += begin; });
          sums[caller] += sum;
        }
      });
    }
    for (std::thread& t : callers) t.join();
    EXPECT_EQ(sums, std::vector<size_t>(4, 50u * (39u * 40u / 2)));
  }
}

// Whether the workers are waited for or, late too often, done without: the pieces are the same.
TEST(Parallel, CoversTheRangeWithMoreThreadsThanCores) {
  const Parallel parallel(8 * static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<int> visits(500, 0);
  for (int call = 1; call <= 1000; ++call) {
    std::atomic<size_t> longest{0};
    parallel.For(visits.size(), 7, [&](size_t begin, size_t end) {
      size_t seen = longest;
      while (end - begin > seen && !longest.compare_exchange_weak(seen, end - begin)) {
      }
      for (size_t i = begin; i < end; ++i) ++visits[i];
    });
    ASSERT_EQ(longest, 7u);
    ASSERT_EQ(visits, std::vector<int>(visits.size(), call));
  }
}

TEST(Parallel, ZeroMeansOneThreadPerCore) {
  const Parallel parallel(0);
  EXPECT_EQ(parallel.threads(),
            static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

TEST(Parallel, RefusesAbsurdThreadCounts) {
  for (int threads : {-1, 1025}) {
    try {
      const Parallel parallel(threads);
      ADD_FAILURE() << threads;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(std::to_string(threads)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace finback
