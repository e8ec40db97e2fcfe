// Blocks of entries: taken as a list grows, shared without a copy, written by one alone.
#include "core/network/memory/blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr BlockList::Shape kShape{24, 3};  // 8 entries of 24 bytes
constexpr size_t kCapacity = 100;

BlockList NewList() {
  Reserve reserve(Reserve::Mode::kTake);
  BlockList list;
  list.Prepare(kShape, kCapacity, &reserve);
  return list;
}

// Charges what is needed, as sequences do.
void Grow(const BlockList::Range& range, MemoryBudget* budget, BlockList* list) {
  Reservation charged(budget, list->Needed(range), "a list");
  list->Grow(range, &charged);
  EXPECT_EQ(charged.bytes(), 0u) << "as many bytes as Needed() says";
}

void Write(size_t begin, size_t end, uint8_t salt, BlockList* list) {
  for (size_t i = begin; i < end; ++i) {
    memset(list->At(i), static_cast<uint8_t>(i * 3 + salt), kShape.entry_bytes);
  }
}

void Append(size_t count, uint8_t salt, MemoryBudget* budget, BlockList* list, size_t* size) {
  Grow({*size, *size, *size + count}, budget, list);
  Write(*size, *size + count, salt, list);
  *size += count;
}

testing::AssertionResult Holds(const BlockList& list, size_t begin, size_t end, uint8_t salt) {
  for (size_t i = begin; i < end; ++i) {
    for (size_t byte = 0; byte < kShape.entry_bytes; ++byte) {
      if (list.At(i)[byte] != static_cast<uint8_t>(i * 3 + salt)) {
        return testing::AssertionFailure() << "entry " << i << " byte " << byte;
      }
    }
  }
  return testing::AssertionSuccess();
}

TEST(BlockList, PlansAllBlocksOfItsCapacity) {
  Reserve reserve(Reserve::Mode::kCount);
  BlockList list;
  list.Prepare(kShape, kCapacity, &reserve);
  EXPECT_EQ(reserve.later(), 13 * BlockList::BlockBytes(kShape));
  EXPECT_GT(BlockList::BlockBytes(kShape), 8u * 24);
}

TEST(BlockList, TakesTheBlocksThatItsEntriesNeed) {
  MemoryBudget budget(0);
  BlockList list = NewList();
  size_t size = 0;
  Append(3, 0, &budget, &list, &size);
  EXPECT_EQ(list.blocks(), 1u);
  Append(5, 0, &budget, &list, &size);
  EXPECT_EQ(list.blocks(), 1u);
  Append(1, 0, &budget, &list, &size);
  EXPECT_EQ(list.blocks(), 2u);
  Append(91, 0, &budget, &list, &size);
  EXPECT_EQ(budget.used(), 13 * BlockList::BlockBytes(kShape));
  EXPECT_TRUE(Holds(list, 0, size, 0));
  list.Cut(17);
  EXPECT_EQ(budget.used(), 3 * BlockList::BlockBytes(kShape));
  EXPECT_TRUE(Holds(list, 0, 17, 0));
  list.Cut(16);
  EXPECT_EQ(budget.used(), 2 * BlockList::BlockBytes(kShape));
  list.Cut(0);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(BlockList, RunsEndWhereBlocksDo) {
  MemoryBudget budget(0);
  BlockList list = NewList();
  size_t size = 0;
  Append(30, 0, &budget, &list, &size);
  for (size_t i = 0; i < size; ++i) {
    ASSERT_EQ(list.RunEnd(i), (i / 8 + 1) * 8);
    if (i + 1 < list.RunEnd(i)) {
      ASSERT_EQ(list.At(i) + kShape.entry_bytes, list.At(i + 1));
    }
  }
}

TEST(BlockList, SharesWithoutACopyAndWithoutACharge) {
  MemoryBudget budget(0);
  BlockList list = NewList(), other = NewList();
  size_t size = 0;
  Append(20, 0, &budget, &list, &size);
  const uint64_t used = budget.used();
  other.Share(list, 13);
  EXPECT_EQ(budget.used(), used);
  EXPECT_EQ(other.blocks(), 2u);
  for (size_t i = 0; i < 13; ++i) ASSERT_EQ(other.At(i), std::as_const(list).At(i));
}

TEST(BlockList, AppendsToACopyOfASharedBlock) {
  MemoryBudget budget(0);
  BlockList list = NewList(), other = NewList();
  size_t size = 0;
  Append(20, 0, &budget, &list, &size);
  other.Share(list, 13);
  size_t of_other = 13;
  Append(10, 100, &budget, &other, &of_other);
  EXPECT_TRUE(Holds(list, 0, 20, 0));
  EXPECT_TRUE(Holds(other, 0, 13, 0));
  EXPECT_TRUE(Holds(other, 13, 23, 100));
  EXPECT_EQ(other.At(7), std::as_const(list).At(7)) << "what is full stays shared";
  // The first list's second block is its own again.
  const uint8_t* place = list.At(13);
  Grow({13, 13, 20}, &budget, &list);
  EXPECT_EQ(list.At(13), place);
  // Three of each, of which the first is one.
  EXPECT_EQ(budget.used(), 5 * BlockList::BlockBytes(kShape));
}

TEST(BlockList, OneMayAppendBehindWhatIsShared) {
  MemoryBudget budget(0);
  BlockList list = NewList(), other = NewList();
  size_t size = 0, of_other = 20;
  Append(20, 0, &budget, &list, &size);
  other.Share(list, 20);
  const uint64_t used = budget.used();
  Append(3, 50, &budget, &list, &size);
  EXPECT_EQ(budget.used(), used) << "in place";
  EXPECT_EQ(other.At(19) + kShape.entry_bytes, list.At(20));
  Append(4, 100, &budget, &other, &of_other);
  EXPECT_EQ(budget.used(), used + BlockList::BlockBytes(kShape)) << "the place was taken";
  EXPECT_TRUE(Holds(list, 0, 20, 0) && Holds(list, 20, 23, 50));
  EXPECT_TRUE(Holds(other, 0, 20, 0) && Holds(other, 20, 24, 100));
}

TEST(BlockList, WhoGoesBackWritesNothingThatOthersHold) {
  MemoryBudget budget(0);
  BlockList list = NewList(), other = NewList(), third = NewList();
  size_t size = 0;
  Append(20, 0, &budget, &list, &size);
  other.Share(list, 20);
  Append(3, 0, &budget, &list, &size);
  third.Share(list, 23);
  for (const size_t back : {22, 20, 18}) {
    size = back;
    list.Cut(size);
    Append(2, 77, &budget, &list, &size);
    EXPECT_TRUE(Holds(other, 0, 20, 0)) << "after going back to " << back;
    EXPECT_TRUE(Holds(third, 0, 23, 0)) << "after going back to " << back;
  }
}

TEST(BlockList, GivesBackWhatNobodyHolds) {
  MemoryBudget budget(0);
  {
    BlockList other = NewList();
    {
      BlockList list = NewList();
      size_t size = 0;
      Append(20, 7, &budget, &list, &size);
      other.Share(list, 20);
    }
    EXPECT_EQ(budget.used(), 3 * BlockList::BlockBytes(kShape));
    EXPECT_TRUE(Holds(other, 0, 20, 7));
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(BlockList, KeepsWhatItIsToldWhereAllIsWrittenAgain) {
  MemoryBudget budget(0);
  BlockList list = NewList(), other = NewList();
  size_t size = 0;
  Append(20, 0, &budget, &list, &size);
  other.Share(list, 20);
  Grow({20, 0, 30}, &budget, &other);
  EXPECT_TRUE(Holds(other, 0, 20, 0));
  EXPECT_NE(other.At(0), list.At(0));
}

TEST(BlockList, IsSharedByListsOfSeveralThreads) {
  MemoryBudget budget(0);
  {
    BlockList trunk = NewList();
    size_t size = 0;
    Append(50, 0, &budget, &trunk, &size);
    std::vector<std::thread> threads;
    std::vector<BlockList> forks;
    for (int i = 0; i < 4; ++i) {
      forks.push_back(NewList());
      forks.back().Share(trunk, 45 + static_cast<size_t>(i));
    }
    for (size_t i = 0; i < forks.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 50; ++round) {
          BlockList mine = NewList();
          mine.Share(forks[i], 45 + i);
          size_t at = 45 + i;
          Append(20, static_cast<uint8_t>(round + 1), &budget, &mine, &at);
          EXPECT_TRUE(Holds(mine, 0, 45 + i, 0));
          EXPECT_TRUE(Holds(mine, 45 + i, at, static_cast<uint8_t>(round + 1)));
        }
      });
    }
    Append(14, 9, &budget, &trunk, &size);  // while the others read and append
    EXPECT_TRUE(Holds(trunk, 50, 64, 9));
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(Holds(trunk, 0, 50, 0));
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace finback
