// Answers with drafts against the same without: the same events, the same memory afterwards. Drafts
// are forced, however long they take, so that what is tested does not depend on the clock.
#include <gtest/gtest.h>

#include <optional>

#include "core/base/status.h"
#include "core/local/drafts/drafter.h"
#include "core/local/local_stream.h"
#include "tests/core/base/counting_allocator.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

constexpr int64_t kContext = 400;

// krill: its answers are text, of which drafts guess some right and some wrong.
struct Krill {
  std::unique_ptr<Model> model;
  std::unique_ptr<Tokenizer> tokenizer;
};
const Krill& TestModel() {
  static const Krill krill = [] {
    const std::string folder = FINBACK_SOURCE_DIR "/examples/krill";
    return Krill{Model::Open(folder, {.threads = 1}), Tokenizer::Load(folder)};
  }();
  return krill;
}

std::vector<int32_t> Encode(const std::string& text) {
  std::vector<int32_t> ids;
  TestModel().tokenizer->Encode(text, AddedTokens::kRecognize, &ids);
  return ids;
}

const std::string kQuestion =
    "<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>How long is the blue whale? And the "
    "fin whale? 12 + 34?<\uff5cAssistant\uff5c></think>";

struct Told {
  std::vector<Event> events;
  Usage usage;
  std::string failure, text;
  std::vector<uint8_t> memory;
};

// One session, its answers and their drafts.
class Talk {
 public:
  explicit Talk(DraftSources sources, size_t drafts = 0, int32_t chunk_tokens = 64,
                uint64_t budget_bytes = 0)
      : budget_(budget_bytes),
        sources_(sources),
        scheduler_(*TestModel().model, {.context_tokens = kContext, .chunk_tokens = chunk_tokens}),
        session_(&scheduler_, {kContext, chunk_tokens, 2}, &budget_, &conversations_),
        chunk_tokens_(chunk_tokens) {
    account_.Store(Account::Always(drafts));
  }

  std::unique_ptr<LocalStream> Start(AnswerPlan plan) {
    plan.chunk_tokens = chunk_tokens_;
    session_.TryBegin();
    return std::make_unique<LocalStream>(
        AnswerContext{*TestModel().model, *TestModel().tokenizer, progress_,
                      TestModel().model->config().eos_ids, log_, nullptr, nullptr, sources_,
                      &budget_, &account_},
        std::move(plan), &session_, nullptr);
  }

  // Until it is over, or until so many events have come and it is cancelled.
  Told Answer(AnswerPlan plan, std::optional<size_t> cancel_after = std::nullopt) {
    Told told;
    {
      const auto stream = Start(std::move(plan));
      Event event;
      try {
        if (cancel_after == size_t{0}) stream->Cancel();
        while (stream->Step(&event)) {
          event.usage.proposed_tokens = event.usage.accepted_tokens = 0;
          told.events.push_back(event);
          if (event.kind == EventKind::kContent) told.text += event.text;
          if (told.events.size() == cancel_after) stream->Cancel();
        }
      } catch (const Error& error) {
        told.failure = error.what();
      }
      told.usage = stream->usage();
    }
    told.memory = session_.sequence().Snapshot();
    return told;
  }

 private:
  MemoryBudget budget_;
  DraftSources sources_;
  SharedAccount account_;
  ProgressFunction progress_;
  LogFunction log_;
  Scheduler scheduler_;
  Conversations conversations_{&budget_, {2, 0}};
  SessionState session_;
  int32_t chunk_tokens_;
};

AnswerPlan PlanOf(const std::string& prompt) {
  AnswerPlan plan;
  plan.ids = Encode(prompt);
  plan.max_tokens = 60;
  return plan;
}

void ExpectSame(const Told& with, const Told& without, const std::string& what) {
  EXPECT_EQ(with.failure, without.failure) << what;
  ASSERT_EQ(with.events.size(), without.events.size()) << what;
  for (size_t i = 0; i < with.events.size(); ++i) {
    const Event& a = with.events[i];
    const Event& b = without.events[i];
    ASSERT_EQ(a.kind, b.kind) << what;
    ASSERT_EQ(a.text, b.text) << what;
    ASSERT_EQ(a.finish_reason, b.finish_reason) << what;
    ASSERT_EQ(a.usage.completion_tokens, b.usage.completion_tokens) << what;
    ASSERT_EQ(a.usage.cached_tokens, b.usage.cached_tokens) << what;
    ASSERT_EQ(a.usage.reasoning_tokens, b.usage.reasoning_tokens) << what;
    ASSERT_EQ(a.logprobs.size(), b.logprobs.size()) << what;
    for (size_t k = 0; k < a.logprobs.size(); ++k) {
      ASSERT_EQ(a.logprobs[k].id, b.logprobs[k].id) << what;
      ASSERT_EQ(a.logprobs[k].logprob, b.logprobs[k].logprob) << what;
      ASSERT_EQ(a.logprobs[k].top.size(), b.logprobs[k].top.size()) << what;
    }
  }
  EXPECT_EQ(with.usage.completion_tokens, without.usage.completion_tokens) << what;
  EXPECT_EQ(with.memory, without.memory) << what;
}

const std::pair<const char*, DraftSources> kSources[] = {
    {"lookup", {.lookup = true}}, {"block", {.block = true}}, {"both", {true, true}}};

// Every source and number of drafts, against none.
void ExpectSameAnswers(const AnswerPlan& plan, std::optional<size_t> cancel_after = std::nullopt) {
  const Told without = Talk({}).Answer(plan, cancel_after);
  for (const auto& [name, sources] : kSources) {
    for (const size_t drafts : {size_t{1}, size_t{2}, size_t{5}, kMostDrafts}) {
      ExpectSame(Talk(sources, drafts).Answer(plan, cancel_after), without,
                 std::string(name) + ", " + std::to_string(drafts) + " drafts");
    }
  }
}

TEST(Drafts, ChangeNoSampledText) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    for (const double temperature : {0.0, 0.6, 1.0, 1.7}) {
      AnswerPlan plan = PlanOf(kQuestion);
      plan.sampling.seed = seed;
      plan.sampling.temperature = temperature;
      plan.sampling.top_p = seed % 2 == 0 ? 1 : 0.9;
      plan.sampling.top_k = seed % 3 == 0 ? 0 : 20;
      plan.sampling.min_p = seed % 5 == 0 ? 0.01 : 0;
      ExpectSameAnswers(plan);
    }
  }
}

TEST(Drafts, ChangeNothingUnderPenaltiesAndBiases) {
  for (const double temperature : {0.0, 1.2}) {
    AnswerPlan plan = PlanOf(kQuestion + "The blue whale is long. The blue whale is long. The");
    plan.sampling.temperature = temperature;
    plan.sampling.frequency_penalty = 0.4;
    plan.sampling.presence_penalty = 0.3;
    plan.sampling.logit_bias = {{TestModel().model->config().eos_ids.front(), -50.0f}};
    ExpectSameAnswers(plan);
  }
}

TEST(Drafts, ChangeNoLogprobs) {
  AnswerPlan plan = PlanOf(kQuestion);
  plan.top_logprobs = 3;
  ExpectSameAnswers(plan);
}

TEST(Drafts, EndWhereAnAnswerEnds) {
  const std::string text = Talk({}).Answer(PlanOf(kQuestion)).text;
  ASSERT_GT(text.size(), 12u);
  for (size_t at = 4; at + 3 < text.size(); at += 5) {
    AnswerPlan plan = PlanOf(kQuestion);
    plan.reading.stop = {text.substr(at, 3)};
    ExpectSameAnswers(plan);
  }
  for (int64_t tokens = 1; tokens < 20; ++tokens) {
    AnswerPlan plan = PlanOf(kQuestion);
    plan.max_tokens = tokens;
    ExpectSameAnswers(plan);
  }
}

TEST(Drafts, EndWhereTheContextEnds) {
  AnswerPlan plan = PlanOf(kQuestion);
  const int32_t filler = plan.ids[2];
  plan.ids.insert(plan.ids.begin() + 1, static_cast<size_t>(kContext) - 5 - plan.ids.size(),
                  filler);
  plan.max_tokens = -1;
  plan.sampling.logit_bias = {{TestModel().model->config().eos_ids.front(), -90.0f}};
  ExpectSameAnswers(plan);
}

TEST(Drafts, AreForgottenByACancel) {
  AnswerPlan plan = PlanOf(kQuestion);
  for (const size_t events : {0, 1, 2, 3, 5, 8}) ExpectSameAnswers(plan, events);
}

TEST(Drafts, LeaveConversationsAsTheyWere) {
  for (const auto& [name, sources] : kSources) {
    Talk with(sources, 7), without({});
    std::string prompt = kQuestion;
    for (int turn = 0; turn < 4; ++turn) {
      const Told a = with.Answer(PlanOf(prompt)), b = without.Answer(PlanOf(prompt));
      ExpectSame(a, b, name);
      if (turn == 2) prompt.resize(prompt.size() - 30);  // an earlier one goes on otherwise
      prompt += b.text + "<\uff5cUser\uff5c>And how heavy?<\uff5cAssistant\uff5c></think>";
    }
  }
}

TEST(Drafts, ChangeNothingInSmallChunks) {
  const Told without = Talk({}).Answer(PlanOf(kQuestion));
  for (const int32_t chunk : {1, 2, 5, 16}) {
    for (const auto& [name, sources] : kSources) {
      const Told with = Talk(sources, kMostDrafts, chunk).Answer(PlanOf(kQuestion));
      ExpectSame(with, without, name);
      EXPECT_EQ(with.usage.proposed_tokens > 0, chunk > 1) << name;
    }
  }
}

TEST(Drafts, AreCounted) {
  const Told off = Talk({}).Answer(PlanOf(kQuestion));
  EXPECT_EQ(off.usage.proposed_tokens, 0);
  const Told block = Talk({.block = true}, 2).Answer(PlanOf(kQuestion));
  EXPECT_GT(block.usage.accepted_tokens, 0);
  EXPECT_LE(block.usage.accepted_tokens, block.usage.proposed_tokens);
  EXPECT_LT(block.usage.accepted_tokens, block.usage.completion_tokens);
}

TEST(Drafts, AreLeftOutWhereTheBudgetHasNoRoom) {
  const AnswerPlan plan = PlanOf(kQuestion);
  const Told without = Talk({}).Answer(plan);
  const SessionShape shape{kContext, 64, 2};
  MemoryBudget open(0);
  Scheduler scheduler(*TestModel().model, {.context_tokens = kContext, .chunk_tokens = 64});
  Conversations conversations(&open, {2, 0});
  const SessionState session(&scheduler, shape, &open, &conversations);
  // Of a session's own memory, then ever more.
  size_t drafted = 0, runs = 0;
  for (uint64_t more = 0; more < (uint64_t{4} << 20); more += uint64_t{1} << 17, ++runs) {
    Talk talk({true, true}, 6, 64, open.used() + more);
    const Told with = talk.Answer(plan);
    if (!with.failure.empty()) continue;  // too little for the answer itself
    ExpectSame(with, without, std::to_string(more));
    if (with.usage.proposed_tokens > 0) ++drafted;
  }
  EXPECT_GT(drafted, 0u);
  EXPECT_LT(drafted, runs);
}

TEST(Drafts, AllocateNothingPerToken) {
  for (const auto& [name, sources] : kSources) {
    Talk talk(sources, 3);
    AnswerPlan plan = PlanOf(kQuestion);
    plan.max_tokens = 250;
    plan.sampling.logit_bias = {{TestModel().model->config().eos_ids.front(), -90.0f}};
    const auto stream = talk.Start(plan);
    Event event;
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(stream->Step(&event));
    // Of some steps one begins a block of entries.
    int with_allocations = 0;
    for (int i = 0; i < 60; ++i) {
      const int64_t before = AllocationCount();
      ASSERT_TRUE(stream->Step(&event));
      if (AllocationCount() != before) ++with_allocations;
    }
    EXPECT_LE(with_allocations, 2) << name;
    EXPECT_GT(stream->usage().proposed_tokens, 20) << name;
  }
}

}  // namespace
}  // namespace finback
