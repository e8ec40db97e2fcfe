#include "core/local/sessions/written_answers.h"

#include <gtest/gtest.h>

#include "tests/core/local/model_builder.h"
#include "tests/core/network/token_ids.h"

namespace finback {
namespace {

const Tokenizer& TestTokenizer() {
  static const std::unique_ptr<Tokenizer> tokenizer = [] {
    return Tokenizer::Load(
        MakeScriptedModel(testing::TempDir() + "/finback_written_model", Chain({"a", "b"})));
  }();
  return *tokenizer;
}

std::vector<int32_t> Bytes(std::string_view text) {
  std::vector<int32_t> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

ToolCall Call(std::string name, std::string arguments) {
  return {"call_00", std::move(name), std::move(arguments)};
}

class WrittenAnswersTest : public testing::Test {
 protected:
  void Remember(const WrittenAnswer& answer) { answers.Remember(answer, TestTokenizer()); }
  auto Find(const WrittenKey& key) { return answers.Find(key, TestTokenizer()); }

  MemoryBudget budget{0};
  WrittenAnswers answers{1 << 16, &budget, nullptr};
};

TEST_F(WrittenAnswersTest, FindsWhatWasSampledByItsText) {
  WrittenAnswer answer;
  answer.thinking = true;
  answer.ids = Joined(Joined(Bytes("why not"), {kEndThink}), Bytes("\n\nyes"));
  answer.reasoning = "why not";
  answer.content = "yes";
  Remember(answer);
  EXPECT_EQ(Find(ReasoningKey("why not")), Bytes("why not"));
  EXPECT_EQ(Find(ReasoningKey(" why not\n")), Bytes("why not"));
  EXPECT_EQ(Find(AnswerKey("yes", {})), Bytes("\n\nyes"));
  EXPECT_EQ(Find(AnswerKey("Yes", {})), std::nullopt);
  EXPECT_EQ(Find(AnswerKey("why not", {})), std::nullopt) << "as content nobody has sampled it";
  EXPECT_EQ(Find(ReasoningKey("yes")), std::nullopt);
}

TEST_F(WrittenAnswersTest, ACallIsTheSameInEverySpelling) {
  const std::string spelled = R"({"b": 60000, "a": {"x": "\u00e9", "y": [1, null]}})";
  const WrittenKey key = AnswerKey("", {Call("f", spelled)});
  EXPECT_EQ(AnswerKey("", {Call("f", "{\"a\":{\"y\":[1.0,null],\"x\":\"\u00e9\"},\"b\":6.0e4}")}),
            key);
  for (const char* other :
       {R"({"b": 60001, "a": {"x": "\u00e9", "y": [1, null]}})",
        R"({"b": "60000", "a": {"x": "\u00e9", "y": [1, null]}})",
        R"({"b": 60000, "a": {"x": "\u00e9", "y": [null, 1]}})", R"({"b": 60000})", "", "{"}) {
    EXPECT_NE(AnswerKey("", {Call("f", other)}), key) << other;
  }
  EXPECT_NE(AnswerKey("", {Call("g", spelled)}), key);
  EXPECT_NE(AnswerKey("text", {Call("f", spelled)}), key);
  EXPECT_NE(AnswerKey("", {Call("f", "9007199254740993")}),
            AnswerKey("", {Call("f", "9007199254740992")}));
  EXPECT_NE(AnswerKey("a", {Call("f", "{}"), Call("g", "{}")}), AnswerKey("a", {Call("f", "{}")}));
}

TEST_F(WrittenAnswersTest, MarkupThatIsTextOfAnAnswerIsNotRemembered) {
  for (const int32_t mark : {kUser, kAssistant, kEos, kDsml, kThink}) {
    WrittenAnswer answer;
    answer.ids = Joined({mark}, Bytes("hi"));
    answer.content = std::string(TestTokenizer().Bytes(mark)) + "hi";
    Remember(answer);
    EXPECT_EQ(Find(AnswerKey(answer.content, {})), std::nullopt) << mark;
    answer.thinking = true;
    answer.reasoning = answer.content;
    answer.content.clear();
    Remember(answer);
    EXPECT_EQ(Find(ReasoningKey(answer.reasoning)), std::nullopt) << mark;
  }
  EXPECT_EQ(answers.bytes(), 0u);
}

TEST_F(WrittenAnswersTest, WhatWasNotToldAsItWasSampledIsNotRemembered) {
  WrittenAnswer answer;
  answer.ids = Bytes("yes STOP");
  answer.content = "yes";  // a stop string ended it
  Remember(answer);
  answer.content = "yes STOP";
  answer.is_odd = true;
  Remember(answer);
  EXPECT_EQ(answers.bytes(), 0u);
}

TEST_F(WrittenAnswersTest, WhatWasUsedLeastRecentlyGoes) {
  WrittenAnswers few(3000, &budget, nullptr);
  for (int i = 0; i < 50; ++i) {
    WrittenAnswer answer;
    answer.content = "answer " + std::to_string(i);
    answer.ids = Bytes(answer.content);
    few.Remember(answer, TestTokenizer());
    EXPECT_TRUE(few.Find(AnswerKey("answer 0", {}), TestTokenizer()).has_value()) << i;
    EXPECT_LE(few.bytes(), 3000u);
    EXPECT_EQ(budget.used(), few.bytes());
  }
  EXPECT_FALSE(few.Find(AnswerKey("answer 1", {}), TestTokenizer()).has_value());
  EXPECT_TRUE(few.Find(AnswerKey("answer 49", {}), TestTokenizer()).has_value());
}

TEST_F(WrittenAnswersTest, ReadsOnlyWhatItHasWritten) {
  const auto parse = [](const std::vector<uint8_t>& bytes) {
    return WrittenAnswers::Parse(bytes, TestTokenizer());
  };
  const std::vector<int32_t> ids = Joined(Bytes("x"), {kDsml});
  const std::vector<uint8_t> bytes = WrittenAnswers::Serialize(ids);
  EXPECT_EQ(parse(bytes), ids);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<uint8_t> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    const auto read = parse(part);
    EXPECT_TRUE(!read.has_value() || size == bytes.size() - 4) << size;
  }
  for (const int32_t id : {-1, 1 << 30, static_cast<int32_t>(kUser), static_cast<int32_t>(kEos)}) {
    EXPECT_EQ(parse(WrittenAnswers::Serialize(std::vector<int32_t>{id})), std::nullopt) << id;
  }
  std::vector<uint8_t> other = bytes;
  other[0] ^= 1;
  EXPECT_EQ(parse(other), std::nullopt);
}

}  // namespace
}  // namespace finback
