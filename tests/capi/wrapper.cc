// wrapper FOLDER: the C++ wrapper over the same library.
#include <gtest/gtest.h>

#include <finback/finback.hpp>
#include <string>

namespace {

std::string folder;

finback::Engine Open(const char* name) {
  finback::Options options;
  options.Set("model", folder + "/" + name).Set("threads", "1").Set("context_tokens", "256");
  return finback::Engine(options);
}

constexpr const char* kHello = R"({"messages": [{"role": "user", "content": "hi"}]})";

TEST(Wrapper, IteratesOverEvents) {
  finback::Engine engine = Open("scripted");
  std::string reasoning, content, finish;
  finback::Stream stream = engine.Chat(kHello);
  for (const finback::Event& event : stream) {
    if (event.kind == finback::EventKind::kReasoning) reasoning += event.text;
    if (event.kind == finback::EventKind::kContent) content += event.text;
    if (event.kind == finback::EventKind::kFinish) finish = event.finish_reason;
  }
  EXPECT_EQ(reasoning, "Let me think.");
  EXPECT_EQ(content, "Hello world!");
  EXPECT_EQ(finish, "stop");
  EXPECT_EQ(stream.Usage().completion_tokens, 7);
  EXPECT_NE(stream.Response().find("Hello world!"), std::string::npos);
}

TEST(Wrapper, GivesEventsAsChunks) {
  finback::Engine engine = Open("scripted");
  finback::Stream stream = engine.Chat(kHello);
  EXPECT_EQ(stream.Chunk(), "");
  for (const finback::Event& event : stream) {
    const std::string chunk = stream.Chunk();
    EXPECT_NE(chunk.find("chat.completion.chunk"), std::string::npos) << chunk;
    EXPECT_NE(chunk.find(event.text), std::string::npos) << chunk;
  }
  EXPECT_EQ(stream.Chunk(), "");
}

TEST(Wrapper, ThrowsWithTheCode) {
  finback::Engine engine = Open("scripted");
  try {
    engine.Chat("{}");
    FAIL();
  } catch (const finback::Error& error) {
    EXPECT_EQ(error.code(), FINBACK_ERROR_INVALID_REQUEST);
    EXPECT_STREQ(error.what(), "messages: is missing");
  }
}

TEST(Wrapper, RefusesWhatWouldEndAtANul) {
  const std::string nul("{}\0{}", 5);
  finback::Options options;
  try {
    options.Set("model", std::string("krill\0 and more", 15));
    ADD_FAILURE() << "expected an error";
  } catch (const finback::Error& error) {
    EXPECT_EQ(error.code(), FINBACK_ERROR_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), "option model: NUL character at byte 5");
  }
  EXPECT_EQ(options.Get("model"), "");
  EXPECT_THROW(options.Set(nullptr, std::string("x")), finback::Error);
  finback::Engine engine = Open("scripted");
  EXPECT_THROW(engine.Chat(nul), finback::Error);
  EXPECT_THROW(engine.Complete(nul), finback::Error);
  EXPECT_THROW(engine.Encode(nul), finback::Error);
  EXPECT_THROW(engine.EncodeTokens(nul), finback::Error);
  EXPECT_THROW(engine.NewSession().Chat(nul), finback::Error);
  EXPECT_THROW(engine.Verify(nul), finback::Error);
  EXPECT_THROW(finback::CostReport(options, nul), finback::Error);
  EXPECT_THROW(finback::EncodeMessages(nul), finback::Error);
}

TEST(Wrapper, KeepsTheProgressCallbackAlive) {
  int calls = 0;
  finback::Options options;
  options.Set("model", folder + "/scripted");
  auto engine = std::make_unique<finback::Engine>(
      std::move(options), [&calls](std::string_view, uint64_t, uint64_t) { return ++calls > 0; });
  const int at_open = calls;
  finback::Stream stream = engine->Chat(kHello);
  engine.reset();
  for (const finback::Event& event : stream) (void)event;
  EXPECT_GT(calls, at_open);
}

TEST(Wrapper, KeepsTheLogAlive) {
  std::string lines;
  finback::Options options;
  options.Set("model", folder + "/scripted");
  const finback::Engine engine(std::move(options), nullptr,
                               [&lines](int32_t level, std::string_view line) {
                                 lines += std::to_string(level) + std::string(line);
                               });
  EXPECT_NE(lines.find("2opened "), std::string::npos);
}

TEST(Wrapper, ReportsCostsAndModelsOrSaysWhyNot) {
  finback::Engine engine = Open("scripted");
  EXPECT_THROW(engine.Models(), finback::Error);
  EXPECT_THROW(engine.Balance(), finback::Error);
  try {
    finback::CostReport(finback::Options(), "{\"group_by\": \"moon\"}");
    FAIL();
  } catch (const finback::Error& error) {
    EXPECT_NE(std::string(error.what()).find("group_by"), std::string::npos) << error.what();
  }
}

TEST(Wrapper, EvaluatesIntoMemoryOfTheCaller) {
  finback::Engine engine = Open("random");
  const std::vector<int32_t> ids = engine.Tokenize("whale");
  finback::Sequence sequence = engine.NewSequence(), other = engine.NewSequence();
  std::vector<float> out(sequence.Vocab());
  sequence.EvaluateInto(ids.data(), ids.size(), out.data(), 1);
  EXPECT_EQ(out, other.Evaluate(ids));
  const std::vector<uint8_t> snapshot = sequence.Snapshot();
  other.Restore(snapshot.data(), snapshot.size());
  EXPECT_EQ(other.Position(), sequence.Position());
}

TEST(Wrapper, RunsSequences) {
  finback::Engine engine = Open("random");
  finback::Sequence sequence = engine.NewSequence();
  const std::vector<int32_t> ids = engine.Tokenize("whale");
  const std::vector<float> all = sequence.Evaluate(ids, finback::Rows::kAll);
  ASSERT_EQ(all.size(), ids.size() * sequence.Vocab());
  finback::Sequence other = engine.NewSequence();
  sequence.RollBack(1);
  other.Restore(sequence.Snapshot());
  const std::vector<float> last = other.Evaluate({ids.back()});
  EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<long>(last.size())));
  EXPECT_EQ(engine.Detokenize(ids), "whale");
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  folder = argv[1];
  return RUN_ALL_TESTS();
}
