#include "core/local/sessions/session.h"

#include <gtest/gtest.h>

#include <random>

#include "core/base/status.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

constexpr uint64_t kSeed = 11;

const Model& TestModel() {
  static const std::unique_ptr<Model> model = [] {
    ModelOptions options;
    options.threads = 1;
    return Model::Open(MakeRandomModel(testing::TempDir() + "/session_model", kSeed), options);
  }();
  return *model;
}

Scheduler& TestScheduler() {
  static Scheduler scheduler(TestModel(), {.context_tokens = 1024, .chunk_tokens = 64});
  return scheduler;
}

std::vector<int32_t> SomeIds(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) {
    id = static_cast<int32_t>(random() % static_cast<uint64_t>(TestModel().config().vocab));
  }
  return ids;
}

std::vector<int32_t> Joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Evaluates all of `ids` in the session, as a stream does; returns what was reused.
int64_t Play(SessionState* session, const std::vector<int32_t>& ids) {
  const int64_t cached = session->Rewind(ids);
  const std::span<const int32_t> all = ids;
  session->Evaluate(
      all.subspan(static_cast<size_t>(cached), all.size() - 1 - static_cast<size_t>(cached)),
      LogitRows::kNone);
  session->KeepRestorePoint();
  session->Evaluate(all.last(1), LogitRows::kLast);
  return cached;
}

std::vector<float> FreshLogits(const std::vector<int32_t>& ids) {
  Sequence sequence(TestModel(), 1024, 64);
  std::vector<float> logits(static_cast<size_t>(TestModel().config().vocab));
  TestScheduler().Evaluate({&sequence, ids, LogitRows::kLast, logits.data()});
  return logits;
}

void ExpectFresh(SessionState* session, const std::vector<int32_t>& ids) {
  const std::vector<float> fresh = FreshLogits(ids);
  EXPECT_TRUE(std::equal(fresh.begin(), fresh.end(), session->logits().begin()));
}

class SessionTest : public testing::Test {
 protected:
  // By a session of so many tokens, without restore points.
  uint64_t UsedAfter(size_t tokens) {
    SessionShape pointless = shape;
    pointless.restore_points = 0;
    SessionState session(&TestScheduler(), pointless, &budget);
    Play(&session, SomeIds(tokens, 1));
    return budget.used();
  }

  SessionShape shape{1024, 64, 4};
  MemoryBudget budget{0};
};

TEST_F(SessionTest, ComputesOnlyWhatExtendsIt) {
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> first = SomeIds(150, 1);
  EXPECT_EQ(Play(&session, first), 0);
  const std::vector<int32_t> second = Joined(first, SomeIds(40, 2));
  EXPECT_EQ(Play(&session, second), 150);
  ExpectFresh(&session, second);
}

TEST_F(SessionTest, RecomputesTheLastTokenOfARepeatedPrompt) {
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> ids = SomeIds(90, 3);
  Play(&session, ids);
  EXPECT_EQ(Play(&session, ids), 89);
  ExpectFresh(&session, ids);
}

TEST_F(SessionTest, RollsBackALittle) {
  SessionState session(&TestScheduler(), shape, &budget);
  std::vector<int32_t> ids = SomeIds(200, 4);
  Play(&session, ids);
  ids.resize(190);
  ids.push_back((ids.back() + 1) % 256);
  ids.push_back(7);
  EXPECT_GE(Play(&session, ids), 189);
  ExpectFresh(&session, ids);
}

TEST_F(SessionTest, GoesBackToTheLastGenerationPrompt) {
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> prompt = SomeIds(100, 5);
  Play(&session, prompt);
  const std::vector<int32_t> reasoning = SomeIds(300, 6);  // more than a chunk: no short way back
  session.Evaluate(reasoning, LogitRows::kLast);
  std::vector<int32_t> next(prompt.begin(), prompt.end() - 1);
  next.push_back((prompt.back() + 1) % 256);  // the next rendering closes the reasoning
  next = Joined(next, SomeIds(30, 7));
  EXPECT_EQ(Play(&session, next), 99);
  ExpectFresh(&session, next);
}

TEST_F(SessionTest, ComputesABlockAtMostOfWhatStaysAgain) {
  SessionState session(&TestScheduler(), shape, &budget);
  std::vector<int32_t> ids = SomeIds(1000, 21);
  Play(&session, ids);
  ids[700] = (ids[700] + 1) % 256;
  EXPECT_EQ(Play(&session, ids), 512);
  ExpectFresh(&session, ids);
}

TEST_F(SessionTest, PointsKeepTheirBlocksWhileTheSequenceHasOthers) {
  const std::vector<int32_t> ids = SomeIds(500, 22);
  const uint64_t without = UsedAfter(500);
  SessionState session(&TestScheduler(), shape, &budget);
  Play(&session, ids);
  const uint64_t point = budget.used() - without;
  EXPECT_GT(point, 0u);
  EXPECT_LT(point, session.sequence().Snapshot().size()) << "no entry was copied";
  Play(&session, SomeIds(60, 23));
  const std::vector<int32_t> more = Joined(ids, SomeIds(30, 24));
  EXPECT_EQ(Play(&session, more), 499);
  ExpectFresh(&session, more);
}

TEST_F(SessionTest, ReturnsToAnotherConversation) {
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> one = SomeIds(120, 8), other = SomeIds(130, 9);
  Play(&session, one);
  EXPECT_EQ(Play(&session, other), 0);
  const std::vector<int32_t> more = Joined(one, SomeIds(10, 10));
  EXPECT_EQ(Play(&session, more), 119);
  ExpectFresh(&session, more);
}

TEST_F(SessionTest, StartsOverWithoutRestorePoints) {
  shape.restore_points = 0;
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> one = SomeIds(120, 8), other = SomeIds(130, 9);
  Play(&session, one);
  Play(&session, other);
  EXPECT_EQ(Play(&session, one), 0);
  ExpectFresh(&session, one);
}

TEST_F(SessionTest, DropsTheLeastRecentlyUsedPoint) {
  shape.restore_points = 2;
  SessionState session(&TestScheduler(), shape, &budget);
  const std::vector<int32_t> a = SomeIds(80, 12), b = SomeIds(81, 13), c = SomeIds(82, 14);
  Play(&session, a);
  Play(&session, b);
  EXPECT_EQ(Play(&session, a), 79);  // used: b is the older one now
  Play(&session, c);
  EXPECT_EQ(Play(&session, a), 79);
  EXPECT_EQ(Play(&session, b), 0);
}

TEST_F(SessionTest, KeepsItsPointsWithinTheBudget) {
  const uint64_t alone = UsedAfter(130);
  MemoryBudget tight(alone + 1000);
  SessionState session(&TestScheduler(), shape, &tight);
  const std::vector<int32_t> one = SomeIds(120, 8);
  Play(&session, one);
  EXPECT_LE(tight.used(), alone + 1000);
  Play(&session, SomeIds(130, 9));
  EXPECT_EQ(Play(&session, one), 0) << "there was no room for a restore point";
}

TEST_F(SessionTest, ItsPointsMakeWayForItsTokens) {
  const uint64_t shorter = UsedAfter(120), longer = UsedAfter(700);
  const uint64_t point = [&] {
    SessionState session(&TestScheduler(), shape, &budget);
    Play(&session, SomeIds(120, 8));
    return budget.used() - shorter;
  }();
  ASSERT_GT(point, 0u);
  MemoryBudget tight(std::max(shorter + point, longer));
  SessionState session(&TestScheduler(), shape, &tight);
  const std::vector<int32_t> one = SomeIds(120, 8), more = SomeIds(580, 9);
  Play(&session, one);
  EXPECT_EQ(tight.used(), shorter + point);
  session.Evaluate(more, LogitRows::kLast);
  EXPECT_EQ(session.sequence().position(), 700);
  EXPECT_LE(tight.used(), tight.limit());
  ExpectFresh(&session, Joined(one, more));
}

TEST_F(SessionTest, TakesItsMemoryFromTheBudgetBeforeAnythingElse) {
  MemoryBudget small(1000);
  try {
    SessionState session(&TestScheduler(), shape, &small);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBudget);
  }
  EXPECT_EQ(small.used(), 0u);
}

TEST_F(SessionTest, IsRightAfterRandomJumps) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  shape.chunk_tokens = 16;
  SessionState session(&TestScheduler(), shape, &budget);
  std::vector<int32_t> ids = SomeIds(60, seed);
  for (int round = 0; round < 12; ++round) {
    ids.resize(1 + random() % ids.size());
    ids = Joined(ids, SomeIds(1 + random() % 60, random()));
    Play(&session, ids);
    const std::vector<float> fresh = FreshLogits(ids);
    ASSERT_TRUE(std::equal(fresh.begin(), fresh.end(), session.logits().begin()))
        << "seed " << seed << " round " << round;
    const std::vector<int32_t> generated = SomeIds(random() % 40, random());
    if (!generated.empty()) {
      session.Evaluate(generated, LogitRows::kNone);
      if (random() % 2 == 0) ids = Joined(ids, generated);
    }
  }
}

}  // namespace
}  // namespace finback
