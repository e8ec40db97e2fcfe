#include "core/json/chunk_template.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace finback
