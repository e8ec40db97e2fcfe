// A sequence against itself: chunks, threads, snapshots, rollback and forks give the same bits.
#include "core/network/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/kernels/quantize.h"
#include "core/network/evaluator.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr int64_t kContext = 700;

const std::string& Folder() {
  static const std::string folder = [] {
    const std::string path = testing::TempDir() + "finback_sequence_checkpoint";
    std::filesystem::create_directories(path);
    MakeTinyCheckpoint(path, 7);
    return path;
  }();
  return folder;
}

std::unique_ptr<Model> Open(Precision precision = Precision::kPublished, int threads = 1) {
  return Model::Open(Folder(), {.precision = precision, .threads = threads});
}

std::vector<int32_t> RandomIds(const Model& model, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids)
    id = static_cast<int32_t>(random() % static_cast<uint32_t>(model.config().vocab));
  return ids;
}

// A sequence and what computes it.
class Alone {
 public:
  Alone(const Model& model, int64_t context_tokens, int32_t chunk_tokens)
      : memory(model, context_tokens, chunk_tokens),
        evaluator_(model, context_tokens, chunk_tokens) {}

  void Evaluate(std::span<const int32_t> ids, LogitRows rows, float* logits,
                const EvaluateControl& control = {}) {
    const Segment segment{&memory, ids, rows, logits};
    evaluator_.Run({&segment, 1}, control);
  }
  void RollBack(int64_t tokens) { evaluator_.RollBack(&memory, tokens); }
  int64_t position() const { return memory.position(); }

  Sequence memory;

 private:
  Evaluator evaluator_;
};

std::vector<float> Logits(Alone* sequence, std::span<const int32_t> ids, int32_t vocab) {
  std::vector<float> logits(ids.size() * static_cast<size_t>(vocab));
  sequence->Evaluate(ids, LogitRows::kAll, logits.data());
  return logits;
}

std::vector<float> Fresh(const Model& model, std::span<const int32_t> ids, int32_t chunk) {
  Alone sequence(model, kContext, chunk);
  return Logits(&sequence, ids, model.config().vocab);
}

testing::AssertionResult SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return testing::AssertionFailure() << "value " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

// The rows of `logits` from `first` on.
std::vector<float> Rows(const std::vector<float>& logits, size_t first, int32_t vocab) {
  return {logits.begin() + static_cast<long>(first * static_cast<size_t>(vocab)), logits.end()};
}

std::string Message(const std::function<void()>& call, Code expected) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class EveryPrecision : public testing::TestWithParam<Precision> {};

TEST_P(EveryPrecision, AnyChunkingGivesTheSameBits) {
  const auto model = Open(GetParam());
  const std::vector<int32_t> ids = RandomIds(*model, 200, 1);
  const std::vector<float> reference = Fresh(*model, ids, 512);
  for (const int32_t chunk : {1, 3, 7, 32, 129}) {
    EXPECT_TRUE(SameBits(Fresh(*model, ids, chunk), reference)) << "chunk " << chunk;
  }
}

TEST_P(EveryPrecision, AnyThreadCountGivesTheSameBits) {
  const auto one = Open(GetParam(), 1);
  const std::vector<int32_t> ids = RandomIds(*one, 150, 2);
  const std::vector<float> reference = Fresh(*one, ids, 33);
  for (const int threads : {2, 3}) {
    const auto many = Open(GetParam(), threads);
    EXPECT_TRUE(SameBits(Fresh(*many, ids, 33), reference)) << threads << " threads";
  }
}

TEST_P(EveryPrecision, SnapshotRestoresAtAnyPosition) {
  const auto model = Open(GetParam());
  const std::vector<int32_t> ids = RandomIds(*model, 262, 3);
  const std::vector<float> reference = Fresh(*model, ids, 64);
  for (const size_t at : {0, 3, 4, 5, 127, 128, 129, 257}) {
    Alone before(*model, kContext, 17);
    before.Evaluate(std::span(ids).first(at), LogitRows::kNone, nullptr);
    const std::vector<uint8_t> bytes = before.memory.Snapshot();
    Alone after(*model, kContext, 50);
    after.Evaluate(RandomIds(*model, 40, 99), LogitRows::kNone, nullptr);
    after.memory.Restore(bytes);
    EXPECT_EQ(after.position(), static_cast<int64_t>(at));
    EXPECT_EQ(after.memory.Snapshot(), bytes);
    const std::vector<float> rest =
        Logits(&after, std::span(ids).subspan(at), model->config().vocab);
    EXPECT_TRUE(SameBits(rest, Rows(reference, at, model->config().vocab))) << "at " << at;
  }
}

TEST_P(EveryPrecision, RollBackAndAnotherPathIsAsIfFresh) {
  const auto model = Open(GetParam());
  const std::vector<int32_t> ids = RandomIds(*model, 170, 4), other = RandomIds(*model, 20, 5);
  for (const int64_t back : {1, 4, 9, 32, 33, 130, 170}) {
    Alone sequence(*model, kContext, 32);
    sequence.Evaluate(ids, LogitRows::kNone, nullptr);
    sequence.RollBack(back);
    const size_t kept = ids.size() - static_cast<size_t>(back);
    EXPECT_EQ(sequence.position(), static_cast<int64_t>(kept));
    std::vector<int32_t> path(ids.begin(), ids.begin() + static_cast<long>(kept));
    path.insert(path.end(), other.begin(), other.end());
    const std::vector<float> expected = Rows(Fresh(*model, path, 64), kept, model->config().vocab);
    EXPECT_TRUE(SameBits(Logits(&sequence, other, model->config().vocab), expected)) << back;
  }
}

INSTANTIATE_TEST_SUITE_P(Sequence, EveryPrecision,
                         testing::Values(Precision::kPublished, Precision::kBf16,
                                         Precision::kFloat32));

TEST(Sequence, RandomChunkSchedulesRollbacksAndSnapshotsAgree) {
  const auto model = Open();
  const int32_t vocab = model->config().vocab;
  const std::vector<int32_t> ids = RandomIds(*model, 270, 6);
  const std::vector<float> reference = Fresh(*model, ids, 128);
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Alone sequence(*model, kContext, 24);
    while (sequence.position() < static_cast<int64_t>(ids.size())) {
      const size_t at = static_cast<size_t>(sequence.position());
      const size_t count = std::min<size_t>(1 + random() % 60, ids.size() - at);
      const std::vector<float> logits = Logits(&sequence, std::span(ids).subspan(at, count), vocab);
      const std::vector<float> expected(
          reference.begin() + static_cast<long>(at * static_cast<size_t>(vocab)),
          reference.begin() + static_cast<long>((at + count) * static_cast<size_t>(vocab)));
      ASSERT_TRUE(SameBits(logits, expected)) << "from " << at;
      if (random() % 3 == 0)
        sequence.RollBack(static_cast<int64_t>(random() % 20) % sequence.position());
      if (random() % 4 == 0) sequence.memory.Restore(sequence.memory.Snapshot());
    }
  }
}

TEST(Sequence, LastRowAloneEqualsTheLastOfAllRows) {
  const auto model = Open();
  const std::vector<int32_t> ids = RandomIds(*model, 70, 8);
  const std::vector<float> all = Fresh(*model, ids, 16);
  Alone sequence(*model, kContext, 16);
  std::vector<float> last(static_cast<size_t>(model->config().vocab));
  sequence.Evaluate(ids, LogitRows::kLast, last.data());
  EXPECT_TRUE(SameBits(last, Rows(all, ids.size() - 1, model->config().vocab)));
}

TEST(Sequence, ChangingATokenChangesNothingBeforeIt) {
  const auto model = Open();
  std::vector<int32_t> ids = RandomIds(*model, 150, 9);
  const std::vector<float> before = Fresh(*model, ids, 64);
  const size_t changed = 77, vocab = static_cast<size_t>(model->config().vocab);
  ids[changed] = (ids[changed] + 1) % model->config().vocab;
  const std::vector<float> after = Fresh(*model, ids, 64);
  EXPECT_EQ(memcmp(before.data(), after.data(), changed * vocab * sizeof(float)), 0);
  EXPECT_NE(memcmp(before.data() + changed * vocab, after.data() + changed * vocab,
                   vocab * sizeof(float)),
            0);
}

TEST(Sequence, ResetForgetsALongerPrompt) {
  const auto model = Open();
  Alone sequence(*model, kContext, 32);
  sequence.Evaluate(RandomIds(*model, 200, 10), LogitRows::kNone, nullptr);
  sequence.memory.Reset();
  const std::vector<int32_t> ids = RandomIds(*model, 3, 11);
  EXPECT_TRUE(SameBits(Logits(&sequence, ids, model->config().vocab), Fresh(*model, ids, 8)));
}

TEST(Sequence, ForkGoesItsOwnWay) {
  const auto model = Open();
  const std::vector<int32_t> ids = RandomIds(*model, 140, 12), left = RandomIds(*model, 20, 13),
                             right = RandomIds(*model, 20, 14);
  Alone trunk(*model, kContext, 32);
  trunk.Evaluate(ids, LogitRows::kNone, nullptr);
  Alone branch(*model, kContext, 32);
  branch.memory.Restore(trunk.memory.Snapshot());
  const std::unique_ptr<Sequence> fork = trunk.memory.Fork();
  EXPECT_EQ(fork->Snapshot(), branch.memory.Snapshot());
  const std::vector<float> on_trunk = Logits(&trunk, left, model->config().vocab);
  const std::vector<float> on_branch = Logits(&branch, right, model->config().vocab);
  const auto expected = [&](const std::vector<int32_t>& tail) {
    std::vector<int32_t> path = ids;
    path.insert(path.end(), tail.begin(), tail.end());
    return Rows(Fresh(*model, path, 64), ids.size(), model->config().vocab);
  };
  EXPECT_TRUE(SameBits(on_trunk, expected(left)));
  EXPECT_TRUE(SameBits(on_branch, expected(right)));
}

TEST(Sequence, CancelBetweenLayersLeavesWholeChunks) {
  const auto model = Open();
  const std::vector<int32_t> ids = RandomIds(*model, 90, 15);
  Alone sequence(*model, kContext, 30);
  std::atomic<bool> cancel{false};
  EvaluateControl control;
  control.cancel = &cancel;
  control.progress = [&](int64_t done, int64_t) {
    if (done == 60) cancel = true;
    return true;
  };
  Message([&] { sequence.Evaluate(ids, LogitRows::kNone, nullptr, control); }, Code::kCancelled);
  EXPECT_EQ(sequence.position(), 60);
  const std::vector<float> rest =
      Logits(&sequence, std::span(ids).subspan(60), model->config().vocab);
  EXPECT_TRUE(SameBits(rest, Rows(Fresh(*model, ids, 64), 60, model->config().vocab)));
}

TEST(Sequence, RefusesTokensOutsideTheVocabularyAndBeyondTheContext) {
  const auto model = Open();
  Alone sequence(*model, 16, 8);
  const int32_t vocab = model->config().vocab;
  const std::vector<int32_t> bad = {1, vocab}, negative = {-1}, many(17, 1);
  EXPECT_NE(
      Message([&] { sequence.Evaluate(bad, LogitRows::kNone, nullptr); }, Code::kInvalidArgument)
          .find("tokens[1]: id " + std::to_string(vocab)),
      std::string::npos);
  Message([&] { sequence.Evaluate(negative, LogitRows::kNone, nullptr); }, Code::kInvalidArgument);
  EXPECT_NE(Message([&] { sequence.Evaluate(many, LogitRows::kNone, nullptr); }, Code::kContextFull)
                .find("17 tokens"),
            std::string::npos);
  EXPECT_EQ(sequence.position(), 0);
  Message([&] { sequence.RollBack(1); }, Code::kInvalidArgument);
}

TEST(Sequence, DamagedSnapshotsAreRefusedAndChangeNothing) {
  const auto model = Open();
  const std::vector<int32_t> ids = RandomIds(*model, 60, 16), more = RandomIds(*model, 10, 17);
  Alone source(*model, kContext, 16);
  source.Evaluate(ids, LogitRows::kNone, nullptr);
  const std::vector<uint8_t> good = source.memory.Snapshot();
  Alone sequence(*model, kContext, 16);
  sequence.Evaluate(more, LogitRows::kNone, nullptr);
  const std::vector<uint8_t> untouched = sequence.memory.Snapshot();
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<uint8_t> bad = good;
    const size_t at = i < 40 ? static_cast<size_t>(i) : random() % bad.size();
    bad[at] = static_cast<uint8_t>(bad[at] ^ (1u << (random() % 8)));
    EXPECT_THROW(sequence.memory.Restore(bad), Error) << "byte " << at;
  }
  for (const size_t size : {size_t{0}, size_t{7}, size_t{39}, good.size() - 1}) {
    EXPECT_THROW(sequence.memory.Restore(std::span(good).first(size)), Error) << size;
  }
  const auto other = Open(Precision::kBf16);
  Alone elsewhere(*other, kContext, 16);
  EXPECT_NE(
      Message([&] { elsewhere.memory.Restore(good); }, Code::kInvalidArgument).find("precision"),
      std::string::npos);
  Alone small(*model, 59, 16);
  Message([&] { small.memory.Restore(good); }, Code::kContextFull);
  EXPECT_EQ(sequence.memory.Snapshot(), untouched);
}

TEST(ChooseChunkTokens, TakesMoreWhereMemoryIsPlentyAndTheContextIsNotLong) {
  const auto model = Open();
  EXPECT_EQ(ChooseChunkTokens(*model, 32768, UINT64_MAX), 1024);
  EXPECT_EQ(ChooseChunkTokens(*model, 131073, UINT64_MAX), 256);
  EXPECT_EQ(ChooseChunkTokens(*model, 32768, 0), 256);
  const auto bytes = [&](int32_t chunk) {
    return Sequence::PlanBytes(model->config(), model->precision(), 32768, chunk) +
           Evaluator::PlanBytes(*model, 32768, chunk);
  };
  EXPECT_EQ(ChooseChunkTokens(*model, 32768, 8 * (bytes(512) - bytes(256))), 512);
  EXPECT_EQ(ChooseChunkTokens(*model, 32768, 8 * (bytes(512) - bytes(256)) - 1), 256);
}

TEST(Sequence, PlanGrowsWithContextByTheBlocksOfEntries) {
  const auto model = Open();
  const Config& c = model->config();
  const auto plan = [&](int64_t context_tokens) {
    return Sequence::PlanBytes(c, Precision::kPublished, context_tokens, 32) +
           Evaluator::PlanBytes(*model, context_tokens, 32);
  };
  const uint64_t small = plan(8192), large = plan(16384);
  uint64_t blocks = 0;
  const uint64_t kv =
      KvFormat{static_cast<size_t>(c.head_dim), static_cast<size_t>(c.rope_dim)}.Bytes();
  const uint64_t key = static_cast<uint64_t>(c.index_head_dim / 2 + c.index_head_dim / 32);
  for (int32_t i = 0; i < c.layers_count; ++i) {
    const LayerSpec& layer = c.layers[static_cast<size_t>(i)];
    if (layer.kind == LayerKind::kWindow) continue;
    // 512, 4,096 and 8,192 tokens, each with a place in a list.
    const auto of = [](unsigned shift, uint64_t bytes) {
      return BlockList::BlockBytes({static_cast<size_t>(bytes), shift}) + sizeof(uint8_t*);
    };
    blocks += layer.kind == LayerKind::kCsa ? 16 * of(7, kv) + 2 * of(10, key) : of(6, kv);
  }
  // Scores of 32 rows: of index keys, and of the entries of the deepest layer by every head.
  const uint64_t scores_and_ids = 2048 * 32 * sizeof(int16_t) + 8192 * sizeof(int32_t) +
                                  8192 / 128 * 32 * static_cast<uint64_t>(c.heads) * sizeof(float);
  EXPECT_EQ(large - small, blocks + scores_and_ids);
}

}  // namespace
}  // namespace finback
