#include "core/network/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::map<int32_t, int> Count(const SamplerOptions& options, const std::vector<float>& logits,
                             int draws) {
  Sampler sampler;
  sampler.Configure(options, static_cast<int32_t>(logits.size()));
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[sampler.Sample(logits)];
  return counts;
}

std::vector<int32_t> Draw(uint64_t seed, const std::vector<float>& logits, int draws) {
  Sampler sampler;
  SamplerOptions options;
  options.seed = seed;
  sampler.Configure(options, static_cast<int32_t>(logits.size()));
  std::vector<int32_t> ids;
  for (int i = 0; i < draws; ++i) ids.push_back(sampler.Sample(logits));
  return ids;
}

TEST(Sampler, TakesTheSmallestOfTheLikeliestAtTemperatureZero) {
  SamplerOptions options;
  options.temperature = 0;
  EXPECT_EQ(Count(options, {1, 3, 2, 3}, 5), (std::map<int32_t, int>{{1, 5}}));
}

TEST(Sampler, AddsLogitBiasBeforeAnythingElse) {
  SamplerOptions options;
  options.temperature = 0;
  options.logit_bias = {{0, 2.5f}, {1, -100.0f}};
  EXPECT_EQ(Count(options, {1, 9, 3}, 1), (std::map<int32_t, int>{{0, 1}}));
}

// By the definition: logit - count * frequency - (count > 0) * presence, then as ever.
TEST(Sampler, PenalisesWhatItSampledByCountAndPresence) {
  const std::vector<float> logits = {4, 3.5f, 3, -kInfinity, 2};
  for (const double frequency : {0.0, 0.5, 2.0, -0.5}) {
    for (const double presence : {0.0, 0.75, -2.0}) {
      SamplerOptions options;
      options.temperature = 0;
      options.frequency_penalty = frequency;
      options.presence_penalty = presence;
      options.logit_bias = {{4, 1.25f}};
      Sampler sampler;
      for (int answer = 0; answer < 2; ++answer) {  // the second starts over
        sampler.Configure(options, 5);
        std::vector<int> counts(5);
        for (int step = 0; step < 40; ++step) {
          size_t best = 0;
          double most = -kInfinity;
          for (size_t id = 0; id < logits.size(); ++id) {
            const double biased = static_cast<double>(logits[id]) + (id == 4 ? 1.25 : 0);
            const double penalty = counts[id] * frequency + (counts[id] > 0 ? presence : 0);
            if (biased - penalty > most) best = id, most = biased - penalty;
          }
          ASSERT_EQ(sampler.Sample(logits), static_cast<int32_t>(best))
              << frequency << " " << presence << " step " << step;
          ++counts[best];
        }
      }
    }
  }
}

TEST(Sampler, PenaltiesChangeProbabilitiesAndLeaveLogprobs) {
  // A penalty of log 3 makes a token a third as likely as it was.
  const std::vector<float> logits = {std::log(3.0f), 0};
  SamplerOptions options;
  options.presence_penalty = std::log(3.0);
  int first_again = 0;
  Sampler sampler;
  for (int i = 0; i < 4000; ++i) {
    options.seed = static_cast<uint64_t>(i);
    sampler.Configure(options, 2);
    if (sampler.Sample(logits) != 0) continue;
    first_again += sampler.Sample(logits) == 0 ? 1 : -1;
  }
  EXPECT_NEAR(first_again / 3000.0, 0, 0.06);
  Logprob out[2];
  sampler.Logprobs(logits, 0, 1, out);
  EXPECT_NEAR(out[0].logprob, std::log(0.75), 1e-6);
}

TEST(Sampler, DrawsTheSameWithPenaltiesOfNothing) {
  const std::vector<float> logits = {0, 0.5f, -1, 2, 1};
  SamplerOptions options;
  options.seed = 11;
  Sampler with, without;
  without.Configure(options, 5);
  options.frequency_penalty = options.presence_penalty = 1;
  with.Configure(options, 5);
  options.frequency_penalty = options.presence_penalty = 0;
  with.Configure(options, 5);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(with.Sample(logits), without.Sample(logits));
}

TEST(Sampler, DrawsInProportionToProbability) {
  const std::vector<float> logits = {std::log(1.0f), std::log(2.0f), std::log(5.0f), -kInfinity};
  const auto counts = Count({}, logits, 20000);
  EXPECT_NEAR(counts.at(0) / 20000.0, 0.125, 0.01);
  EXPECT_NEAR(counts.at(1) / 20000.0, 0.25, 0.012);
  EXPECT_NEAR(counts.at(2) / 20000.0, 0.625, 0.014);
  EXPECT_EQ(counts.count(3), 0u);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  const std::vector<float> logits = {0, std::log(4.0f)};
  SamplerOptions options;
  options.temperature = 0.5;  // weights 1 : 16
  EXPECT_NEAR(Count(options, logits, 20000).at(1) / 20000.0, 16.0 / 17, 0.01);
  options.temperature = 2;  // weights 1 : 2
  EXPECT_NEAR(Count(options, logits, 20000).at(1) / 20000.0, 2.0 / 3, 0.015);
}

TEST(Sampler, TopKKeepsTheLikeliestSmallerIdFirst) {
  SamplerOptions options;
  options.top_k = 2;
  const auto counts = Count(options, {1, 2, 2, 2, 0}, 500);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_TRUE(counts.count(1) && counts.count(2));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  SamplerOptions options;
  options.top_p = 0.6;
  EXPECT_EQ(Count(options, logits, 500).size(), 2u);
  options.top_p = 0.4;
  EXPECT_EQ(Count(options, logits, 500).size(), 1u);
  options.top_p = 0.9;
  EXPECT_EQ(Count(options, logits, 2000).size(), 3u);
  options.top_p = 1e-9;
  EXPECT_EQ(Count(options, logits, 100), (std::map<int32_t, int>{{0, 100}}));
}

TEST(Sampler, TopPIsTakenOfWhatTopKLeft) {
  const std::vector<float> logits = {std::log(0.4f), std::log(0.3f), std::log(0.3f)};
  SamplerOptions options;
  options.top_k = 2;     // 0.57 : 0.43
  options.top_p = 0.55;  // the first alone reaches it
  EXPECT_EQ(Count(options, logits, 200).size(), 1u);
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  const std::vector<float> logits = {std::log(0.6f), std::log(0.35f), std::log(0.05f)};
  SamplerOptions options;
  options.min_p = 0.5;
  const auto counts = Count(options, logits, 500);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.count(2), 0u);
}

TEST(Sampler, RepeatsItselfForASeed) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  EXPECT_EQ(Draw(7, logits, 50), Draw(7, logits, 50));
  EXPECT_NE(Draw(7, logits, 50), Draw(8, logits, 50));
  // The first draws themselves, so that a change of the generator is noticed.
  EXPECT_EQ(Draw(7, {0, 0, 0, 0, 0, 0, 0, 0}, 8), Draw(7, {5, 5, 5, 5, 5, 5, 5, 5}, 8));
}

TEST(Sampler, LooksOnlyAtNumbers) {
  SamplerOptions options;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(Count(options, {nan, 1, -kInfinity}, 20), (std::map<int32_t, int>{{1, 20}}));
  Sampler sampler;
  sampler.Configure(options, 2);
  EXPECT_THROW(sampler.Sample(std::vector<float>{nan, nan}), Error);
  EXPECT_THROW(sampler.Sample(std::vector<float>{kInfinity, 0}), Error);
}

TEST(Sampler, ReportsLogprobsOfTheModelsOwnDistribution) {
  SamplerOptions options;
  options.temperature = 0.1;
  options.logit_bias = {{0, 50.0f}};
  Sampler sampler;
  sampler.Configure(options, 4);
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.4f),
                                     std::log(0.1f)};
  std::vector<Logprob> out(4);
  sampler.Logprobs(logits, 3, 3, out);
  EXPECT_EQ(out[0].id, 3);
  EXPECT_NEAR(out[0].logprob, std::log(0.1), 1e-6);
  const int32_t expected[] = {1, 2, 0};  // ties: the smaller id first
  for (int i = 0; i < 3; ++i) EXPECT_EQ(out[static_cast<size_t>(i) + 1].id, expected[i]);
  EXPECT_NEAR(out[1].logprob, std::log(0.4), 1e-6);
}

}  // namespace
}  // namespace finback
