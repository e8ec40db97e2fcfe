// A sequence takes memory as it grows, is charged for what it holds, and shares with its forks.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/status.h"
#include "core/network/evaluator.h"
#include "core/network/sequence.h"
#include "tests/core/base/counting_allocator.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr int64_t kContext = 2048;
constexpr int32_t kChunk = 64;

const Model& TestModel() {
  static const std::unique_ptr<Model> model = Model::Open(
      MakeTinyCheckpoint(testing::TempDir() + "finback_growth_checkpoint", 31), {.threads = 1});
  return *model;
}

std::vector<int32_t> SomeIds(size_t count, uint64_t salt) {
  std::vector<int32_t> ids(count);
  for (size_t i = 0; i < count; ++i) {
    ids[i] = static_cast<int32_t>((i * 2654435761u + salt * 40503u) % 8191u %
                                  static_cast<uint64_t>(TestModel().config().vocab));
  }
  return ids;
}

Sequence::Plan ThePlan() {
  return Sequence::PlanOf(TestModel().config(), TestModel().precision(), kContext, kChunk);
}

class Growth : public testing::Test {
 protected:
  std::vector<float> Evaluate(Sequence* sequence, const std::vector<int32_t>& ids) {
    std::vector<float> logits(static_cast<size_t>(TestModel().config().vocab));
    const Segment all{sequence, ids, LogitRows::kLast, logits.data()};
    evaluator.Run({&all, 1});
    return logits;
  }
  std::vector<float> Fresh(std::vector<int32_t> ids, const std::vector<int32_t>& more) {
    Sequence sequence(TestModel(), kContext, kChunk);
    ids.insert(ids.end(), more.begin(), more.end());
    return Evaluate(&sequence, ids);
  }

  Evaluator evaluator{TestModel(), kContext, kChunk};
  MemoryBudget budget{0};
};

TEST_F(Growth, IsChargedAsItHoldsMore) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  EXPECT_EQ(budget.used(), 0u);
  Evaluate(&sequence, SomeIds(3, 1));
  EXPECT_EQ(budget.used(), 0u) << "no entry was made";
  Evaluate(&sequence, SomeIds(400, 2));
  const uint64_t first = budget.used();
  EXPECT_GT(first, 0u);
  Evaluate(&sequence, SomeIds(109, 3));  // 512 tokens
  EXPECT_EQ(budget.used(), first);
  Evaluate(&sequence, SomeIds(4, 4));
  const uint64_t second = budget.used();
  EXPECT_GT(second, first);
  Evaluate(&sequence, SomeIds(kContext - 516, 5));
  EXPECT_EQ(sequence.position(), kContext);
  EXPECT_EQ(budget.used(), ThePlan().full - ThePlan().empty);
  sequence.Reset();
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(Growth, NobodyGivesWayToWhatCannotFit) {
  MemoryBudget tight(4096);
  int asked = 0;
  tight.OnShortage([&asked] { return ++asked < 3; });
  Sequence sequence(TestModel(), kContext, kChunk, &tight);
  sequence.KeepCheckpoints(8, UINT64_MAX);
  EXPECT_THROW(sequence.TakeBlocks(kContext), Error);
  EXPECT_EQ(asked, 0);
}

TEST_F(Growth, RefusedByTheBudgetChangesNothing) {
  const std::vector<int32_t> ids = SomeIds(500, 1), many = SomeIds(1000, 2), few = SomeIds(8, 3);
  Sequence measured(TestModel(), kContext, kChunk, &budget);
  Evaluate(&measured, ids);
  const uint64_t enough = budget.used();
  MemoryBudget tight(enough + 100);
  Sequence sequence(TestModel(), kContext, kChunk, &tight);
  Evaluate(&sequence, ids);
  const std::vector<uint8_t> before = sequence.Snapshot();
  try {
    Evaluate(&sequence, many);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBudget);
    const std::string what = error.what();
    EXPECT_NE(what.find("memory for 1000 more tokens needs "), std::string::npos) << what;
    EXPECT_NE(what.find("raise it, or free sessions or sequences"), std::string::npos) << what;
  }
  EXPECT_EQ(sequence.position(), 500);
  EXPECT_EQ(tight.used(), enough);
  EXPECT_EQ(sequence.Snapshot(), before);
  EXPECT_EQ(Evaluate(&sequence, few), Fresh(ids, few));
}

TEST_F(Growth, CancelledGivesBackWhatWasNotUsed) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, SomeIds(130, 1));
  const uint64_t used = budget.used();
  const std::vector<int32_t> many = SomeIds(1500, 2);
  EvaluateControl control;
  control.progress = [&](int64_t done, int64_t) { return done < 128; };
  const Segment all{&sequence, many};
  EXPECT_THROW(evaluator.Run({&all, 1}, control), Error);
  EXPECT_EQ(sequence.position(), 258);
  EXPECT_EQ(budget.used(), used);
}

TEST_F(Growth, OneOfSeveralRefusedLeavesAllAsTheyWere) {
  Sequence measured(TestModel(), kContext, kChunk, &budget);
  Evaluate(&measured, SomeIds(100, 1));
  MemoryBudget tight(budget.used() + 100);  // for one of two
  Sequence one(TestModel(), kContext, kChunk, &tight), two(TestModel(), kContext, kChunk, &tight);
  const std::vector<int32_t> ids = SomeIds(100, 1);
  const Segment both[] = {{&one, ids}, {&two, ids}};
  EXPECT_THROW(evaluator.Run(both), Error);
  EXPECT_EQ(one.position() + two.position(), 0);
  EXPECT_EQ(tight.used(), 0u);
}

TEST_F(Growth, RollingBackGivesBackBlocks) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, SomeIds(500, 1));
  const uint64_t used = budget.used();
  Evaluate(&sequence, SomeIds(20, 2));
  EXPECT_GT(budget.used(), used);
  sequence.RollBack(20);
  EXPECT_EQ(budget.used(), used);
}

TEST_F(Growth, RestoringTakesWhatItRestores) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  const std::vector<int32_t> ids = SomeIds(700, 1), few = SomeIds(5, 2);
  Evaluate(&sequence, ids);
  const uint64_t used = budget.used();
  const std::vector<uint8_t> bytes = sequence.Snapshot();
  sequence.Reset();
  Evaluate(&sequence, few);
  sequence.Restore(bytes);
  EXPECT_EQ(budget.used(), used);
  EXPECT_EQ(Evaluate(&sequence, few), Fresh(ids, few));
}

TEST_F(Growth, AForkTakesWhatItAddsAlone) {
  const std::vector<int32_t> trunk = SomeIds(900, 1), left = SomeIds(40, 2), right = SomeIds(30, 3);
  std::unique_ptr<Sequence> fork;
  {
    Sequence sequence(TestModel(), kContext, kChunk, &budget);
    Evaluate(&sequence, trunk);
    const uint64_t used = budget.used();
    fork = sequence.Fork();
    EXPECT_EQ(fork->Snapshot(), sequence.Snapshot());
    EXPECT_EQ(budget.used(), used);
    EXPECT_EQ(Evaluate(fork.get(), left), Fresh(trunk, left));
    EXPECT_EQ(budget.used(), used) << "who comes first writes in place";
    EXPECT_EQ(Evaluate(&sequence, right), Fresh(trunk, right));
    EXPECT_GT(budget.used(), used);
    EXPECT_LT(budget.used(), 2 * used) << "the first 512 tokens are shared";
  }
  std::vector<int32_t> path = trunk;
  path.insert(path.end(), left.begin(), left.end());
  EXPECT_EQ(Evaluate(fork.get(), right), Fresh(path, right)) << "the trunk is gone";
}

TEST_F(Growth, ForksGoOnOnThreadsOfTheirOwn) {
  const std::vector<int32_t> trunk = SomeIds(505, 1);  // to the end of a block
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, trunk);
  constexpr size_t kForks = 3;
  std::vector<std::unique_ptr<Sequence>> forks;
  std::vector<std::vector<float>> logits(kForks);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kForks; ++i) forks.push_back(sequence.Fork());
  for (size_t i = 0; i < kForks; ++i) {
    threads.emplace_back([&, i] {
      Evaluator own(TestModel(), kContext, kChunk);
      logits[i].resize(static_cast<size_t>(TestModel().config().vocab));
      for (const int32_t id : SomeIds(20, 10 + i)) {
        const Segment step{forks[i].get(), {&id, 1}, LogitRows::kLast, logits[i].data()};
        own.Run({&step, 1});
      }
    });
  }
  const std::vector<float> on_trunk = Evaluate(&sequence, SomeIds(20, 9));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(on_trunk, Fresh(trunk, SomeIds(20, 9)));
  for (size_t i = 0; i < kForks; ++i) EXPECT_EQ(logits[i], Fresh(trunk, SomeIds(20, 10 + i)));
}

TEST_F(Growth, AForkThatGoesBackWritesToNobodyElses) {
  const std::vector<int32_t> trunk = SomeIds(520, 1), tail = SomeIds(30, 2), next = SomeIds(3, 3);
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, trunk);
  const std::unique_ptr<Sequence> fork = sequence.Fork();
  const std::vector<uint8_t> before = fork->Snapshot();
  sequence.RollBack(20);  // into a block that is full, and shared
  Evaluate(&sequence, tail);
  EXPECT_EQ(fork->Snapshot(), before);
  const std::vector<int32_t> kept(trunk.begin(), trunk.end() - 20);
  std::vector<int32_t> path = kept;
  path.insert(path.end(), tail.begin(), tail.end());
  EXPECT_EQ(Evaluate(&sequence, next), Fresh(path, next));
  EXPECT_EQ(Evaluate(fork.get(), next), Fresh(trunk, next));
}

TEST_F(Growth, AStepAllocatesTheBlocksThatBeginWithItAlone) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, SomeIds(500, 1));
  std::vector<float> logits(static_cast<size_t>(TestModel().config().vocab));
  int32_t id = 0;
  const Segment step{&sequence, {&id, 1}, LogitRows::kLast, logits.data()};
  for (int i = 0; i < 8; ++i) evaluator.Run({&step, 1});
  size_t layers = 0;  // of CSA, whose blocks hold 512 tokens; those of others are longer
  for (const LayerState& layer : sequence.layers()) layers += layer.kind == LayerKind::kCsa;
  ASSERT_GT(layers, 0u);
  for (int64_t token = 508; token < 530; ++token) {
    ASSERT_EQ(sequence.position(), token);
    const int64_t before = AllocationCount();
    evaluator.Run({&step, 1});
    const int64_t blocks = AllocationCount() - before;
    // The entry of tokens 512 to 515 is the first of a block.
    EXPECT_EQ(blocks, token == 515 ? static_cast<int64_t>(layers) : 0) << "token " << token;
  }
}

}  // namespace
}  // namespace finback
