// A profile says where the time of passes went, and changes nothing of what they compute.
#include "core/network/profile/profile.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "core/network/evaluator.h"
#include "core/network/sequence.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {
namespace {

const std::string& Folder() {
  static const std::string folder =
      MakeTinyCheckpoint(testing::TempDir() + "finback_profile_checkpoint", 3);
  return folder;
}

// The logits of the last of some tokens, which come in one pass, or one by one.
std::vector<float> Evaluate(const Model& model, int32_t chunk) {
  std::vector<int32_t> ids(70);
  std::iota(ids.begin(), ids.end(), 1);
  Sequence sequence(model, 100, chunk);
  Evaluator evaluator(model, 100, chunk);
  std::vector<float> logits(static_cast<size_t>(model.config().vocab));
  const Segment all{&sequence, ids, LogitRows::kLast, logits.data()};
  evaluator.Run({&all, 1});
  return logits;
}

size_t LayersOf(const std::string& folder) {
  return static_cast<size_t>(Model::Open(folder, {.threads = 1})->config().layers_count);
}

TEST(Profile, ChangesNoResult) {
  Profile profile(LayersOf(Folder()));
  const auto timed = Model::Open(Folder(), {.threads = 2, .profile = &profile});
  const auto plain = Model::Open(Folder(), {.threads = 2});
  EXPECT_EQ(Evaluate(*timed, 16), Evaluate(*plain, 16));
}

TEST(Profile, PhasesAddUpToTheTimeOfThePasses) {
  Profile profile(LayersOf(Folder()));
  const auto model = Model::Open(Folder(), {.threads = 1, .profile = &profile});
  Evaluate(*model, 1);
  EXPECT_EQ(profile.passes, 70u);
  EXPECT_EQ(std::accumulate(profile.phase, profile.phase + kPhases, Profile::Clock::duration{}),
            profile.total);
  Profile::Clock::duration layers{};
  for (const Profile::Clock::duration& time : profile.layer_time) {
    EXPECT_GT(time.count(), 0);
    layers += time;
  }
  EXPECT_LT(layers, profile.total);
  for (size_t phase = 0; phase < kPhases; ++phase) {
    EXPECT_GT(profile.phase[phase].count(), 0) << "phase " << phase;
  }
}

TEST(Profile, CountsTheDistinctExpertsOfEachPass) {
  Profile profile(LayersOf(Folder()));
  const auto model = Model::Open(Folder(), {.threads = 1, .profile = &profile});
  const Config& config = model->config();
  const auto all = static_cast<uint64_t>(config.layers_count) *
                   static_cast<uint64_t>(config.experts_per_token) * 70;
  Evaluate(*model, 1);
  EXPECT_EQ(profile.routed_experts, all);
  profile.Clear();
  Evaluate(*model, 70);
  EXPECT_EQ(profile.passes, 1u);
  EXPECT_LE(profile.routed_experts,
            static_cast<uint64_t>(config.layers_count) * static_cast<uint64_t>(config.experts));
  EXPECT_LT(profile.routed_experts, all);
}

TEST(Profile, OneThreadForksNothing) {
  Profile profile(LayersOf(Folder()));
  const auto model = Model::Open(Folder(), {.threads = 1, .profile = &profile});
  Evaluate(*model, 8);
  EXPECT_EQ(profile.forks.forks, 0u);
  EXPECT_EQ(profile.forks.time.count(), 0);
}

}  // namespace
}  // namespace finback
