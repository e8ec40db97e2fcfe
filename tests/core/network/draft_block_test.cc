// A draft block told of a sequence piece by piece, with guesses in between, against one pass over
// all of it: equal bits.
#include "core/network/draft/draft_block.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "core/network/evaluator.h"
#include "core/network/layer.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr size_t kTokens = 60;  // several windows of 16

const Model& TestModel() {
  static const std::unique_ptr<Model> model = [] {
    const std::string path = testing::TempDir() + "finback_draft_checkpoint";
    std::filesystem::create_directories(path);
    MakeTinyCheckpoint(path, 3);
    return Model::Open(path, {.threads = 1});
  }();
  return *model;
}

size_t Residual() { return TestModel().compute().sizes.residual(); }
size_t Vocab() { return TestModel().compute().sizes.vocab; }

std::vector<int32_t> SomeIds(uint32_t seed, size_t count = kTokens + 1) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint32_t>(Vocab()));
  return ids;
}

// What the last layer leaves of each token.
std::vector<float> StreamsOf(std::span<const int32_t> ids, int32_t chunk_tokens = 64) {
  Sequence sequence(TestModel(), 128, chunk_tokens);
  Evaluator evaluator(TestModel(), 128, chunk_tokens);
  std::vector<float> streams(ids.size() * Residual());
  const Segment segment{&sequence, ids, LogitRows::kNone, nullptr, ids.size(), streams.data()};
  evaluator.Run({&segment, 1});
  return streams;
}

// A sequence, its streams, and the logits that one pass of the block over all of it gives.
struct Case {
  std::vector<int32_t> ids;  // one more than tokens
  std::vector<float> streams, logits;

  explicit Case(uint32_t seed) : ids(SomeIds(seed)) {
    streams = StreamsOf(std::span<const int32_t>(ids).first(kTokens));
    const Model& model = TestModel();
    const size_t layer = model.compute().sizes.layers;
    std::vector<LayerState> layers(layer + 1);
    Scratch scratch;
    DraftScratch draft;
    Reserve reserve(Reserve::Mode::kTake);
    ReserveLayer(model.compute().sizes, model.compute().numerics, model.config().layers[layer],
                 {kTokens, kTokens}, &reserve, &layers.back());
    scratch.ReserveAll(model.compute(), kTokens, kTokens, &reserve);
    draft.ReserveAll(model.compute(), kTokens, &reserve);
    const PassSegment all{0, kTokens, 0, layers};
    logits.resize(kTokens * Vocab());
    std::vector<float*> rows;
    for (size_t i = 0; i < kTokens; ++i) rows.push_back(&logits[i * Vocab()]);
    RunDraft({model.compute(), model.weights(), Next(0, kTokens), {&all, 1}, &scratch},
             streams.data(), &draft, rows);
  }
  std::span<const int32_t> Next(size_t begin, size_t end) const {
    return std::span<const int32_t>(ids).subspan(begin + 1, end - begin);
  }
  const float* Streams(size_t position) const { return &streams[position * Residual()]; }

  void Remember(DraftBlock* block, size_t begin, size_t end) const {
    block->Remember(begin, Streams(begin), Next(begin, end));
  }
  int32_t Guess(DraftBlock* block, size_t begin, size_t end, size_t count = 1) const {
    std::vector<int32_t> out(count, -1);
    block->Guess(begin, Streams(begin), Next(begin, end), out);
    return out[0];
  }
  // Of the token at `position`, as the block has just computed them.
  void ExpectLogits(const DraftBlock& block, size_t position) const {
    EXPECT_TRUE(std::equal(block.logits(), block.logits() + Vocab(), &logits[position * Vocab()]))
        << "token " << position;
  }
};

TEST(DraftStreams, AreTheSameInAnyChunks) {
  const std::vector<int32_t> ids = SomeIds(1);
  const std::vector<float> whole = StreamsOf(ids);
  for (const int32_t chunk : {1, 7, 30}) EXPECT_EQ(StreamsOf(ids, chunk), whole) << chunk;
}

TEST(DraftStreams, AreThoseOfTheLastTokens) {
  const std::vector<int32_t> ids = SomeIds(2);
  const std::vector<float> whole = StreamsOf(ids);
  for (const size_t rows : {size_t{1}, size_t{9}, size_t{40}}) {
    Sequence sequence(TestModel(), 128, 8);
    Evaluator evaluator(TestModel(), 128, 8);
    std::vector<float> streams(rows * Residual()), logits(Vocab());
    const Segment segment{&sequence, ids, LogitRows::kLast, logits.data(), rows, streams.data()};
    evaluator.Run({&segment, 1});
    EXPECT_TRUE(std::equal(streams.rbegin(), streams.rend(), whole.rbegin())) << rows;
  }
}

TEST(DraftBlock, GuessesAsOnePassOverAllTokensDoes) {
  const Case all(4);
  DraftBlock block(TestModel());
  const size_t ends[] = {1, 2, 9, 28, 29, 50, kTokens};
  size_t known = 0;
  for (const size_t end : ends) {
    all.Guess(&block, known, end);
    all.ExpectLogits(block, end - 1);
    known = end;
  }
}

TEST(DraftBlock, IsToldOfTokensWithoutGuessing) {
  const Case all(5);
  DraftBlock block(TestModel());
  all.Remember(&block, 0, 37);
  all.Remember(&block, 37, 38);
  all.Guess(&block, 38, kTokens);
  all.ExpectLogits(block, kTokens - 1);
  EXPECT_EQ(block.begin(), 0u);
  EXPECT_EQ(block.end(), kTokens);
}

TEST(DraftBlock, ForgetsItsGuesses) {
  const Case all(6);
  DraftBlock block(TestModel());
  for (size_t end = 1, known = 0; end <= kTokens; end += 1 + end % 3) {
    all.Guess(&block, known, end, 1 + end % DraftBlock::kRows);
    known = end;
    DraftBlock fresh(TestModel());
    all.Guess(&fresh, 0, end);
    all.ExpectLogits(fresh, end - 1);
  }
}

TEST(DraftBlock, GoesBackToWhereASequenceWent) {
  const Case all(7), other(8);
  DraftBlock block(TestModel());
  all.Remember(&block, 0, 30);
  other.Remember(&block, 30, 40);
  all.Guess(&block, 30, 45);
  all.ExpectLogits(block, 44);
}

TEST(DraftBlock, BeginsAnewWhereTokensAreMissing) {
  const Case all(9);
  DraftBlock block(TestModel()), fresh(TestModel());
  all.Remember(&block, 0, 10);
  all.Remember(&block, 12, 20);
  EXPECT_EQ(block.begin(), 12u);
  const int32_t guessed = all.Guess(&block, 20, 21);
  EXPECT_EQ(guessed, all.Guess(&fresh, 12, 21));
  EXPECT_TRUE(std::equal(block.logits(), block.logits() + Vocab(), fresh.logits()));
}

TEST(DraftBlock, BeginsAnewFurtherBackThanItsRingReaches) {
  const Case all(10);
  DraftBlock block(TestModel());
  all.Remember(&block, 0, 50);
  all.Remember(&block, 30, 31);
  EXPECT_EQ(block.begin(), 30u);
}

TEST(DraftBlock, GoesOnWithItsOwnStreams) {
  const Case all(11);
  DraftBlock block(TestModel());
  std::vector<int32_t> guesses(4);
  block.Guess(0, all.Streams(0), all.Next(0, 20), guesses);
  std::vector<int32_t> again(guesses.size());
  block.Guess(0, all.Streams(0), all.Next(0, 20), again);
  EXPECT_EQ(guesses, again);
  for (size_t count = 1; count < guesses.size(); ++count) {
    std::vector<int32_t> fewer(count);
    block.Guess(0, all.Streams(0), all.Next(0, 20), fewer);
    EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), guesses.begin())) << count;
  }
}

}  // namespace
}  // namespace finback
