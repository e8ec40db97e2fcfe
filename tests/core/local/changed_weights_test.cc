// Weights that change under an open model: an error of that engine, never the end of the process.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "core/base/status.h"
#include "core/local/local_backend.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

namespace fs = std::filesystem;

struct Change {
  const char* label;
  void (*apply)(const std::string& file);
  const char* words;  // of the refusal; nullptr: nothing is refused
};

void MoveTimesBack(const std::string& file) {
  fs::last_write_time(file, fs::last_write_time(file) - std::chrono::hours(1));
}

const Change kChanges[] = {
    {"cut_to_zero", [](const std::string& file) { fs::resize_file(file, 0); }, " 0 now; "},
    {"cut_by_a_page",
     [](const std::string& file) { fs::resize_file(file, fs::file_size(file) - 4096); }, " now; "},
    {"cut_by_a_byte",
     [](const std::string& file) { fs::resize_file(file, fs::file_size(file) - 1); }, " now; "},
    {"grown", [](const std::string& file) { fs::resize_file(file, fs::file_size(file) + 1); },
     " now; "},
    {"written",
     [](const std::string& file) {
       MoveTimesBack(file);  // a clock may be too coarse to tell two writes apart
     },
     "written to"},
    {"cut_under_another_name",
     [](const std::string& file) {
       fs::rename(file, file + ".old");
       fs::resize_file(file + ".old", 100);
     },
     " 100 now; "},
    {"renamed", [](const std::string& file) { fs::rename(file, file + ".old"); }, nullptr},
    {"removed", [](const std::string& file) { fs::remove(file); }, nullptr},
    {"replaced",
     [](const std::string& file) {
       std::ofstream(file + ".new") << "short";
       fs::rename(file + ".new", file);
     },
     nullptr},
};

class ChangedWeights : public testing::TestWithParam<Change> {
 protected:
  void SetUp() override {
    folder_ = MakeRandomModel(testing::TempDir() + "/changed_" + GetParam().label, 7);
    file_ = folder_ + "/model.safetensors";
    options_.model = folder_;
    options_.threads = 1;
    options_.context_tokens = 256;
  }
  void TearDown() override { fs::remove_all(folder_); }

  template <typename Call>
  void Expect(const Call& call) const {
    if (GetParam().words == nullptr) {
      EXPECT_NO_THROW(call());
      return;
    }
    try {
      call();
      ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), Code::kIo) << message;
      EXPECT_EQ(message.find(file_ + ": "), 0u) << message;
      EXPECT_NE(message.find(GetParam().words), std::string::npos) << message;
      EXPECT_NE(message.find("open the model again"), std::string::npos) << message;
    }
  }
  static Request Question() {
    return ParseChatRequest(
        R"({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 6, "seed": 1})");
  }
  static void Finish(Stream* stream) {
    Event event;
    while (stream->Step(&event)) {
    }
  }

  std::string folder_, file_;
  EngineOptions options_;
};

TEST_P(ChangedWeights, AreToldByAllThatComputes) {
  const auto backend = OpenLocalBackend(options_);
  const auto session = backend->NewSession();
  const auto sequence = backend->NewSequence();
  const auto other = backend->NewSession();
  const auto stream = other->Start(Question());
  Event event;
  ASSERT_TRUE(stream->Step(&event));
  const std::vector<int32_t> ids = {1, 2, 3};
  sequence->Evaluate(ids, TokenSequence::Rows::kNone, nullptr);
  GetParam().apply(file_);
  Expect([&] { Finish(stream.get()); });
  Expect([&] { sequence->Evaluate(ids, TokenSequence::Rows::kNone, nullptr); });
  Expect([&] { Finish(session->Start(Question()).get()); });
  Expect([&] { Finish(backend->Start(Question()).get()); });
  Expect([&] { backend->Verify(nullptr); });
  Expect([&] { backend->NewSequence()->Evaluate(ids, TokenSequence::Rows::kNone, nullptr); });
}

TEST_P(ChangedWeights, AreToldOnFirstUse) {
  const auto backend = OpenLocalBackend(options_);
  GetParam().apply(file_);
  Expect([&] { Finish(backend->Start(Question()).get()); });
}

TEST_P(ChangedWeights, DoNotMatterToACopy) {
  options_.weights = WeightsChoice::kCopied;
  const auto backend = OpenLocalBackend(options_);
  const auto text = [&] {
    const auto session = backend->NewSession();
    const auto stream = session->Start(Question());
    std::string all;
    for (Event event; stream->Step(&event);) all += event.text;
    return all;
  };
  const std::string before = text();
  GetParam().apply(file_);
  EXPECT_EQ(text(), before);
  const std::vector<int32_t> ids = {1, 2, 3};
  backend->NewSequence()->Evaluate(ids, TokenSequence::Rows::kNone, nullptr);
  backend->Verify(nullptr);
}

TEST_P(ChangedWeights, AreToldWhileTheyAreCopied) {
  options_.weights = WeightsChoice::kCopied;
  bool opened = false;
  options_.progress = [&](const char*, uint64_t done, uint64_t) {
    // Before the files are opened, then after their headers were read.
    if (done == 0 && std::exchange(opened, true)) GetParam().apply(file_);
    return true;
  };
  try {
    OpenLocalBackend(options_);
    EXPECT_EQ(GetParam().words, nullptr);
  } catch (const Error& error) {
    EXPECT_NE(GetParam().words, nullptr) << error.what();
    EXPECT_EQ(error.code(), Code::kIo) << error.what();
    EXPECT_EQ(std::string(error.what()).find(file_ + ": "), 0u) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChangedWeights, testing::ValuesIn(kChanges),
                         [](const auto& item) { return std::string(item.param.label); });

TEST(CopiedWeights, AnswerAsMappedOnes) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/copied_weights", 8);
  options.threads = 1;
  std::vector<std::vector<float>> logits;
  for (const WeightsChoice weights : {WeightsChoice::kMapped, WeightsChoice::kCopied}) {
    options.weights = weights;
    const auto backend = OpenLocalBackend(options);
    const auto sequence = backend->NewSequence();
    logits.emplace_back(static_cast<size_t>(sequence->vocab()));
    const std::vector<int32_t> ids = {1, 2, 3, 4, 5};
    sequence->Evaluate(ids, TokenSequence::Rows::kLast, logits.back().data());
    const bool copied = weights == WeightsChoice::kCopied;
    EXPECT_EQ(backend->Info().find("\"copied_bytes\": 0,") == std::string::npos, copied);
    EXPECT_EQ(backend->Info().find("\"mapped_bytes\": 0,") != std::string::npos, copied);
  }
  EXPECT_EQ(logits[0], logits[1]);
}

TEST(CopiedWeights, CountInTheBudget) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/copied_budget", 8);
  options.weights = WeightsChoice::kCopied;
  const uint64_t bytes = fs::file_size(options.model + "/model.safetensors");
  options.memory_budget_bytes = bytes - 1;
  try {
    OpenLocalBackend(options);
    ADD_FAILURE() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBudget);
    EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos)
        << error.what();
  }
  options.memory_budget_bytes = bytes;
  EXPECT_NO_THROW(OpenLocalBackend(options));
}

TEST(CopiedWeights, CanBeCancelled) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/copied_cancelled", 8);
  options.weights = WeightsChoice::kCopied;
  options.progress = [](const char*, uint64_t, uint64_t) { return false; };
  EXPECT_THROW(OpenLocalBackend(options), Error);
}

TEST(PrefaultedWeights, AnswerAsOthers) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/prefaulted", 8);
  options.threads = 1;
  std::vector<std::vector<float>> logits;
  for (const bool prefault : {false, true}) {
    options.prefault = prefault;
    const auto backend = OpenLocalBackend(options);
    const auto sequence = backend->NewSequence();
    logits.emplace_back(static_cast<size_t>(sequence->vocab()));
    const std::vector<int32_t> ids = {1, 2, 3, 4, 5};
    sequence->Evaluate(ids, TokenSequence::Rows::kLast, logits.back().data());
  }
  EXPECT_EQ(logits[0], logits[1]);
}

TEST(PrefaultedWeights, CanBeCancelled) {
  EngineOptions options;
  options.model = MakeRandomModel(testing::TempDir() + "/prefault_cancelled", 8);
  options.prefault = true;
  int calls = 0;
  options.progress = [&](const char*, uint64_t, uint64_t) { return ++calls < 2; };
  EXPECT_THROW(OpenLocalBackend(options), Error);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace finback
