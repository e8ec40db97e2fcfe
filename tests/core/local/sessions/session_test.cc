#include "core/local/sessions/session.h"

#include <gtest/gtest.h>

#include <random>

#include "core/base/status.h"
#include "tests/core/local/model_builder.h"
#include "tests/core/network/token_ids.h"

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
  return RandomIds(count, seed, TestModel().config().vocab);
}

// Evaluates all of `ids` in the session, as a stream does; returns what was reused.
int64_t Play(SessionState* session, const std::vector<int32_t>& ids) {
  const WantedCheckpoint last{ids.size() - 1, CheckpointKind::kEnd};
  const int64_t cached = session->Rewind(ids, {&last, 1}).tokens;
  const std::span<const int32_t> all = ids;
  session->Evaluate(
      all.subspan(static_cast<size_t>(cached), all.size() - 1 - static_cast<size_t>(cached)),
      LogitRows::kNone);
  session->Keep(SessionState::Stream::kRuns);
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
  using Leaves = SessionState::Leaves;
  std::unique_ptr<SessionState> NewSession(Leaves leaves = Leaves::kForItself) {
    return std::make_unique<SessionState>(&TestScheduler(), shape, &budget, &conversations, leaves);
  }
  // What a stream of its own leaves behind when it is over.
  int64_t Answer(const std::vector<int32_t>& ids) {
    const std::unique_ptr<SessionState> session = NewSession(Leaves::kForAnybody);
    const int64_t cached = Play(session.get(), ids);
    session->Keep(SessionState::Stream::kOver);
    return cached;
  }

  SessionShape shape{1024, 64, 4};
  MemoryBudget budget{0};
  Conversations conversations{&budget, {16, 0}};
};

TEST_F(SessionTest, ComputesOnlyWhatExtendsIt) {
  const auto session = NewSession();
  const std::vector<int32_t> first = SomeIds(150, 1);
  EXPECT_EQ(Play(session.get(), first), 0);
  const std::vector<int32_t> second = Joined(first, SomeIds(40, 2));
  EXPECT_EQ(Play(session.get(), second), 150);
  ExpectFresh(session.get(), second);
}

TEST_F(SessionTest, RecomputesTheLastTokenOfARepeatedPrompt) {
  const auto session = NewSession();
  const std::vector<int32_t> ids = SomeIds(90, 3);
  Play(session.get(), ids);
  EXPECT_EQ(Play(session.get(), ids), 89);
  ExpectFresh(session.get(), ids);
}

TEST_F(SessionTest, RollsBackALittle) {
  const auto session = NewSession();
  std::vector<int32_t> ids = SomeIds(200, 4);
  Play(session.get(), ids);
  ids.resize(190);
  ids.push_back((ids.back() + 1) % 256);
  ids.push_back(7);
  EXPECT_GE(Play(session.get(), ids), 189);
  ExpectFresh(session.get(), ids);
}

TEST_F(SessionTest, GoesBackToTheLastGenerationPrompt) {
  const auto session = NewSession();
  const std::vector<int32_t> prompt = SomeIds(100, 5);
  Play(session.get(), prompt);
  const std::vector<int32_t> reasoning = SomeIds(300, 6);  // more than a chunk: no short way back
  session->Evaluate(reasoning, LogitRows::kLast);
  std::vector<int32_t> next(prompt.begin(), prompt.end() - 1);
  next.push_back((prompt.back() + 1) % 256);  // the next rendering closes the reasoning
  next = Joined(next, SomeIds(30, 7));
  EXPECT_EQ(Play(session.get(), next), 99);
  ExpectFresh(session.get(), next);
}

TEST_F(SessionTest, ComputesABlockAtMostOfWhatStaysAgain) {
  const auto session = NewSession();
  std::vector<int32_t> ids = SomeIds(1000, 21);
  Play(session.get(), ids);
  ids[700] = (ids[700] + 1) % 256;
  EXPECT_EQ(Play(session.get(), ids), 512);
  ExpectFresh(session.get(), ids);
}

TEST_F(SessionTest, ReturnsToAnotherConversation) {
  const auto session = NewSession();
  const std::vector<int32_t> one = SomeIds(120, 8), other = SomeIds(130, 9);
  Play(session.get(), one);
  EXPECT_EQ(Play(session.get(), other), 0);
  const std::vector<int32_t> more = Joined(one, SomeIds(10, 10));
  EXPECT_EQ(Play(session.get(), more), 119);
  ExpectFresh(session.get(), more);
}

TEST_F(SessionTest, GoesBackToNoPlaceWithoutRestorePoints) {
  shape.restore_points = 0;
  const auto session = NewSession();
  std::vector<int32_t> ids = SomeIds(700, 8);
  Play(session.get(), ids);
  ids[600] = (ids[600] + 1) % 256;
  EXPECT_EQ(Play(session.get(), ids), 0);
  ExpectFresh(session.get(), ids);
}

TEST_F(SessionTest, GoesOnFromWhatAnotherHasComputed) {
  const std::vector<int32_t> ids = SomeIds(300, 31);
  EXPECT_EQ(Answer(ids), 0);
  const std::vector<int32_t> more = Joined(ids, SomeIds(20, 32));
  EXPECT_EQ(Answer(more), 300);
  const auto session = NewSession();
  EXPECT_EQ(Play(session.get(), Joined(more, SomeIds(5, 33))), 320);
  ExpectFresh(session.get(), Joined(more, SomeIds(5, 33)));
}

TEST_F(SessionTest, GoesOnFromWhatRuns) {
  const std::vector<int32_t> head = SomeIds(300, 34);
  const auto one = NewSession(Leaves::kForAnybody), other = NewSession(Leaves::kForAnybody);
  const std::vector<int32_t> first = Joined(head, SomeIds(20, 35));
  const std::vector<int32_t> second = Joined(head, SomeIds(30, 36));
  const WantedCheckpoint wanted{300, CheckpointKind::kHead};
  one->Rewind(first, {&wanted, 1});
  one->Evaluate(std::span<const int32_t>(first).first(319), LogitRows::kNone);
  one->Keep(SessionState::Stream::kRuns);
  const Reuse reuse = other->Rewind(second, {});
  EXPECT_EQ(reuse.tokens, 300);
  EXPECT_EQ(reuse.source, Reuse::Source::kRunning);
  one->Evaluate(std::span<const int32_t>(first).last(1), LogitRows::kLast);
  other->Evaluate(std::span<const int32_t>(second).subspan(300), LogitRows::kLast);
  ExpectFresh(one.get(), first);
  ExpectFresh(other.get(), second);
}

TEST_F(SessionTest, SaysHowFarTheNearestIsTheSame) {
  std::vector<int32_t> ids = SomeIds(700, 37);
  Answer(ids);
  ids[600] = (ids[600] + 1) % 256;
  const auto session = NewSession();
  const Reuse reuse = session->Rewind(ids, {});
  EXPECT_EQ(reuse.nearest, 600);
  EXPECT_EQ(reuse.tokens, 512);
  EXPECT_EQ(reuse.source, Reuse::Source::kKept);
}

TEST_F(SessionTest, WhatACallersSessionLeavesGoesWithIt) {
  const std::vector<int32_t> ids = SomeIds(100, 38);
  {
    const auto session = NewSession(Leaves::kForItself);
    Play(session.get(), ids);
    session->Keep(SessionState::Stream::kOver);
    EXPECT_EQ(conversations.size(), 1u);
  }
  EXPECT_EQ(conversations.size(), 0u);
  EXPECT_EQ(budget.used(), 0u);
  EXPECT_EQ(Answer(ids), 0);
}

TEST_F(SessionTest, AllThatIsKeptIsChargedAndGivenBack) {
  Answer(SomeIds(300, 39));
  const uint64_t one = budget.used();
  EXPECT_GT(one, 0u);
  Answer(SomeIds(300, 40));
  EXPECT_EQ(conversations.size(), 2u);
  EXPECT_GT(budget.used(), one);
  while (conversations.GiveWay()) {
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(SessionTest, KeptConversationsMakeWayForTokens) {
  const uint64_t alone = [&] {
    const auto session = NewSession();
    Play(session.get(), SomeIds(900, 41));
    while (conversations.GiveWay()) {
    }
    return budget.used();
  }();
  MemoryBudget tight(alone);
  Conversations few(&tight, {16, 0});
  for (uint64_t seed = 50; seed < 53; ++seed) {
    SessionState session(&TestScheduler(), shape, &tight, &few, Leaves::kForAnybody);
    const std::vector<int32_t> ids = SomeIds(900, seed);
    EXPECT_EQ(Play(&session, ids), 0);
    ExpectFresh(&session, ids);
    session.Keep(SessionState::Stream::kOver);
    EXPECT_LE(tight.used(), alone);
  }
  // What is over has given what it needed for what it leaves.
  EXPECT_EQ(few.size(), 1u);
}

TEST_F(SessionTest, TakesItsMemoryFromTheBudgetBeforeAnythingElse) {
  MemoryBudget small(1000);
  Conversations none(&small, {16, 0});
  try {
    SessionState session(&TestScheduler(), shape, &small, &none);
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
  const auto session = NewSession();
  std::vector<int32_t> ids = SomeIds(60, seed);
  for (int round = 0; round < 12; ++round) {
    ids.resize(1 + random() % ids.size());
    ids = Joined(ids, SomeIds(1 + random() % 60, random()));
    Play(session.get(), ids);
    const std::vector<float> fresh = FreshLogits(ids);
    ASSERT_TRUE(std::equal(fresh.begin(), fresh.end(), session->logits().begin()))
        << "seed " << seed << " round " << round;
    const std::vector<int32_t> generated = SomeIds(random() % 40, random());
    if (!generated.empty()) {
      session->Evaluate(generated, LogitRows::kNone);
      if (random() % 2 == 0) ids = Joined(ids, generated);
    }
  }
}

}  // namespace
}  // namespace finback
