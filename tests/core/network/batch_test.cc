// Sequences evaluated together get the bits that each gets alone, whoever else is in the batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/network/evaluator.h"
#include "core/network/sequence.h"
#include "tests/core/base/code_of.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

constexpr int64_t kContext = 400;

// Window, CSA and HCA layers, routed by hash and by score.
const std::string& Folder() {
  static const std::string folder =
      MakeTinyCheckpoint(testing::TempDir() + "finback_batch_checkpoint", 21);
  return folder;
}

std::unique_ptr<Model> Open(Precision precision, int threads, const std::string& folder) {
  return Model::Open(folder, {.precision = precision, .threads = threads});
}

using Random = std::mt19937;

size_t Below(Random* random, size_t count) { return (*random)() % count; }

std::vector<int32_t> RandomIds(size_t count, int32_t vocab, Random* random) {
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(Below(random, static_cast<size_t>(vocab)));
  return ids;
}

// A conversation: all its ids, and what they give when nothing else is computed.
struct Expected {
  std::vector<int32_t> ids;
  std::vector<float> logits;      // [ids, vocab]
  std::vector<uint8_t> snapshot;  // after all of them
};

Expected ComputeAlone(const Model& model, std::vector<int32_t> ids) {
  Expected expected{std::move(ids), {}, {}};
  expected.logits.resize(expected.ids.size() * static_cast<size_t>(model.config().vocab));
  Sequence sequence(model, kContext, 64);
  Evaluator evaluator(model, kContext, 64);
  const Segment all{&sequence, expected.ids, LogitRows::kAll, expected.logits.data()};
  evaluator.Run({&all, 1});
  expected.snapshot = sequence.Snapshot();
  return expected;
}

std::vector<uint8_t> SnapshotAlone(const Model& model, std::span<const int32_t> ids) {
  Sequence sequence(model, kContext, 32);
  Evaluator evaluator(model, kContext, 32);
  const Segment all{&sequence, ids};
  evaluator.Run({&all, 1});
  return sequence.Snapshot();
}

// A conversation in the middle of being evaluated with others.
struct Conversation {
  const Expected& expected;
  Sequence sequence;
  std::vector<float> logits = {};  // of the present segment

  size_t at() const { return static_cast<size_t>(sequence.position()); }
  size_t left() const { return expected.ids.size() - at(); }
};

// Draws who takes part in a batch, with how many ids, and which logits are wanted.
std::vector<Segment> DrawBatch(std::deque<Conversation>* all, size_t vocab, Random* random) {
  std::vector<Segment> batch;
  for (Conversation& c : *all) {
    if (c.left() == 0 || Below(random, 3) == 0) continue;
    const size_t most = Below(random, 2) == 0 ? 3 : 60;  // decodes and prefills
    const size_t count = std::min(Below(random, most), c.left());
    const LogitRows rows = static_cast<LogitRows>(Below(random, 3));
    c.logits.assign((rows == LogitRows::kAll ? count : 1) * vocab, -1.0f);
    batch.push_back(
        {&c.sequence, std::span(c.expected.ids).subspan(c.at(), count), rows, c.logits.data()});
  }
  std::shuffle(batch.begin(), batch.end(), *random);
  return batch;
}

// The logits that `segment` wanted, evaluated from `begin` on, are those of the conversation alone.
void ExpectLogits(const Conversation& c, const Segment& segment, size_t begin, size_t vocab) {
  if (segment.ids.empty() || segment.rows == LogitRows::kNone) {
    for (const float value : c.logits) ASSERT_EQ(value, -1.0f) << "nothing was asked for";
    return;
  }
  const size_t rows = segment.rows == LogitRows::kAll ? segment.ids.size() : 1;
  const size_t first = begin + segment.ids.size() - rows;
  ASSERT_EQ(memcmp(c.logits.data(), c.expected.logits.data() + first * vocab,
                   rows * vocab * sizeof(float)),
            0)
      << rows << " rows from " << first;
}

class TogetherAsAlone : public testing::TestWithParam<Precision> {};

TEST_P(TogetherAsAlone, RandomBatchesGiveTheBitsOfEachAlone) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const auto reference = Open(GetParam(), 1, Folder());
  const int32_t vocab = reference->config().vocab;
  const size_t width = static_cast<size_t>(vocab);
  std::vector<Expected> expected;
  for (size_t i = 0; i < 5; ++i) {
    const size_t length = i == 0 ? 130 + Below(&random, 80) : 1 + Below(&random, 70);
    expected.push_back(ComputeAlone(*reference, RandomIds(length, vocab, &random)));
  }
  for (const int threads : {1, 2, 3}) {
    const auto model = Open(GetParam(), threads, Folder());
    const int32_t chunk = static_cast<int32_t>(1 + Below(&random, 70));
    SCOPED_TRACE(std::to_string(threads) + " threads, chunk " + std::to_string(chunk));
    Evaluator evaluator(*model, kContext, chunk);
    std::deque<Conversation> all;
    for (const Expected& e : expected) {
      all.push_back({e, Sequence(*model, kContext, static_cast<int32_t>(1 + Below(&random, 70)))});
    }
    for (;;) {
      size_t left = 0;
      for (const Conversation& c : all) left += c.left();
      if (left == 0) break;
      const std::vector<Segment> batch = DrawBatch(&all, width, &random);
      std::vector<size_t> before;
      for (const Segment& segment : batch) {
        before.push_back(static_cast<size_t>(segment.sequence->position()));
      }
      evaluator.Run(batch);
      for (size_t i = 0; i < batch.size(); ++i) {
        for (const Conversation& c : all) {
          if (&c.sequence != batch[i].sequence) continue;
          ASSERT_EQ(c.at(), before[i] + batch[i].ids.size());
          ASSERT_NO_FATAL_FAILURE(ExpectLogits(c, batch[i], before[i], width));
        }
      }
    }
    for (const Conversation& c : all) {
      EXPECT_EQ(c.sequence.Snapshot(), c.expected.snapshot);
    }
  }
}

TEST_P(TogetherAsAlone, CancelledBatchesLeaveWholeChunksAndGoOn) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const auto model = Open(GetParam(), 2, Folder());
  const int32_t vocab = model->config().vocab;
  const size_t width = static_cast<size_t>(vocab);
  std::vector<Expected> expected;
  for (size_t i = 0; i < 3; ++i) {
    expected.push_back(ComputeAlone(*model, RandomIds(30 + Below(&random, 40), vocab, &random)));
  }
  Evaluator evaluator(*model, kContext, 20);
  std::deque<Conversation> all;
  for (const Expected& e : expected) all.push_back({e, Sequence(*model, kContext, 20)});

  std::vector<Segment> batch;
  int64_t total = 0;
  for (Conversation& c : all) {
    batch.push_back({&c.sequence, c.expected.ids});
    total += static_cast<int64_t>(c.left());
  }
  // Stopped twice: between layers of the chunk after one that was drawn, and by the callback.
  std::atomic<bool> cancel{false};
  // Of 90 tokens at least, at most 49 are done after the first time: there is a second.
  const int64_t stop = static_cast<int64_t>(1 + Below(&random, 30));
  for (const bool by_flag : {true, false}) {
    int64_t finished = 0;
    EvaluateControl control;
    if (by_flag) control.cancel = &cancel;
    control.progress = [&](int64_t done, int64_t of) {
      EXPECT_EQ(of, total);
      finished = done;
      if (done >= stop) cancel = true;
      return by_flag || done < stop;
    };
    try {
      evaluator.Run(batch, control);
      FAIL() << "was not cancelled";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
    }
    int64_t held = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      Conversation& c = all[i];
      held += static_cast<int64_t>(batch[i].ids.size() - c.left());
      EXPECT_EQ(c.sequence.Snapshot(),
                SnapshotAlone(*model, std::span(c.expected.ids).first(c.at())));
      batch[i].ids = std::span(c.expected.ids).subspan(c.at());
      c.logits.assign(batch[i].ids.size() * width, 0.0f);
      batch[i].rows = LogitRows::kAll;
      batch[i].logits = c.logits.data();
    }
    EXPECT_EQ(held, finished);
    total -= finished;
  }
  evaluator.Run(batch);
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t begin = all[i].expected.ids.size() - batch[i].ids.size();
    ASSERT_NO_FATAL_FAILURE(ExpectLogits(all[i], batch[i], begin, width));
  }
}

INSTANTIATE_TEST_SUITE_P(Batch, TogetherAsAlone,
                         testing::Values(Precision::kPublished, Precision::kFloat32));

TEST(Batch, ADamagedExpertStopsThoseWhoNeedItAndLeavesTheOthersTheirBits) {
  // An expert of the second layer, which routes by token id, with a scale that is not a number.
  BuiltCheckpoint built = BuildCheckpoint(TinyConfig(), 22);
  const std::vector<int64_t> table = [&] {
    const std::string& bytes = built.At("layers.1.ffn.gate.tid2eid").data;
    std::vector<int64_t> ids(bytes.size() / sizeof(int64_t));
    memcpy(ids.data(), bytes.data(), bytes.size());
    return ids;
  }();
  constexpr int64_t kDamaged = 5;
  built.At("layers.1.ffn.experts.5.w2.scale").data[0] = '\xFF';
  const std::string folder = testing::TempDir() + "finback_batch_damaged";
  built.Write(folder);
  const auto model = Open(Precision::kPublished, 2, folder);
  const int32_t vocab = model->config().vocab;
  const size_t k = static_cast<size_t>(model->config().experts_per_token);
  const auto needs_it = [&](int32_t id) {
    const auto begin = table.begin() + static_cast<long>(static_cast<size_t>(id) * k);
    return std::find(begin, begin + static_cast<long>(k), kDamaged) != begin + static_cast<long>(k);
  };
  std::vector<int32_t> sound, bad;
  for (int32_t id = 0; id < vocab; ++id) (needs_it(id) ? bad : sound).push_back(id);
  ASSERT_FALSE(bad.empty());
  std::vector<int32_t> left(sound.begin(), sound.begin() + 50);
  std::vector<int32_t> right(sound.begin() + 50, sound.begin() + 100);
  right[40] = bad[0];
  const Expected alone = ComputeAlone(*model, left);

  Sequence one(*model, kContext, 8), other(*model, kContext, 8);  // half of each chunk
  Evaluator evaluator(*model, kContext, 16);
  std::vector<float> logits(left.size() * static_cast<size_t>(vocab));
  const Segment batch[] = {{&one, left, LogitRows::kAll, logits.data()}, {&other, right}};
  EXPECT_EQ(CodeOf([&] { evaluator.Run(batch); }), Code::kCheckpoint);
  EXPECT_EQ(one.Snapshot(),
            SnapshotAlone(*model, std::span(left).first(static_cast<size_t>(one.position()))));
  EXPECT_EQ(other.Snapshot(),
            SnapshotAlone(*model, std::span(right).first(static_cast<size_t>(other.position()))));
  EXPECT_EQ(one.position(), 40);
  EXPECT_EQ(other.position(), 40);
  const std::vector<int32_t> rest(left.begin() + one.position(), left.end());
  std::vector<float> last(static_cast<size_t>(vocab));
  const Segment again{&one, rest, LogitRows::kLast, last.data()};
  evaluator.Run({&again, 1});
  EXPECT_EQ(memcmp(last.data(), alone.logits.data() + alone.logits.size() - last.size(),
                   last.size() * sizeof(float)),
            0);
}

TEST(Batch, AFailureBetweenLayersLeavesEveryMemoryAsItWas) {
  // The last layer's weights are damaged, so that each pass fails when the others have written.
  BuiltCheckpoint built = BuildCheckpoint(TinyConfig(), 23);
  const std::string folder = testing::TempDir() + "finback_batch_last_layer";
  built.Write(folder + "_sound");
  built.At("layers.4.attn.wq_a.scale").data[0] = '\xFF';
  built.Write(folder + "_damaged");
  const auto sound = Open(Precision::kPublished, 1, folder + "_sound");
  const auto damaged = Open(Precision::kPublished, 1, folder + "_damaged");
  Random random(23);
  Evaluator evaluator(*damaged, kContext, 64);
  std::deque<Sequence> sequences;
  std::vector<std::vector<uint8_t>> before;
  std::vector<Segment> batch;
  const std::vector<int32_t> more = RandomIds(40, sound->config().vocab, &random);
  for (const size_t length : {130, 21, 5}) {
    before.push_back(SnapshotAlone(*sound, RandomIds(length, sound->config().vocab, &random)));
    sequences.emplace_back(*damaged, kContext, 16);
    sequences.back().Restore(before.back());
    batch.push_back({&sequences.back(), more});
  }
  EXPECT_EQ(CodeOf([&] { evaluator.Run(batch); }), Code::kCheckpoint);
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(sequences[i].Snapshot(), before[i]) << i;
  }
}

TEST(Batch, WhoIsLeftOutBetweenLayersHoldsWhatItHeldAndTheOthersGetTheirBits) {
  const auto model = Open(Precision::kPublished, 2, Folder());
  const int32_t vocab = model->config().vocab;
  const size_t width = static_cast<size_t>(vocab), layers = model->compute().sizes.layers;
  Random random(24);
  std::vector<Expected> expected;
  for (const size_t length : {50, 43, 61, 37}) {
    expected.push_back(ComputeAlone(*model, RandomIds(length, vocab, &random)));
  }
  Evaluator evaluator(*model, kContext, 64);
  for (size_t gone = 0; gone < expected.size(); ++gone) {
    for (size_t after = 0; after < layers; ++after) {
      std::deque<Sequence> sequences;
      std::vector<std::vector<float>> logits;
      std::vector<Segment> batch;
      std::vector<PassPart> parts;
      for (const Expected& e : expected) {
        sequences.emplace_back(*model, kContext, 40);
        const Segment before{&sequences.back(), std::span(e.ids).first(30)};
        evaluator.Run({&before, 1});
        sequences.back().TakeBlocks(7);
        logits.emplace_back(7 * width);
        batch.push_back({&sequences.back(), std::span(e.ids).subspan(30, 7),
                         batch.size() == 1 ? LogitRows::kLast : LogitRows::kAll,
                         logits.back().data()});
      }
      for (const Segment& segment : batch) parts.push_back({&segment, 0, 7});
      evaluator.BeginPass(parts);
      for (size_t layer = 0; layer < layers; ++layer) {
        if (layer == after) evaluator.LeaveOut(sequences[gone]);
        EXPECT_EQ(evaluator.ComputeLayer(), layer + 1 < layers);
      }
      evaluator.EndPass();
      sequences[gone].DropSpare();
      for (size_t i = 0; i < expected.size(); ++i) {
        const size_t held = i == gone ? 30 : 37;
        EXPECT_EQ(sequences[i].Snapshot(),
                  SnapshotAlone(*model, std::span(expected[i].ids).first(held)));
        if (i == gone) continue;
        const size_t rows = batch[i].rows == LogitRows::kAll ? 7 : 1;
        EXPECT_EQ(memcmp(logits[i].data(), expected[i].logits.data() + (37 - rows) * width,
                         rows * width * sizeof(float)),
                  0);
      }
    }
  }
}

TEST(Batch, OneBadSegmentIsRefusedBeforeAnythingIsDone) {
  const auto model = Open(Precision::kPublished, 1, Folder());
  const auto stranger = Open(Precision::kPublished, 1, Folder());
  const std::vector<int32_t> good = {1, 2, 3}, outside = {1, model->config().vocab}, many(20, 1);
  Evaluator evaluator(*model, 64, 16);
  Sequence first(*model, 64, 16), small(*model, 16, 16), large(*model, 65, 16),
      foreign(*stranger, 64, 16);
  const auto refused = [&](Sequence* sequence, const std::vector<int32_t>& ids) {
    const Segment batch[] = {{&first, good}, {sequence, ids}};
    const Code code = CodeOf([&] { evaluator.Run(batch); });
    EXPECT_EQ(first.position(), 0);
    EXPECT_EQ(sequence->position(), 0);
    return code;
  };
  EXPECT_EQ(refused(&small, outside), Code::kInvalidArgument);
  EXPECT_EQ(refused(&small, many), Code::kContextFull);
  EXPECT_EQ(refused(&large, good), Code::kInvalidArgument);
  EXPECT_EQ(refused(&foreign, good), Code::kInvalidArgument);
  EXPECT_EQ(refused(&first, good), Code::kInvalidArgument);
  evaluator.Run({});
}

TEST(Batch, ALongChunkThatFailsLeavesEveryMemoryAsItWas) {
  // Both layers before the damaged expert compress; 90 tokens are more than their memories hold.
  auto config = TinyConfig();
  config["compress_ratios"][0] = 4;
  config["compress_ratios"][1] = 128;
  BuiltCheckpoint built = BuildCheckpoint(config, 23);
  const std::string& table = built.At("layers.1.ffn.gate.tid2eid").data;
  const size_t k = table.size() / sizeof(int64_t) / config["vocab_size"].get<size_t>();
  built.At("layers.1.ffn.experts.5.w2.scale").data[0] = '\xFF';
  std::vector<int32_t> sound, bad;
  for (size_t id = 0; (id + 1) * k * sizeof(int64_t) <= table.size(); ++id) {
    bool needs_it = false;
    for (size_t i = 0; i < k; ++i) {
      int64_t expert;
      memcpy(&expert, table.data() + (id * k + i) * sizeof expert, sizeof expert);
      needs_it |= expert == 5;
    }
    (needs_it ? bad : sound).push_back(static_cast<int32_t>(id));
  }
  ASSERT_FALSE(bad.empty());
  const std::string folder = testing::TempDir() + "finback_batch_failed_chunk";
  built.Write(folder);
  const auto model = Open(Precision::kPublished, 2, folder);
  const auto take = [&](size_t from, size_t count) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back(sound[(from + i) % sound.size()]);
    return ids;
  };
  const std::vector<int32_t> first = take(0, 150), second = take(7, 90);
  std::vector<int32_t> failing = take(60, 90);
  failing[89] = bad[0];

  Sequence sequence(*model, kContext, 90);
  Evaluator evaluator(*model, kContext, 90);
  const auto run = [&](const std::vector<int32_t>& ids) {
    const Segment all{&sequence, ids};
    evaluator.Run({&all, 1});
  };
  run(first);
  const std::vector<uint8_t> before = sequence.Snapshot();
  EXPECT_EQ(CodeOf([&] { run(failing); }), Code::kCheckpoint);
  EXPECT_EQ(sequence.Snapshot(), before);
  run(second);
  std::vector<int32_t> all = first;
  all.insert(all.end(), second.begin(), second.end());
  EXPECT_EQ(sequence.Snapshot(), SnapshotAlone(*model, all));
}

}  // namespace
}  // namespace finback
