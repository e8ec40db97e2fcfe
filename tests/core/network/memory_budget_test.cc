#include "core/network/memory/memory_budget.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/status.h"

namespace finback {
namespace {

TEST(MemoryBudget, TakesAndGivesBack) {
  MemoryBudget budget(100);
  {
    const Reservation first(&budget, 60, "a session");
    EXPECT_EQ(budget.used(), 60u);
    EXPECT_FALSE(Reservation::Try(&budget, 41).taken());
    EXPECT_TRUE(Reservation::Try(&budget, 40).taken());
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudget, RefusesWithTheNumberNeeded) {
  MemoryBudget budget(100);
  const Reservation first(&budget, 60, "a session");
  try {
    const Reservation second(&budget, 50, "a sequence");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBudget);
    EXPECT_STREQ(error.what(),
                 "a sequence needs 50 bytes, and 60 are in use: memory_budget_bytes is 100, "
                 "needed 110; raise it, or free sessions or sequences");
  }
  EXPECT_EQ(budget.used(), 60u);
}

TEST(MemoryBudget, DoesNotWrapAround) {
  MemoryBudget budget(100);
  const Reservation first(&budget, 60, "a session");
  EXPECT_FALSE(budget.TryTake(~uint64_t{0} - 10));
}

TEST(MemoryBudget, HasNoLimitAtZero) {
  MemoryBudget budget(0);
  EXPECT_TRUE(budget.TryTake(uint64_t{1} << 60));
}

TEST(Reservation, IsGivenBackInParts) {
  MemoryBudget budget(100);
  Reservation all(&budget, 60, "a session");
  {
    const Reservation part = all.Split(40);
    EXPECT_EQ(part.bytes(), 40u);
    EXPECT_EQ(all.bytes(), 20u);
    EXPECT_EQ(budget.used(), 60u);
  }
  EXPECT_EQ(budget.used(), 20u);
  {
    const Reservation more = all.Split(50);
    EXPECT_EQ(more.bytes(), 50u);
    EXPECT_EQ(budget.used(), 50u) << "what was missing was taken";
    EXPECT_THROW(all.Split(51), Error);
  }
  EXPECT_EQ(budget.used(), 0u);
  Reservation none;
  EXPECT_FALSE(none.Split(10).taken());
}

TEST(Reservation, MovesItsPart) {
  MemoryBudget budget(100);
  Reservation first(&budget, 60, "a session");
  Reservation second = std::move(first);
  EXPECT_FALSE(first.taken());
  first = std::move(second);
  EXPECT_EQ(first.bytes(), 60u);
  EXPECT_EQ(budget.used(), 60u);
  first = Reservation();
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace finback
