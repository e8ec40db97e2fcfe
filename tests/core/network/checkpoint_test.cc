// Going back further than the rings reach: from the nearest checkpoint, with the bits of a fresh
// sequence.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/network/evaluator.h"
#include "core/network/memory/checkpoints.h"
#include "core/network/sequence.h"
#include "tests/core/checkpoint/checkpoint_builder.h"
#include "tests/core/network/token_ids.h"

namespace finback {
namespace {

constexpr int64_t kContext = 2048;
constexpr int32_t kChunk = 1200;  // passes two of them
constexpr uint64_t kNoLimit = ~uint64_t{0};

const Model& TestModel() {
  static const std::unique_ptr<Model> model =
      Model::Open(MakeTinyCheckpoint(testing::TempDir() + "finback_checkpoints_checkpoint", 47),
                  {.threads = 1});
  return *model;
}

std::vector<int32_t> SomeIds(size_t count, uint64_t seed) {
  return RandomIds(count, seed, TestModel().config().vocab);
}

std::vector<int32_t> FirstOf(const std::vector<int32_t>& ids, size_t count) {
  return {ids.begin(), ids.begin() + static_cast<ptrdiff_t>(count)};
}

class CheckpointsTest : public testing::Test {
 protected:
  std::unique_ptr<Sequence> NewSequence(size_t checkpoints, int32_t chunk = kChunk) {
    auto sequence = std::make_unique<Sequence>(TestModel(), kContext, chunk, &budget);
    sequence->KeepCheckpoints(checkpoints, kNoLimit);
    return sequence;
  }
  std::vector<float> Evaluate(Sequence* sequence, std::span<const int32_t> ids) {
    std::vector<float> logits(static_cast<size_t>(TestModel().config().vocab));
    const Segment all{sequence, ids, LogitRows::kLast, logits.data()};
    evaluator.Run({&all, 1});
    return logits;
  }
  // What a sequence that was never anything else gives for the last of these tokens, and keeps.
  std::vector<float> Fresh(const std::vector<int32_t>& ids, std::vector<uint8_t>* snapshot) {
    Sequence sequence(TestModel(), kContext, kChunk);
    const std::vector<float> logits = Evaluate(&sequence, ids);
    *snapshot = sequence.Snapshot();
    return logits;
  }
  // The tokens that going back to `target` computes again.
  static int64_t Again(const Sequence& sequence, int64_t target) {
    return target - sequence.NearestBack(target);
  }

  Evaluator evaluator{TestModel(), kContext, kChunk};
  MemoryBudget budget{0};
};

TEST_F(CheckpointsTest, GoingBackComputesLessThanABlockAgain) {
  const std::vector<int32_t> ids = SomeIds(2000, 1), tail = SomeIds(9, 2);
  for (const int32_t chunk : {kChunk, 100}) {
    const auto sequence = NewSequence(8, chunk);
    Evaluate(sequence.get(), ids);
    EXPECT_EQ(sequence->checkpoints(), 3u);
    for (const size_t target : {1900, 1536, 1535, 512, 100}) {
      EXPECT_LT(Again(*sequence, static_cast<int64_t>(target)), 512) << target;
      evaluator.RollBack(sequence.get(), sequence->position() - static_cast<int64_t>(target));
      ASSERT_EQ(sequence->position(), static_cast<int64_t>(target));
      std::vector<uint8_t> snapshot;
      const auto fork = sequence->Fork();  // so that the next target is before this one
      const std::vector<float> fresh = Fresh(Joined(FirstOf(ids, target), tail), &snapshot);
      EXPECT_EQ(Evaluate(fork.get(), tail), fresh) << "chunk " << chunk << " to " << target;
      EXPECT_EQ(fork->Snapshot(), snapshot);
    }
  }
}

TEST_F(CheckpointsTest, AreWhereSomebodyWantsThem) {
  const std::vector<int32_t> ids = SomeIds(2000, 1), tail = SomeIds(9, 2);
  const std::vector<WantedCheckpoint> wanted = {{333, CheckpointKind::kHead},
                                                {512, CheckpointKind::kEnd},
                                                {700, CheckpointKind::kEnd},
                                                {1025, CheckpointKind::kEnd},
                                                {1999, CheckpointKind::kEnd}};
  for (const int32_t chunk : {kChunk, 100, 7}) {
    const auto sequence = std::make_unique<Sequence>(TestModel(), kContext, chunk, &budget);
    sequence->KeepCheckpoints(8, kNoLimit, 3);
    sequence->WantCheckpoints(wanted);
    Evaluate(sequence.get(), ids);
    EXPECT_EQ(sequence->NearestBack(511), 333) << "a head stays";
    EXPECT_EQ(sequence->NearestBack(1023), 700);
    EXPECT_EQ(sequence->NearestBack(1535), 1025);
    EXPECT_EQ(sequence->checkpoints(), 6u) << "of four ends the last three, and two regular ones";
    const SequenceMark mark = sequence->Mark();
    sequence->Reset();
    Evaluate(sequence.get(), tail);
    for (const size_t target : {2000, 1999, 1536, 1025, 700, 333}) {
      ASSERT_EQ(mark.NearestBack(target), target);
      sequence->ReturnTo(mark, target);
      std::vector<uint8_t> snapshot;
      const std::vector<float> fresh = Fresh(Joined(FirstOf(ids, target), tail), &snapshot);
      EXPECT_EQ(Evaluate(sequence.get(), tail), fresh) << "chunk " << chunk << " to " << target;
      EXPECT_EQ(sequence->Snapshot(), snapshot);
    }
  }
}

TEST_F(CheckpointsTest, AMarkGoesBackOnlyToWhatItHas) {
  const auto sequence = NewSequence(8);
  Evaluate(sequence.get(), SomeIds(1100, 1));
  const SequenceMark mark = sequence->Mark();
  EXPECT_EQ(mark.NearestBack(5000), 1100u);
  EXPECT_EQ(mark.NearestBack(1099), 1024u);
  EXPECT_EQ(mark.NearestBack(511), 0u);
  sequence->ReturnTo(mark, 0);
  EXPECT_EQ(sequence->position(), 0);
}

TEST_F(CheckpointsTest, AreNotKeptUnlessAskedFor) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  Evaluate(&sequence, SomeIds(1100, 1));
  EXPECT_EQ(sequence.checkpoints(), 0u);
  EXPECT_EQ(sequence.NearestBack(600), 0);
}

TEST_F(CheckpointsTest, OfTokensThatAreNoLongerThereAreForgotten) {
  const auto sequence = NewSequence(8);
  const std::vector<int32_t> ids = SomeIds(1030, 1), other = SomeIds(700, 2);
  Evaluate(sequence.get(), ids);
  EXPECT_EQ(sequence->checkpoints(), 2u);
  sequence->RollBack(10);  // within the rings
  EXPECT_EQ(sequence->checkpoints(), 1u);
  Evaluate(sequence.get(), other);
  const std::vector<int32_t> path = Joined(FirstOf(ids, 1020), other);
  evaluator.RollBack(sequence.get(), sequence->position() - 1025);
  std::vector<uint8_t> snapshot;
  Fresh(FirstOf(path, 1025), &snapshot);
  EXPECT_EQ(sequence->Snapshot(), snapshot);
  sequence->Restore(snapshot);
  EXPECT_EQ(sequence->checkpoints(), 0u);
}

TEST_F(CheckpointsTest, AreFewerTheFurtherBack) {
  const auto sequence = NewSequence(3);
  // At 512, 1,024, 1,536 and 2,048 tokens, but for one.
  Evaluate(sequence.get(), SomeIds(2048, 1));
  EXPECT_EQ(sequence->checkpoints(), 3u);
  EXPECT_EQ(sequence->NearestBack(1535), 1024);
  EXPECT_EQ(sequence->NearestBack(2015), 1536);
}

TEST_F(CheckpointsTest, AreChargedAndDoWithoutWhereTheBudgetIsShort) {
  Sequence without(TestModel(), kContext, kChunk, &budget);
  Evaluate(&without, SomeIds(1100, 1));
  const uint64_t entries = budget.used();
  const auto with = NewSequence(8);
  Evaluate(with.get(), SomeIds(1100, 1));
  const uint64_t both = budget.used() - 2 * entries;
  EXPECT_GT(both, 0u);
  const auto fork = with->Fork();
  EXPECT_EQ(fork->checkpoints(), 2u);
  EXPECT_EQ(budget.used(), 2 * entries + both) << "forks share them";

  MemoryBudget tight(entries + both / 2);  // for one
  Sequence short_of(TestModel(), kContext, kChunk, &tight);
  short_of.KeepCheckpoints(8, kNoLimit);
  Evaluate(&short_of, SomeIds(1100, 1));
  EXPECT_EQ(short_of.checkpoints(), 1u);
  EXPECT_LE(tight.used(), entries + both / 2);
}

TEST_F(CheckpointsTest, MakeWayForTokens) {
  const std::vector<int32_t> first = SomeIds(600, 1), second = SomeIds(500, 2);
  const auto used_by = [&](size_t checkpoints, const std::vector<int32_t>& ids) {
    const uint64_t before = budget.used();
    const auto sequence = NewSequence(checkpoints);
    Evaluate(sequence.get(), ids);
    return budget.used() - before;
  };
  const uint64_t longer = used_by(0, Joined(first, second));
  MemoryBudget tight(std::max(longer, used_by(8, first)));
  Sequence sequence(TestModel(), kContext, kChunk, &tight);
  sequence.KeepCheckpoints(8, kNoLimit);
  Evaluate(&sequence, first);
  EXPECT_EQ(sequence.checkpoints(), 1u);
  Evaluate(&sequence, second);
  EXPECT_EQ(sequence.position(), 1100);
  EXPECT_LE(tight.used(), tight.limit());
  std::vector<uint8_t> snapshot;
  Fresh(Joined(first, second), &snapshot);
  EXPECT_EQ(sequence.Snapshot(), snapshot);
}

TEST_F(CheckpointsTest, TakeNoMoreBytesThanTheyMay) {
  Sequence sequence(TestModel(), kContext, kChunk, &budget);
  const std::span<const LayerState> layers = sequence.layers();
  const uint64_t one = Checkpoints::BytesAt(
      layers, static_cast<size_t>(TestModel().config().window), kCheckpointTokens);
  sequence.KeepCheckpoints(100, 2 * one + 1);
  Evaluate(&sequence, SomeIds(2000, 1));
  EXPECT_EQ(sequence.checkpoints(), 2u);
}

TEST_F(CheckpointsTest, OfAChunkThatWasCancelledAreNotThere) {
  const auto sequence = NewSequence(8);
  const std::vector<int32_t> first = SomeIds(500, 1), second = SomeIds(900, 2);
  Evaluate(sequence.get(), first);
  const uint64_t used = budget.used();
  EvaluateControl control;
  int layers = 0;
  control.between_layers = [&] {
    if (++layers == 4) throw Error(Code::kCancelled, "enough");
  };
  const Segment all{sequence.get(), second};
  EXPECT_THROW(evaluator.Run({&all, 1}, control), Error);
  EXPECT_EQ(sequence->checkpoints(), 0u);
  EXPECT_EQ(budget.used(), used);
  std::vector<uint8_t> snapshot;
  const std::vector<float> fresh = Fresh(Joined(first, second), &snapshot);
  EXPECT_EQ(Evaluate(sequence.get(), second), fresh);
  EXPECT_EQ(sequence->Snapshot(), snapshot);
}

// Trees of appending, forking and going back, any of which may be refused by the budget.
TEST_F(CheckpointsTest, RandomTreesAreAsFreshSequences) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  struct Branch {
    std::unique_ptr<Sequence> sequence;
    std::vector<int32_t> ids;
  };
  std::vector<Branch> tree;
  tree.push_back({NewSequence(3), {}});
  for (int round = 0; round < 40; ++round) {
    const size_t at = below(tree.size());
    switch (below(6)) {
      case 0:
        if (tree.size() < 4) tree.push_back({tree[at].sequence->Fork(), tree[at].ids});
        break;
      case 1: {
        const size_t back = tree[at].ids.empty() ? 0 : below(tree[at].ids.size() + 1);
        const int64_t again =
            Again(*tree[at].sequence, static_cast<int64_t>(tree[at].ids.size() - back));
        EXPECT_GE(again, 0);
        evaluator.RollBack(tree[at].sequence.get(), static_cast<int64_t>(back));
        tree[at].ids.resize(tree[at].ids.size() - back);
        break;
      }
      case 2:
        if (tree.size() > 1) tree.erase(tree.begin() + static_cast<ptrdiff_t>(at));
        break;
      default: {
        const size_t room = static_cast<size_t>(kContext) - tree[at].ids.size();
        if (room == 0) break;
        const std::vector<int32_t> more = SomeIds(1 + below(std::min<size_t>(room, 700)), random());
        Evaluate(tree[at].sequence.get(), more);
        tree[at].ids = Joined(tree[at].ids, more);
      }
    }
    if (round % 4 != 3) continue;
    const Branch& branch = tree[below(tree.size())];
    if (branch.ids.empty()) continue;
    std::vector<uint8_t> snapshot;
    Fresh(branch.ids, &snapshot);
    ASSERT_EQ(branch.sequence->Snapshot() == snapshot, true) << "round " << round;
    ASSERT_TRUE(std::equal(branch.ids.begin(), branch.ids.end(), branch.sequence->tokens().begin(),
                           branch.sequence->tokens().end()));
  }
  tree.clear();
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace finback
