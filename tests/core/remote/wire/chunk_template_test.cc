#include "core/remote/wire/chunk_template.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

TEST(ChunkTemplate, FindsTheTextInAChunkOfTheSameShape) {
  ChunkTemplate chunks;
  EXPECT_FALSE(chunks.Match(R"({"content":"a"})"));
  ASSERT_TRUE(chunks.Learn(R"({"id":"x","delta":{"content" : "a"},"n":null})", "content", "a"));
  EXPECT_EQ(chunks.Match(R"({"id":"x","delta":{"content" : "b c"},"n":null})"), "b c");
  EXPECT_EQ(chunks.Match(R"({"id":"x","delta":{"content" : ""},"n":null})"), "");
  EXPECT_EQ(chunks.Match("{\"id\":\"x\",\"delta\":{\"content\" : \"\xE2\x82\xAC\"},\"n\":null}"),
            "\xE2\x82\xAC");
}

TEST(ChunkTemplate, RefusesEveryOtherChunk) {
  ChunkTemplate chunks;
  ASSERT_TRUE(chunks.Learn(R"({"content":"a","n":1})", "content", "a"));
  for (const char* chunk :
       {R"({"content":"b","n":2})", R"({"content":"b","n":1} )", R"({"content":null,"n":1})",
        R"({"content":"b\n","n":1})", R"({"content":"b","x":"c","n":1})", R"({"content":","n":1})",
        "{\"content\":\"\xFF\",\"n\":1}", "{\"content\":\"\n\",\"n\":1}", "", R"({"content":")"}) {
    EXPECT_FALSE(chunks.Match(chunk)) << chunk;
  }
}

TEST(ChunkTemplate, LearnsNothingWhereTheTextIsNotPlain) {
  ChunkTemplate chunks;
  EXPECT_FALSE(chunks.Learn(R"({"content":"\n"})", "content", "\n"));
  EXPECT_FALSE(chunks.Learn(R"({"content":"\u0061"})", "content", "a"));
  EXPECT_FALSE(chunks.Learn(R"({"content":"a","x":{"content":"a"}})", "content", "a"));
  EXPECT_FALSE(chunks.Learn(R"({"text":"a"})", "content", "a"));
  EXPECT_FALSE(chunks.Learn(R"({"content":["a"]})", "content", "a"));
  EXPECT_FALSE(chunks.Learn(R"({"content")", "content", "a"));
  EXPECT_FALSE(chunks.Learn(R"({"content":"a)", "content", "a"));
  EXPECT_FALSE(chunks.Match(R"({"content":"b"})"));
}

// Chunks of many shapes in random order, to a decoder that may learn them and to one that cannot.
TEST(ChunkTemplate, ChangesNothingOfWhatADecoderSays) {
  const char* const kShapes[] = {
      R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"reasoning_content":"%s"}}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"reasoning":"%s","content":""}}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s","reasoning_content":"r"}}]})",
      R"({"id":"1","choices":[{"index":1,"delta":{"content":"%s"}}]})",
      R"({"id":"1","choices":[{"index":0,"text":"%s"}]})",
      R"({"id":"1","choices":[{"index":0,"delta":{"content":[{"text":"%s"}]}}]})",
      (R"({"id":"1","choices":[{"index":0,"delta":{"content":"%s","tool_calls":[{"index":0,"id":"a",)"
       R"("function":{"name":"t","arguments":"x"}}]}}]})"),
      R"({"id":"%s","choices":[{"index":0,"delta":{"content":"a"}}]})",
      R"({"id":"1","choices":[],"usage":{"prompt_tokens":7},"x":"%s"})"};
  const char* const kTexts[] = {"",         "a",       " b", "\\n", "\\u00e9",
                                "\xC3\xA9", "content", "<",  "null"};
  const uint32_t seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const Request request = Ask(round % 2 == 0 ? "deepseek:deepseek-flash" : "custom:m");
    const auto fast = Decoder(request), slow = Decoder(request);
    std::vector<Event> fast_events, slow_events;
    std::string chunks;
    for (size_t i = 0; i < 12; ++i) {
      std::string chunk =
          Format(kShapes[random() % std::size(kShapes)], kTexts[random() % std::size(kTexts)]);
      chunks += chunk + "\n";
      fast->Push("", chunk, &fast_events);
      chunk.insert(1, std::string(i + 1, ' '));  // no two have the same shape
      slow->Push("", chunk, &slow_events);
    }
    ASSERT_EQ(Words(fast_events), Words(slow_events)) << "seed " << seed << "\n" << chunks;
  }
}

}  // namespace
}  // namespace finback
