// A small random model, a folder of its own for each test, and sequences to keep there.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/local/cache/disk_cache.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/sequence.h"
#include "tests/core/checkpoint/checkpoint_builder.h"
#include "tests/core/network/token_ids.h"

namespace finback {

inline const std::string& ModelFolder() {
  static const std::string folder = [] {
    const std::string path = testing::TempDir() + "finback_cache_checkpoint";
    std::filesystem::create_directories(path);
    MakeTinyCheckpoint(path, 7);
    return path;
  }();
  return folder;
}

inline const Model& TestModel() {
  static const std::unique_ptr<Model> model = Model::Open(ModelFolder(), {.threads = 1});
  return *model;
}

inline std::vector<int32_t> SomeIds(size_t count, uint64_t seed) {
  return RandomIds(count, seed, TestModel().config().vocab);
}

// A sequence and what computes it.
struct Computed {
  explicit Computed(int32_t chunk_tokens = 64, int64_t context_tokens = kContext)
      : memory(TestModel(), context_tokens, chunk_tokens),
        evaluator(TestModel(), context_tokens, chunk_tokens) {
    memory.KeepCheckpoints(16, UINT64_MAX);
  }
  std::vector<float> Evaluate(std::span<const int32_t> ids) {
    std::vector<float> logits(static_cast<size_t>(TestModel().config().vocab));
    const Segment segment{&memory, ids, LogitRows::kLast, logits.data()};
    evaluator.Run({&segment, 1});
    return logits;
  }

  static constexpr int64_t kContext = 4096;
  Sequence memory;
  Evaluator evaluator;
};

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = testing::TempDir() + "finback_cache_" +
             testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  DiskCache Open(uint64_t most_bytes = 0) {
    return DiskCache(TestModel(), {folder, most_bytes,
                                   [this](LogLevel, const char* text) { log.push_back(text); }});
  }
  // Every file below the folder.
  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(folder)) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_directory()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  std::string folder;
  std::vector<std::string> log;
};

}  // namespace finback
