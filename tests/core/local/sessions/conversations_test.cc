#include "core/local/sessions/conversations.h"

#include <gtest/gtest.h>

#include "tests/core/network/token_ids.h"

namespace finback {
namespace {

constexpr uint64_t kCopied = 1000, kPerToken = 10;

std::vector<int32_t> SomeIds(size_t count, uint64_t seed) { return RandomIds(count, seed, 1000); }

class ConversationsTest : public testing::Test {
 protected:
  // Marks without a memory: what is looked at here are their ids and checkpoints.
  SharedMark Keep(const std::vector<int32_t>& ids, const std::vector<size_t>& checkpoints = {},
                  Conversations::Owner owner = nullptr) {
    SequenceMark mark;
    mark.ids = ids;
    for (const size_t position : checkpoints) mark.checkpoints.push_back({position, {}});
    return conversations.Keep(std::move(mark), Reservation(&budget, kCopied, "a mark"),
                              {owner, false, kCopied + kPerToken * ids.size()});
  }
  // Whether a prompt that goes on from it would find it.
  bool Has(const std::vector<int32_t>& ids) { return conversations.Find(ids).tokens == ids.size(); }

  MemoryBudget budget{0};
  Conversations conversations{&budget, {3, 0}};
};

TEST_F(ConversationsTest, FindsTheLongestThatCanBeGoneOnFrom) {
  const std::vector<int32_t> head = SomeIds(100, 1);
  const std::vector<int32_t> one = Joined(head, SomeIds(50, 2)), two = Joined(head, SomeIds(9, 3));
  Keep(one, {64, 100});
  Keep(two, {64});
  EXPECT_EQ(conversations.Find(Joined(one, {1, 2})).tokens, 150u);
  EXPECT_EQ(conversations.Find(Joined(two, {1, 2})).tokens, 109u);
  const Conversations::Found found = conversations.Find(Joined(head, SomeIds(9, 4)));
  EXPECT_EQ(found.tokens, 100u);
  EXPECT_GE(found.nearest, 100u);
  EXPECT_EQ(found.mark->ids, one);
  EXPECT_EQ(conversations.Find(SomeIds(200, 5)).mark, nullptr);
}

TEST_F(ConversationsTest, WhatGoesOnTakesThePlaceOfWhatItGoesOnFrom) {
  const std::vector<int32_t> one = SomeIds(100, 1), more = Joined(one, SomeIds(10, 2));
  Keep(one);
  Keep(more);
  EXPECT_EQ(conversations.size(), 1u);
  Keep(one, {}, this);
  EXPECT_EQ(conversations.size(), 2u) << "of another owner, who may be gone earlier";
  conversations.Forget(this);
  EXPECT_EQ(conversations.size(), 1u);
  EXPECT_TRUE(Has(more));
  EXPECT_EQ(budget.used(), kCopied);
}

TEST_F(ConversationsTest, WhatAnotherHasIsNotKeptTwice) {
  const std::vector<int32_t> one = SomeIds(100, 1);
  Keep(one, {60});
  const std::vector<int32_t> beginning(one.begin(), one.begin() + 60);
  EXPECT_NE(Keep(beginning), nullptr) << "the caller has it";
  EXPECT_EQ(conversations.size(), 1u);
  Keep({one.begin(), one.begin() + 70});
  EXPECT_EQ(conversations.size(), 2u) << "nobody can go back to its end";
}

TEST_F(ConversationsTest, SideRequestsDoNotDriveOutTheMainConversation) {
  std::vector<int32_t> main = SomeIds(5000, 1);
  Keep(main);
  for (uint64_t i = 0; i < 20; ++i) {
    conversations.Find(main);
    main = Joined(main, SomeIds(100, 100 + i));
    Keep(main);
  }
  for (uint64_t i = 0; i < 40; ++i) {
    const std::vector<int32_t> side = SomeIds(300, 200 + i);
    conversations.Find(side);
    Keep(side);
    EXPECT_EQ(conversations.size(), std::min<size_t>(3, i + 2));
  }
  EXPECT_TRUE(Has(main));
}

TEST_F(ConversationsTest, WhatIsLeftOfEarlierTurnsGoesBeforeOthers) {
  const std::vector<int32_t> head = SomeIds(5000, 1), other = SomeIds(2000, 2);
  Keep(other);
  std::vector<int32_t> last;
  for (uint64_t i = 0; i < 5; ++i) {  // each turn drops the last one's reasoning
    last = Joined(head, SomeIds(100, 3 + i));
    conversations.Find(last);
    Keep(last);
  }
  EXPECT_TRUE(Has(other));
  EXPECT_TRUE(Has(last));
}

TEST_F(ConversationsTest, WhatNobodyAsksForGoesInTheEnd) {
  const std::vector<int32_t> old = SomeIds(3000, 1);
  Keep(old);
  for (uint64_t i = 0; i < 10; ++i) {
    const std::vector<int32_t> fresh = SomeIds(1000, 10 + i);
    for (int others = 0; others < 5; ++others) conversations.Find(SomeIds(10, 5));
    Keep(fresh);
  }
  EXPECT_FALSE(Has(old));
}

TEST_F(ConversationsTest, GiveWayWhereMemoryIsShort) {
  MemoryBudget tight(2 * kCopied);
  Conversations few(&tight, {3, 0});
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SequenceMark mark;
    mark.ids = SomeIds(100, seed);
    few.Keep(std::move(mark), Reservation(&tight, kCopied, "a mark"), {});
  }
  EXPECT_EQ(few.size(), 2u);
  EXPECT_FALSE(Reservation::Try(&tight, 1).taken()) << "what can be done without does not press";
  EXPECT_EQ(few.size(), 2u);
  const Reservation needed(&tight, kCopied, "a session");
  EXPECT_EQ(few.size(), 1u);
  EXPECT_ANY_THROW(Reservation(&tight, 5 * kCopied, "more than there can be"));
  EXPECT_EQ(few.size(), 1u) << "for which none is given up";
}

TEST_F(ConversationsTest, KeepWithinABoundWithoutABudget) {
  Conversations bounded(&budget, {1000, 5 * kCopied});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SequenceMark mark;
    mark.ids = SomeIds(100, seed);
    bounded.Keep(std::move(mark), Reservation(&budget, kCopied, "a mark"), {});
    EXPECT_LE(budget.used(), 5 * kCopied);
  }
  EXPECT_EQ(bounded.size(), 5u);
}

TEST_F(ConversationsTest, KeepNoneWhereNoneAreAskedFor) {
  Conversations none(&budget, {0, 0});
  SequenceMark mark;
  mark.ids = SomeIds(100, 1);
  none.Keep(std::move(mark), Reservation(&budget, kCopied, "a mark"), {});
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace finback
