// What tests of opened checkpoints share: a folder of their own, two small checkpoints,
// the form of a refusal.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/checkpoint/weights.h"
#include "tests/core/checkpoint/checkpoint_builder.h"

namespace finback {

using Change = std::function<void(BuiltCheckpoint&)>;

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "finback_weights_XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("cannot make a folder in " + testing::TempDir());
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline const BuiltCheckpoint& Smallest() {
  static const BuiltCheckpoint built = BuildCheckpoint(SmallestConfig(), 11);
  return built;
}

inline const BuiltCheckpoint& WithDraft() {
  static const BuiltCheckpoint built = [] {
    nlohmann::ordered_json config = SmallestConfig();
    config["num_nextn_predict_layers"] = 1;
    config["compress_ratios"] = {4, 128, 0};
    return BuildCheckpoint(config, 12);
  }();
  return built;
}

inline std::unique_ptr<Weights> Open(const TempFolder& folder) {
  return Weights::Open(folder.path(), LoadConfig(folder.path()));
}

// The changed checkpoint, written to `folder` and opened.
inline std::unique_ptr<Weights> OpenChanged(const TempFolder& folder, const Change& change,
                                            const BuiltCheckpoint& from = Smallest()) {
  BuiltCheckpoint built = from;
  change(built);
  built.Write(folder.path());
  return Open(folder);
}

// Checks that `call` throws `code` with every part in its one-line message.
inline void ExpectRefusal(const std::function<void()>& call, Code code,
                          const std::vector<std::string>& parts) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
    }
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return;
  }
  std::string all;
  for (const std::string& part : parts) all += " | " + part;
  ADD_FAILURE() << "nothing was thrown; expected" << all;
}

inline void CheckEverything(const Weights& weights, int32_t experts) {
  weights.CheckGlobal();
  const int32_t layers = static_cast<int32_t>(weights.layers.size() + weights.drafts.size());
  for (int32_t layer = 0; layer < layers; ++layer) {
    weights.CheckLayer(layer);
    for (int32_t expert = 0; expert < experts; ++expert) weights.CheckExpert(layer, expert);
  }
  weights.VerifyAll(nullptr);
}

inline std::string Bytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline const std::string kExpert = "layers.0.ffn.experts.2.w1";

}  // namespace finback
