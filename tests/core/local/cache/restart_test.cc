// Conversations that go on in another process: an engine that is opened anew, with a cache folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "core/engine/request.h"
#include "core/local/local_backend.h"
#include "tests/core/local/model_builder.h"

namespace finback {
namespace {

constexpr uint64_t kSeed = 5;

struct Answer {
  std::string text;
  Usage usage;
};

class RestartTest : public testing::Test {
 protected:
  void SetUp() override {
    folder = testing::TempDir() + "finback_restart_" +
             testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  static const std::string& ModelFolder() {
    static const std::string path =
        MakeRandomModel(testing::TempDir() + "/finback_restart_model", kSeed);
    return path;
  }
  std::shared_ptr<Backend> Open(bool cached = true) const {
    EngineOptions options;
    options.model = ModelFolder();
    options.threads = 1;
    options.context_tokens = 4096;
    if (cached) options.cache_folder = folder;
    return OpenLocalBackend(options);
  }
  // The whole answer to a prompt; `steps_to_done` is false for who leaves at the finish event.
  static Answer Ask(Backend* backend, const std::string& prompt, bool steps_to_done = true) {
    const std::string json =
        R"({"prompt": ")" + prompt + R"(", "max_tokens": 20, "temperature": 0})";
    const std::unique_ptr<Stream> stream = backend->Start(ParseCompletionRequest(json));
    Answer answer;
    Event event;
    while (stream->Step(&event)) {
      answer.text += event.text;
      if (event.kind != EventKind::kFinish) continue;
      answer.usage = event.usage;
      if (!steps_to_done) break;
    }
    return answer;
  }
  size_t Files() const {
    size_t count = 0;
    if (!std::filesystem::exists(folder)) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      count += entry.is_regular_file();
    }
    return count;
  }
  static std::string Prompt(size_t tokens) {  // a token a letter
    std::string text;
    for (size_t i = 0; i + 1 < tokens; ++i) text += static_cast<char>('A' + (i * i + i / 7) % 26);
    return text;
  }

  std::string folder;
};

TEST_F(RestartTest, ASecondTurnComputesWhatIsNew) {
  const std::string first = Prompt(1300);
  const Answer one = Ask(Open().get(), first);
  EXPECT_EQ(one.usage.cached_tokens, 0);
  const std::string second = first + "and more";
  const Answer again = Ask(Open().get(), second), fresh = Ask(Open(false).get(), second);
  EXPECT_EQ(again.text, fresh.text);
  EXPECT_GE(again.usage.disk_tokens, 1024);
  EXPECT_EQ(again.usage.cached_tokens, again.usage.disk_tokens);
  EXPECT_EQ(fresh.usage.disk_tokens, 0);
}

TEST_F(RestartTest, AnotherEndingComputesABlockAtMost) {
  std::string prompt = Prompt(1300);
  Ask(Open().get(), prompt);
  prompt.replace(1100, 3, "###");
  const Answer again = Ask(Open().get(), prompt), fresh = Ask(Open(false).get(), prompt);
  EXPECT_EQ(again.text, fresh.text);
  EXPECT_GE(again.usage.disk_tokens, 1024);
}

TEST_F(RestartTest, AnEngineThatIsOpenReadsWhatItDoesNotHave) {
  const std::string one = Prompt(700), other = "x" + Prompt(800);
  const std::shared_ptr<Backend> backend = Open();
  Ask(backend.get(), one);
  EXPECT_EQ(Ask(backend.get(), one).usage.disk_tokens, 0) << "it has it all";
  Ask(Open().get(), other);
  const Answer again = Ask(backend.get(), other);
  EXPECT_GE(again.usage.disk_tokens, 512);
  EXPECT_EQ(again.text, Ask(Open(false).get(), other).text);
}

TEST_F(RestartTest, KeepsAlsoWhatWasLeftAtTheFinishEvent) {
  const std::string prompt = Prompt(600);
  Ask(Open().get(), prompt, false);
  EXPECT_GE(Ask(Open().get(), prompt + "!").usage.disk_tokens, 512);
}

TEST_F(RestartTest, KeepsNothingWithoutAFolder) {
  Ask(Open(false).get(), Prompt(600));
  EXPECT_EQ(Files(), 0u);
}

TEST_F(RestartTest, WritesBehindTheAnswer) {
  const std::string json =
      R"({"prompt": ")" + Prompt(600) + R"(", "max_tokens": 5, "temperature": 0})";
  const std::shared_ptr<Backend> backend = Open();
  const std::unique_ptr<Stream> stream = backend->Start(ParseCompletionRequest(json));
  Event event;
  while (stream->Step(&event)) EXPECT_EQ(Files(), 0u);
  EXPECT_GT(Files(), 0u);
}

}  // namespace
}  // namespace finback
