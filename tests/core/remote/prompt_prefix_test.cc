#include "core/remote/prompt_prefix.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace finback {
namespace {

using Kind = PrefixBreak::Kind;

std::string Message(const std::string& role, const std::string& content) {
  return R"({"role": ")" + role + R"(", "content": ")" + content + "\"}";
}

std::string Joined(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) list += (list.size() > 1 ? ", " : "") + item;
  return list + "]";
}

std::string Body(const std::vector<std::string>& messages,
                 const std::vector<std::string>& tools = {}, const std::string& more = "") {
  std::string body = R"({"model": "deepseek-flash", "messages": )" + Joined(messages);
  if (!tools.empty()) body += R"(, "tools": )" + Joined(tools);
  return body + more + "}";
}

const std::string kSystem = Message("system", "Be brief.");
const std::string kAsk = Message("user", "Hello [\\\"{there}\\\"], 2 < 3?");
const std::string kAnswer = Message("assistant", "Hi.");
const std::string kMore = Message("user", "And now?");

TEST(PromptPrefixTest, AGrowingConversationIsAPrefix) {
  PromptPrefix prefix;
  EXPECT_FALSE(prefix.Next(Body({kSystem, kAsk})).has_value());
  EXPECT_FALSE(prefix.Next(Body({kSystem, kAsk})).has_value());
  EXPECT_FALSE(prefix.Next(Body({kSystem, kAsk, kAnswer, kMore})).has_value());
}

TEST(PromptPrefixTest, NamesTheFirstDifference) {
  const std::string before = Body({kSystem, kAsk, kAnswer}, {"{\"a\": 1}", "{\"b\": 2}"});
  const struct {
    std::string after;
    Kind kind;
    const char* path;
    const char* here;  // the new body from `byte` on
  } kCases[] = {
      {Body({Message("system", "Be bold."), kAsk, kAnswer, kMore}, {"{\"a\": 1}", "{\"b\": 2}"}),
       Kind::kChanged, "messages[0]", "old.\"}"},
      {Body({kSystem, kMore, kAnswer}, {"{\"a\": 1}", "{\"b\": 2}"}), Kind::kChanged, "messages[1]",
       "And now?"},
      {Body({kSystem, kAsk, Message("assistant", "Hi. There")}, {"{\"a\": 1}", "{\"b\": 2}"}),
       Kind::kChanged, "messages[2]", " There"},
      {Body({kSystem, kAsk}, {"{\"a\": 1}", "{\"b\": 2}"}), Kind::kRemoved, "messages[2]",
       "], \"tools\""},
      {Body({}, {"{\"a\": 1}", "{\"b\": 2}"}), Kind::kRemoved, "messages[0]", ""},
      {Body({kSystem, kAsk, kAnswer}, {"{\"b\": 2}", "{\"a\": 1}"}), Kind::kChanged, "tools[0]",
       "b\": 2}"},
      {Body({kSystem, kAsk, kAnswer}, {"{\"a\": 1}"}), Kind::kRemoved, "tools[1]", ""},
      {Body({kSystem, kAsk, kAnswer}, {"{\"a\": 1}", "{\"b\": 2}", "{\"c\": 3}"}), Kind::kAdded,
       "tools[2]", "{\"c\": 3}"},
      {Body({kSystem, kAsk, kAnswer}, {"{\"a\": 1}", "{\"b\": 2}"},
            ", \"reasoning_effort\": \"max\""),
       Kind::kAdded, "reasoning_effort", "\"max\"}"},
      {Body({kSystem, kAsk, kAnswer}, {"{\"a\":1}", "{\"b\": 2}"}), Kind::kChanged, "tools[0]",
       "1}, "},  // a space in a schema
  };
  for (const auto& row : kCases) {
    PromptPrefix prefix;
    prefix.Next(before);
    const auto found = prefix.Next(row.after);
    ASSERT_TRUE(found.has_value()) << row.after;
    EXPECT_EQ(found->path, row.path);
    EXPECT_EQ(found->kind, row.kind) << row.path;
    EXPECT_TRUE(found->exact);
    ASSERT_LE(found->byte, row.after.size());
    EXPECT_EQ(row.after.substr(found->byte).rfind(row.here, 0), 0u)
        << row.path << ": " << row.after.substr(found->byte);
    // What came is remembered.
    EXPECT_FALSE(prefix.Next(row.after).has_value());
  }
}

TEST(PromptPrefixTest, EveryChangedByteIsFound) {
  const std::string before = Body({kSystem, kAsk, kAnswer}, {"{\"a\": 1}"});
  const size_t begin = before.find("Hello");
  for (size_t i = begin; i < before.find('[', begin); ++i) {
    std::string after = before;
    after[i] = '~';
    PromptPrefix prefix;
    prefix.Next(before);
    const auto found = prefix.Next(after);
    ASSERT_TRUE(found.has_value()) << i;
    EXPECT_EQ(found->byte, i);
    EXPECT_EQ(found->path, "messages[1]");
  }
}

TEST(PromptPrefixTest, TellsHowMuchIsLost) {
  PromptPrefix prefix;
  prefix.Next(Body({kSystem, kAsk, kAnswer}));
  const auto message = prefix.Next(Body({kSystem, kMore, kAnswer}));
  ASSERT_TRUE(message.has_value());
  const size_t same = std::string(R"({"role": "user", "content": ")").size();
  EXPECT_EQ(message->matched, kSystem.size() + same);
  EXPECT_EQ(message->lost, kAsk.size() - same + kAnswer.size());
  const auto tools = prefix.Next(Body({kSystem, kMore, kAnswer}, {"{}"}));
  ASSERT_TRUE(tools.has_value());
  EXPECT_EQ(tools->matched, 0u);
  EXPECT_EQ(tools->lost, kSystem.size() + kMore.size() + kAnswer.size());
}

TEST(PromptPrefixTest, WhatDoesNotReachThePromptMayChange) {
  PromptPrefix prefix;
  prefix.Next(Body({kAsk}, {}, ", \"max_tokens\": 10, \"stream\": true"));
  EXPECT_FALSE(
      prefix.Next(Body({kAsk, kAnswer}, {}, ", \"temperature\": 0.5, \"max_tokens\": 20")));
  // Neither does the order of the members.
  EXPECT_FALSE(prefix.Next("{\"max_tokens\": 1,\n \"messages\": " + Joined({kAsk, kAnswer, kMore}) +
                           ", \"model\": \"deepseek-flash\"}"));
}

TEST(PromptPrefixTest, OtherWireFormatsHaveTheirOwnLists) {
  PromptPrefix responses;
  responses.Next("{\"model\": \"m\", \"input\": " + Joined({kAsk}) + "}");
  EXPECT_FALSE(responses.Next("{\"model\": \"m\", \"input\": " + Joined({kAsk, kMore}) + "}"));
  const auto input = responses.Next("{\"model\": \"m\", \"input\": " + Joined({kMore}) + "}");
  ASSERT_TRUE(input.has_value());
  EXPECT_EQ(input->path, "input[0]");

  PromptPrefix anthropic;
  anthropic.Next("{\"system\": [{\"text\": \"a\"}], \"messages\": " + Joined({kAsk}) + "}");
  const auto system =
      anthropic.Next("{\"system\": [{\"text\": \"b\"}], \"messages\": " + Joined({kAsk}) + "}");
  ASSERT_TRUE(system.has_value());
  EXPECT_EQ(system->path, "system[0]");

  PromptPrefix completion;
  completion.Next(R"({"model": "m", "prompt": "abc"})");
  const auto prompt = completion.Next(R"({"model": "m", "prompt": "abd"})");
  ASSERT_TRUE(prompt.has_value());
  EXPECT_EQ(prompt->path, "prompt");
}

TEST(PromptPrefixTest, BeyondTheKeptTextTheMessageIsStillRight) {
  std::vector<std::string> messages;
  for (int i = 0; i < 40; ++i) {
    messages.push_back(Message("user", std::string(16 << 10, static_cast<char>('a' + i % 26))));
  }
  PromptPrefix prefix;
  prefix.Next(Body(messages));
  messages[37][100] = '~';
  const std::string after = Body(messages);
  const auto found = prefix.Next(after);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->path, "messages[37]");
  EXPECT_FALSE(found->exact);
  EXPECT_EQ(after.compare(found->byte, 40, messages[37], 0, 40), 0);
}

TEST(PromptPrefixTest, TheEdgeOfTheKeptTextIsExactUntilItEnds) {
  const std::string body =
      Body({Message("user", std::string(PromptPrefix::kKeptBytes + 1000, 'x'))});
  for (const size_t offset : {PromptPrefix::kKeptBytes - 100, PromptPrefix::kKeptBytes + 500}) {
    PromptPrefix prefix;
    prefix.Next(body);
    std::string after = body;
    after[offset] = 'y';
    const auto found = prefix.Next(after);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->exact, offset < PromptPrefix::kKeptBytes);
    EXPECT_LE(found->byte, offset);
    EXPECT_EQ(found->byte == offset, found->exact);
  }
}

TEST(PromptPrefixTest, ManyMessagesShareTheLastPart) {
  std::vector<std::string> messages(PromptPrefix::kMaxMessages + 300, "{\"n\": 0}");
  PromptPrefix prefix;
  prefix.Next(Body(messages));
  messages.resize(messages.size() + 2, "{\"n\": 1}");
  EXPECT_FALSE(prefix.Next(Body(messages)).has_value());
  messages[PromptPrefix::kMaxMessages + 200] = "{\"n\": 2}";
  const auto changed = prefix.Next(Body(messages));
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->path, "messages[" + std::to_string(PromptPrefix::kMaxMessages - 1) + "]");
  messages.resize(PromptPrefix::kMaxMessages + 100);
  EXPECT_TRUE(prefix.Next(Body(messages)).has_value());
  messages.resize(PromptPrefix::kMaxMessages);
  EXPECT_TRUE(prefix.Next(Body(messages)).has_value());
  messages.push_back("{}");
  EXPECT_FALSE(prefix.Next(Body(messages)).has_value());
}

TEST(PromptPrefixTest, AfterForgettingAnythingGoes) {
  PromptPrefix prefix;
  prefix.Next(Body({kSystem, kAsk}));
  prefix.Forget();
  EXPECT_FALSE(prefix.Next(Body({kMore})).has_value());
  EXPECT_TRUE(prefix.Next(Body({kAsk})).has_value());
}

TEST(PromptPrefixTest, WhatIsNoRequestIsForgotten) {
  const std::string good = Body({kSystem, kAsk, kAnswer}, {"{\"a\": [1, {}]}"});
  // Every cut of a good body, and some that are worse.
  std::vector<std::string> bad = {"",
                                  "null",
                                  "[]",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{,}",
                                  "{{}",
                                  "\"",
                                  "{\"\\\"}",
                                  "]",
                                  "{]}",
                                  "{\"a\": }}",
                                  "{\"messages\": [,]}",
                                  "{\"messages\": [1 2]}"};
  for (size_t i = 0; i < good.size(); ++i) bad.push_back(good.substr(0, i));
  for (const std::string& text : bad) {
    PromptPrefix prefix;
    prefix.Next(good);
    EXPECT_FALSE(prefix.Next(text).has_value()) << text;
    EXPECT_FALSE(prefix.Next(Body({kMore})).has_value()) << text;
    EXPECT_TRUE(prefix.Next(good).has_value());
  }
}

}  // namespace
}  // namespace finback
