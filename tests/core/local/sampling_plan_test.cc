#include "core/local/sampling_plan.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/status.h"

namespace finback {
namespace {

SamplerOptions Plan(const std::string& fields, const GenerationConfig& generation,
                    AnswerKind kind) {
  const std::string json = R"({"messages": [{"role": "user", "content": "hi"}])" + fields + "}";
  return PlanSampling(ParseChatRequest(json), generation, kind, 100);
}

constexpr AnswerKind kKinds[] = {{false, false}, {false, true}, {true, false}, {true, true}};

TEST(SamplingPlan, FollowsTheServicesWhereNobodySays) {
  for (const AnswerKind kind : kKinds) {
    const SamplerOptions plan = Plan("", {}, kind);
    EXPECT_EQ(plan.temperature, 1);
    EXPECT_EQ(plan.top_p, kind.thinking && kind.tools ? 0.95 : 1.0);
    EXPECT_EQ(plan.top_k, 0);
    EXPECT_EQ(plan.min_p, 0);
  }
}

TEST(SamplingPlan, TakesWhatTheRequestSaysWhileThinkingToo) {
  for (const AnswerKind kind : kKinds) {
    const SamplerOptions plan = Plan(
        R"(, "temperature": 0.3, "top_p": 0.5, "top_k": 7, "min_p": 0.1, "seed": 5)", {}, kind);
    EXPECT_EQ(plan.temperature, 0.3);
    EXPECT_EQ(plan.top_p, 0.5);
    EXPECT_EQ(plan.top_k, 7);
    EXPECT_EQ(plan.min_p, 0.1);
    EXPECT_EQ(plan.seed, 5u);
  }
}

TEST(SamplingPlan, TakesWhatTheCheckpointSaysBeforeTheServicesDefaults) {
  GenerationConfig generation;
  generation.temperature = 0.6;
  generation.top_p = 0.8;
  generation.has_top_p = true;
  for (const AnswerKind kind : kKinds) {
    const SamplerOptions plan = Plan("", generation, kind);
    EXPECT_EQ(plan.temperature, 0.6);
    EXPECT_EQ(plan.top_p, 0.8);
    EXPECT_EQ(Plan(R"(, "top_p": 1)", generation, kind).top_p, 1);
  }
  generation.top_p = 1;  // said in so many words
  EXPECT_EQ(Plan("", generation, {true, true}).top_p, 1);
  generation.do_sample = false;
  EXPECT_EQ(Plan("", generation, {true, false}).temperature, 0);
  EXPECT_EQ(Plan(R"(, "temperature": 1.5)", generation, {true, false}).temperature, 1.5);
}

TEST(SamplingPlan, RefusesABiasBeyondTheVocabulary) {
  EXPECT_EQ(Plan(R"(, "logit_bias": {"99": 1})", {}, {}).logit_bias.size(), 1u);
  try {
    Plan(R"(, "logit_bias": {"100": 1})", {}, {});
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "logit_bias.100: the vocabulary has 100 tokens");
  }
}

TEST(DefaultMaxTokens, IsTheServices) {
  EXPECT_EQ(DefaultMaxTokens(false, Effort::kMax), 8192);
  EXPECT_EQ(DefaultMaxTokens(true, Effort::kDefault), 65536);
  EXPECT_EQ(DefaultMaxTokens(true, Effort::kLow), 65536);
  EXPECT_EQ(DefaultMaxTokens(true, Effort::kMax), 131072);
}

}  // namespace
}  // namespace finback
