// Whoever computes beside whom, and on whose thread: each gets the bits that it gets alone.
#include "core/local/together/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/status.h"
#include "tests/core/base/code_of.h"
#include "tests/core/base/counting_allocator.h"
#include "tests/core/checkpoint/checkpoint_builder.h"
#include "tests/core/network/token_ids.h"

namespace finback {
namespace {

constexpr int64_t kContext = 300;
constexpr int32_t kChunk = 24;

const Model& TestModel() {
  static const std::unique_ptr<Model> model = Model::Open(
      MakeTinyCheckpoint(testing::TempDir() + "finback_together_checkpoint", 31), {.threads = 2});
  return *model;
}

SchedulerShape Shape(int32_t most_together = 8) {
  return {.context_tokens = kContext, .chunk_tokens = kChunk, .most_together = most_together};
}

size_t Vocab() { return static_cast<size_t>(TestModel().config().vocab); }

std::vector<int32_t> SomeIds(size_t count, uint64_t seed) {
  return RandomIds(count, seed, TestModel().config().vocab);
}

// A conversation, and what it gives when nothing else is computed.
struct Expected {
  std::vector<int32_t> ids;
  std::vector<float> logits;      // [ids, vocab]
  std::vector<uint8_t> snapshot;  // after all of them

  Expected(size_t count, uint64_t seed) : ids(SomeIds(count, seed)), logits(count * Vocab()) {
    Sequence sequence(TestModel(), kContext, kChunk);
    Evaluator evaluator(TestModel(), kContext, kChunk);
    const Segment all{&sequence, ids, LogitRows::kAll, logits.data()};
    evaluator.Run({&all, 1});
    snapshot = sequence.Snapshot();
  }
  bool Matches(size_t begin, size_t rows, const float* found) const {
    return memcmp(found, logits.data() + begin * Vocab(), rows * Vocab() * sizeof(float)) == 0;
  }
};

const Expected& Talk(size_t number) {
  static const std::vector<Expected> talks = [] {
    std::vector<Expected> made;
    for (size_t i = 0; i < 8; ++i) made.emplace_back(60 + 17 * i, i);
    return made;
  }();
  return talks[number % talks.size()];
}

// Evaluates some more of its talk, a few rows or many; true: there was some left.
bool Go(Scheduler* scheduler, Sequence* sequence, const Expected& talk, std::mt19937_64* random) {
  const size_t at = static_cast<size_t>(sequence->position());
  const size_t left = talk.ids.size() - at;
  if (left == 0) return false;
  const size_t rows = std::min<size_t>(left, (*random)() % 3 == 0 ? 1 + (*random)() % 40 : 1);
  const bool all = (*random)() % 2 == 0;
  std::vector<float> logits((all ? rows : 1) * Vocab());
  scheduler->Evaluate({sequence, std::span(talk.ids).subspan(at, rows),
                       all ? LogitRows::kAll : LogitRows::kLast, logits.data()});
  EXPECT_EQ(sequence->position(), static_cast<int64_t>(at + rows));
  EXPECT_TRUE(talk.Matches(all ? at : at + rows - 1, all ? rows : 1, logits.data()));
  if ((*random)() % 8 == 0)
    scheduler->RollBack(sequence,
                        1 + static_cast<int64_t>((*random)() % 20) % sequence->position());
  return true;
}

void InThreads(size_t count, const std::function<void(size_t)>& work) {
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

class TogetherTest : public testing::TestWithParam<int32_t> {};

TEST_P(TogetherTest, SequencesOfManyThreadsAreWhatEachIsAlone) {
  Scheduler scheduler(TestModel(), Shape(GetParam()));
  InThreads(6, [&](size_t i) {
    std::mt19937_64 random(100 + i);
    Sequence sequence(TestModel(), kContext, kChunk);
    while (Go(&scheduler, &sequence, Talk(i), &random)) {
    }
    EXPECT_EQ(sequence.Snapshot(), Talk(i).snapshot);
    scheduler.Leave(sequence);
  });
}

INSTANTIATE_TEST_SUITE_P(MostTogether, TogetherTest, testing::Values(1, 2, 8));

TEST(Scheduler, ThirtyTwoThreadsMayTakeTurnsAtEightSequences) {
  Scheduler scheduler(TestModel(), Shape());
  struct Place {
    std::mutex mutex;
    std::mt19937_64 random;
    std::optional<Sequence> sequence;
  };
  std::vector<Place> places(8);
  for (Place& place : places) place.sequence.emplace(TestModel(), kContext, kChunk);
  InThreads(32, [&](size_t i) {
    Place& place = places[i % places.size()];
    for (bool more = true; more;) {
      const std::lock_guard<std::mutex> lock(place.mutex);
      more = Go(&scheduler, &*place.sequence, Talk(i), &place.random);
    }
  });
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(places[i].sequence->Snapshot(), Talk(i).snapshot);
  }
}

TEST(Scheduler, ACancelStopsOneWhereverItIsAndNoOther) {
  Scheduler scheduler(TestModel(), Shape());
  std::atomic<int> running{4};
  std::vector<std::atomic<bool>> cancels(4);
  std::thread canceller([&] {
    std::mt19937_64 random(5);
    while (running.load() > 0) {
      cancels[random() % cancels.size()].store(true);
      std::this_thread::yield();
    }
  });
  std::atomic<int> stopped{0};
  InThreads(8, [&](size_t i) {
    std::mt19937_64 random(200 + i);
    if (i >= 4) {  // never cancelled
      Sequence sequence(TestModel(), kContext, kChunk);
      while (Go(&scheduler, &sequence, Talk(i), &random)) {
      }
      EXPECT_EQ(sequence.Snapshot(), Talk(i).snapshot);
      return;
    }
    Sequence sequence(TestModel(), kContext, kChunk);
    const Expected& talk = Talk(i);
    for (int stops = 0; static_cast<size_t>(sequence.position()) < talk.ids.size();) {
      const size_t at = static_cast<size_t>(sequence.position());
      EvaluateControl control;
      if (stops < 20) control.cancel = &cancels[i];
      const Code code = CodeOf([&] {
        scheduler.Evaluate({&sequence, std::span(talk.ids).subspan(at)}, control);
      });
      cancels[i].store(false);
      if (code == Code::kOk) break;
      EXPECT_EQ(code, Code::kCancelled);
      ++stops;
      ++stopped;
    }
    EXPECT_EQ(sequence.Snapshot(), talk.snapshot);
    --running;
  });
  canceller.join();
  EXPECT_GT(stopped.load(), 0);
}

TEST(Scheduler, ACancelThatIsThereBeforehandChangesNothing) {
  Scheduler scheduler(TestModel(), Shape());
  Sequence sequence(TestModel(), kContext, kChunk);
  const std::atomic<bool> cancel{true};
  EvaluateControl control;
  control.cancel = &cancel;
  EXPECT_EQ(CodeOf([&] {
              scheduler.Evaluate({&sequence, Talk(0).ids}, control);
            }),
            Code::kCancelled);
  EXPECT_EQ(sequence.position(), 0);
  scheduler.Evaluate({&sequence, Talk(0).ids});
  EXPECT_EQ(sequence.Snapshot(), Talk(0).snapshot);
}

TEST(Scheduler, ProgressIsToldOnTheThreadWhoseItIsAndStopsThatAlone) {
  Scheduler scheduler(TestModel(), Shape());
  InThreads(4, [&](size_t i) {
    const std::thread::id here = std::this_thread::get_id();
    const Expected& talk = Talk(i);
    Sequence sequence(TestModel(), kContext, kChunk);
    const int64_t total = static_cast<int64_t>(talk.ids.size());
    int64_t told = 0, stop = i % 2 == 0 ? 30 : total + 1;
    EvaluateControl control;
    control.progress = [&](int64_t done, int64_t of) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      EXPECT_EQ(of, total);
      EXPECT_GT(done, told);
      EXPECT_EQ(done, sequence.position());
      told = done;
      return done < stop;
    };
    const Code code = CodeOf([&] { scheduler.Evaluate({&sequence, talk.ids}, control); });
    EXPECT_EQ(code, i % 2 == 0 ? Code::kCancelled : Code::kOk);
    EXPECT_EQ(told, sequence.position());
    scheduler.Evaluate({&sequence, std::span(talk.ids).subspan(static_cast<size_t>(told))});
    EXPECT_EQ(sequence.Snapshot(), talk.snapshot);
  });
}

TEST(Scheduler, AProgressCallMayComputeItself) {
  Scheduler scheduler(TestModel(), Shape());
  Sequence sequence(TestModel(), kContext, kChunk), other(TestModel(), kContext, kChunk);
  EvaluateControl control;
  control.progress = [&](int64_t, int64_t) {
    if (other.position() == 0) scheduler.Evaluate({&other, Talk(1).ids});
    return true;
  };
  scheduler.Evaluate({&sequence, Talk(0).ids}, control);
  EXPECT_EQ(sequence.Snapshot(), Talk(0).snapshot);
  EXPECT_EQ(other.Snapshot(), Talk(1).snapshot);
}

TEST(Scheduler, ABudgetThatOneHasUsedUpStopsNoOther) {
  Scheduler scheduler(TestModel(), Shape());
  InThreads(4, [&](size_t i) {
    const Expected& talk = Talk(i);
    MemoryBudget budget(i % 2 == 0 ? 1 : 0);
    Sequence sequence(TestModel(), kContext, kChunk, &budget);
    std::mt19937_64 random(300 + i);
    if (i % 2 == 0) {
      for (int again = 0; again < 20; ++again) {
        EXPECT_EQ(CodeOf([&] { scheduler.Evaluate({&sequence, talk.ids}); }), Code::kBudget);
        EXPECT_EQ(sequence.position(), 0);
      }
    } else {
      while (Go(&scheduler, &sequence, talk, &random)) {
      }
      EXPECT_EQ(sequence.Snapshot(), talk.snapshot);
    }
  });
}

TEST(Scheduler, WhatALayerSaysGoesToAllInThePass) {
  // The last layer's weights are damaged, so that each pass fails when the others have written.
  BuiltCheckpoint built = BuildCheckpoint(TinyConfig(), 23);
  built.At("layers.4.attn.wq_a.scale").data[0] = '\xFF';
  const std::string folder = testing::TempDir() + "finback_together_damaged";
  built.Write(folder);
  const auto model = Model::Open(folder, {.threads = 2});
  Scheduler scheduler(*model, Shape());
  const std::vector<int32_t> ids(40, 3);
  InThreads(6, [&](size_t) {
    Sequence sequence(*model, kContext, kChunk);
    const std::vector<uint8_t> before = sequence.Snapshot();
    for (int again = 0; again < 5; ++again) {
      std::string message;
      try {
        scheduler.Evaluate({&sequence, ids});
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kCheckpoint);
        message = error.what();
      }
      EXPECT_NE(message.find("layers.4.attn.wq_a"), std::string::npos) << message;
      EXPECT_EQ(sequence.Snapshot(), before);
    }
  });
}

TEST(Scheduler, TakesTheSegmentsThatAnEvaluatorTakes) {
  Scheduler scheduler(TestModel(), Shape());
  Sequence sequence(TestModel(), 40, kChunk), large(TestModel(), kContext + 1, kChunk);
  const std::vector<int32_t> outside = {1, static_cast<int32_t>(Vocab())}, many(41, 1), one = {1};
  const auto code = [&](Sequence* of, const std::vector<int32_t>& ids) {
    return CodeOf([&] { scheduler.Evaluate({of, ids}); });
  };
  EXPECT_EQ(code(&sequence, outside), Code::kInvalidArgument);
  EXPECT_EQ(code(&sequence, many), Code::kContextFull);
  EXPECT_EQ(code(&large, one), Code::kInvalidArgument);
  EXPECT_EQ(code(&sequence, {}), Code::kOk);
  EXPECT_EQ(code(&sequence, one), Code::kOk);
  EXPECT_EQ(sequence.position(), 1);
}

TEST(Scheduler, ATokenAllocatesNothing) {
  Scheduler scheduler(TestModel(), Shape());
  const Expected& talk = Talk(0);
  Sequence sequence(TestModel(), kContext, kChunk);
  scheduler.Evaluate({&sequence, std::span(talk.ids).first(24)});
  std::vector<float> logits(Vocab());
  const std::atomic<bool> cancel{false};
  for (size_t i = 24; i < 40; ++i) {
    EvaluateControl control;
    control.cancel = &cancel;
    const int64_t before = AllocationCount();
    scheduler.Evaluate(
        {&sequence, std::span(talk.ids).subspan(i, 1), LogitRows::kLast, logits.data()}, control);
    EXPECT_EQ(AllocationCount(), before) << i;
  }
}

}  // namespace
}  // namespace finback
