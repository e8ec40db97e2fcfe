#include "core/bench/random_checkpoint.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "core/base/status.h"
#include "core/bench/shapes.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/sequence.h"

namespace finback {
namespace {

RandomCheckpoint::Contents Tiny(int64_t experts = 16) {
  std::string config = ShapeConfig(*FindShape("tiny"), {0, 4, 128, 4}, experts);
  std::vector<PublishedTensor> tensors = PublishedTensors(ParseConfig(config, "config.json"));
  return {std::move(config), std::move(tensors)};
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string NewFolder(const char* name) {
  const std::string folder = testing::TempDir() + "finback_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

Code CodeOf(const RandomCheckpoint::Contents& contents, const std::string& folder) {
  const Parallel parallel(1);
  Watch watch(nullptr);
  try {
    const RandomCheckpoint checkpoint(contents, folder, parallel, &watch);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(RandomCheckpoint, PassesEveryCheckOfARealOne) {
  const std::string folder = NewFolder("random_checked");
  const Parallel parallel(2);
  Watch watch(nullptr);
  const RandomCheckpoint checkpoint(Tiny(), folder, parallel, &watch);
  EXPECT_EQ(checkpoint.folder(), folder);
  EXPECT_FALSE(checkpoint.was_there());
  EXPECT_EQ(checkpoint.bytes(), std::filesystem::file_size(folder + "/model.safetensors"));
  const auto weights = Weights::Open(folder, LoadConfig(folder));
  weights->VerifyAll(nullptr);
  for (int32_t layer = 0; layer < 4; ++layer) {
    weights->CheckLayer(layer);
    for (int32_t expert = 0; expert < 16; ++expert) weights->CheckExpert(layer, expert);
  }
}

TEST(RandomCheckpoint, IsTheSameForAnyNumberOfThreadsAndInMemory) {
  Watch watch(nullptr);
  const Parallel one(1), three(3);
  const RandomCheckpoint first(Tiny(), NewFolder("random_first"), one, &watch);
  const RandomCheckpoint second(Tiny(), NewFolder("random_second"), three, &watch);
  const RandomCheckpoint memory(Tiny(), "", three, &watch);
  const std::string bytes = TextOf(first.folder() + "/model.safetensors");
  EXPECT_TRUE(bytes == TextOf(second.folder() + "/model.safetensors"));
  EXPECT_TRUE(bytes == std::string(memory.memory().begin(), memory.memory().end()));
  EXPECT_TRUE(first.memory().empty());
  const auto weights =
      Weights::Open(memory.folder(), LoadConfig(memory.folder()), {.memory = memory.memory()});
  weights->VerifyAll(nullptr);
  weights->CheckFiles();
}

TEST(RandomCheckpoint, LeavesNothingOfMemoryBehind) {
  Watch watch(nullptr);
  const Parallel parallel(1);
  std::string folder;
  {
    const RandomCheckpoint memory(Tiny(), "", parallel, &watch);
    folder = memory.folder();
    EXPECT_TRUE(std::filesystem::exists(folder));
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(RandomCheckpoint, TakesTheSameFolderAgainAndNoOther) {
  const std::string folder = NewFolder("random_again");
  EXPECT_EQ(CodeOf(Tiny(), folder), Code::kOk);
  const auto written = std::filesystem::last_write_time(folder + "/model.safetensors");
  EXPECT_EQ(CodeOf(Tiny(), folder), Code::kOk);
  EXPECT_EQ(written, std::filesystem::last_write_time(folder + "/model.safetensors"));
  EXPECT_EQ(CodeOf(Tiny(8), folder), Code::kInvalidArgument);
  const std::string other = NewFolder("random_other");
  std::filesystem::create_directories(other);
  std::ofstream(other + "/letter.txt") << "dear";
  EXPECT_EQ(CodeOf(Tiny(), other), Code::kInvalidArgument);
  EXPECT_EQ(TextOf(other + "/letter.txt"), "dear");
  EXPECT_EQ(CodeOf(Tiny(), other + "/letter.txt"), Code::kIo);
}

TEST(RandomCheckpoint, ThatIsCancelledLeavesNoCheckpoint) {
  const std::string folder = NewFolder("random_cancelled");
  const Parallel parallel(1);
  Watch watch([](const char*, uint64_t, uint64_t) { return false; });
  EXPECT_THROW(RandomCheckpoint(Tiny(), folder, parallel, &watch), Error);
  EXPECT_FALSE(std::filesystem::exists(folder + "/model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/config.json"));
  EXPECT_EQ(CodeOf(Tiny(), folder), Code::kOk);  // and is no obstacle
}

// Random weights say nothing, but their logits must be numbers, and tokens must go to many experts.
TEST(RandomCheckpoint, KeepsActivationsFiniteAndRoutingSpread) {
  Watch watch(nullptr);
  const Parallel parallel(2);
  const RandomCheckpoint checkpoint(Tiny(), "", parallel, &watch);
  Profile profile(4);
  const auto model =
      Model::Open(checkpoint.folder(),
                  {.threads = 2, .weights = {.memory = checkpoint.memory()}, .profile = &profile});
  std::vector<int32_t> ids(300);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 37 % 512);
  Sequence sequence(*model, 300, 300);
  Evaluator evaluator(*model, 300, 300);
  std::vector<float> logits(300 * 512);
  const Segment all{&sequence, ids, LogitRows::kAll, logits.data()};
  evaluator.Run({&all, 1});
  EXPECT_TRUE(std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
  const auto [low, high] = std::minmax_element(logits.begin(), logits.end());
  EXPECT_GT(*high - *low, 1.0f);
  EXPECT_LT(std::max(*high, -*low), 1000.0f);
  EXPECT_GE(profile.routed_experts, 60u);  // of 64
}

}  // namespace
}  // namespace finback
