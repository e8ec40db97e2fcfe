// The strict parser.
#include "core/chat/completion_parser.h"

#include <gtest/gtest.h>

#include "core/base/status.h"
#include "tests/core/chat/conversation.h"

namespace finback {
namespace {

ParsedCompletion Parse(const std::string& text, ThinkingMode mode = ThinkingMode::kChat) {
  return ParseCompletion(Wire(text), mode);
}

std::string ErrorOf(const std::string& text, ThinkingMode mode = ThinkingMode::kChat) {
  try {
    ParseCompletion(Wire(text), mode);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return error.what();
  }
}

std::string Block(const std::string& invokes) {
  return "\n\n<{D}tool_calls>\n" + invokes + "</{D}tool_calls>";
}

TEST(StrictParser, ReadsContentAndReasoning) {
  const ParsedCompletion chat = Parse(" Hello \n{EOS}");
  EXPECT_EQ(chat.content, " Hello \n");
  EXPECT_EQ(chat.reasoning_content, "");
  const ParsedCompletion thinking = Parse("so\n</think>\n\nHi{EOS}", ThinkingMode::kThinking);
  EXPECT_EQ(thinking.reasoning_content, "so\n");
  EXPECT_EQ(thinking.content, "\n\nHi");
  EXPECT_TRUE(thinking.tool_calls.empty());
}

TEST(StrictParser, ReadsCallsAndKeepsValuesVerbatim) {
  const ParsedCompletion parsed =
      Parse("I look." +
            Block("<{D}invoke name=\"get\">\n"
                  "<{D}parameter name=\"a\" string=\"true\">x\n\"<&\\</{D}parameter>\n"
                  "<{D}parameter name=\"b\" string=\"false\">[1,2]  garbage</{D}parameter>\n"
                  "</{D}invoke>\n"
                  "<{D}invoke name=\"none\">\n\n</{D}invoke>\n"
                  "<{D}invoke name=\"tight\">\n</{D}invoke>\n") +
            "{EOS}");
  EXPECT_EQ(parsed.content, "I look.");
  ASSERT_EQ(parsed.tool_calls.size(), 3u);
  EXPECT_EQ(parsed.tool_calls[0].name, "get");
  EXPECT_EQ(parsed.tool_calls[0].arguments, "{\"a\": \"x\\n\\\"<&\\\\\", \"b\": [1,2]  garbage}");
  EXPECT_EQ(parsed.tool_calls[1].name, "none");
  EXPECT_EQ(parsed.tool_calls[1].arguments, "{}");
  EXPECT_EQ(parsed.tool_calls[2].arguments, "{}");
  EXPECT_EQ(parsed.tool_calls[0].id, "");
}

TEST(StrictParser, TheEndMarkerIsOptionalAfterCallsOnly) {
  EXPECT_EQ(ErrorOf(Block("<{D}invoke name=\"f\">\n\n</{D}invoke>\n")), "accepted");
  EXPECT_EQ(ErrorOf("Hello"), "completion: end-of-sentence marker is missing at byte 5");
  EXPECT_EQ(ErrorOf(""), "completion: end-of-sentence marker is missing at byte 0");
}

TEST(StrictParser, RefusesEveryDeviation) {
  const std::string open = "\n\n<{D}tool_calls>\n", close = "</{D}tool_calls>";
  const std::string invoke = "<{D}invoke name=\"f\">\n", done = "</{D}invoke>\n";
  const std::string parameter = "<{D}parameter name=\"k\" string=\"true\">v</{D}parameter>\n";
  for (const std::string& text : {
           std::string("a{EOS}b"),                                // text behind the end
           std::string("a{EOS}\n"),                               //
           "a" + open + invoke + done + close + "b",              //
           "a" + open + invoke + done + close + "{EOS}{EOS}",     //
           std::string("a<think>b{EOS}"),                         // markup in content
           std::string("a</think>b{EOS}"),                        //
           std::string("a{BOS}b{EOS}"),                           //
           std::string("a{D}b{EOS}"),                             //
           "a\n<{D}tool_calls>\n" + invoke + done + close,        // one newline
           "a\n\n<{D}tool_calls>" + invoke + done + close,        // no newline behind a tag
           "a\n\n<{D}tool_calls >\n" + invoke + done + close,     //
           open + "<{D}invoke  name=\"f\">\n" + done + close,     // whitespace before name
           open + "<{D}invokename=\"f\">\n" + done + close,       //
           open + "<{D}invoke\nname=\"f\">\n" + done + close,     //
           open + "<{D}invoke name=\"f\">" + done + close,        //
           open + "<{D}invoke name=\"f\">\n\n\n" + done + close,  // two empty lines
           open + "<{D}invoke name=f>\n" + done + close,          //
           open,                                                  // cut at line ends
           open + invoke,                                         //
           open + invoke + parameter,                             //
           open + invoke + done,                                  //
           open + invoke + done + "</{D}tool_calls",              //
           open + "junk\n" + invoke + done + close,               //
           open + invoke + "junk\n" + done + close,               //
           open + invoke + parameter + parameter + done + close,  // duplicate name
           open + invoke + "<{D}parameter name=\"k\">v</{D}parameter>\n" + done + close,
           open + invoke + "<{D}parameter name=\"k\" string=\"yes\">v</{D}parameter>\n" + done +
               close,
           open + invoke + "<{D}parameter name=\"k\" string=\"true\">v<\n/{D}parameter>\n" + done +
               close,
           open + invoke + "<{D}parameter name=\"k\" string=\"true\">v/{D}parameter>\n" + done +
               close,
           open + invoke + "<{D}parameter name=\"k\" string=\"true\">v</{D}parameter>" + done +
               close,
           open + invoke + "<{D}parameter name=\"k\" string=\"true\">v</{D}parameter>\n\n" + done +
               close,
           open + invoke + "</{D}invoke>" + close,
       }) {
    EXPECT_NE(ErrorOf(text), "accepted") << text;
  }
}

TEST(StrictParser, RefusesReasoningWithoutItsEnd) {
  const ThinkingMode mode = ThinkingMode::kThinking;
  EXPECT_EQ(ErrorOf("abc{EOS}", mode),
            "completion: </think> is missing at byte " + std::to_string(Wire("abc{EOS}").size()));
  EXPECT_EQ(
      ErrorOf("abc" + Block("<{D}invoke name=\"f\">\n\n</{D}invoke>\n") + "</think>{EOS}", mode),
      "completion: tool calls before </think> at byte 3");
  EXPECT_EQ(ErrorOf("<think>abc</think>d{EOS}", mode),
            "completion: reasoning contains <think> at byte 0");
  EXPECT_EQ(ErrorOf("a</think>b</think>c{EOS}", mode),
            "completion: content contains </think> at byte 10");
}

TEST(StrictParser, RefusesInvalidUtf8) {
  EXPECT_EQ(ErrorOf("ab\xFF{EOS}"), "completion: invalid UTF-8 at byte 2");
}

TEST(StrictParser, AnEmptyBlockIsNoCall) {
  EXPECT_TRUE(Parse("a" + Block("") + "{EOS}").tool_calls.empty());
}

TEST(StrictParser, ValuesMayHoldOtherMarkup) {
  const ParsedCompletion parsed =
      Parse(Block("<{D}invoke name=\"f\">\n<{D}parameter name=\"k\" string=\"true\">"
                  "<{D}invoke name=\"g\">\n</{D}tool_calls>{EOS}</think></{D}parameter>\n"
                  "</{D}invoke>\n"));
  ASSERT_EQ(parsed.tool_calls.size(), 1u);
  EXPECT_EQ(parsed.tool_calls[0].arguments,
            Wire("{\"k\": \"<{D}invoke name=\\\"g\\\">\\n</{D}tool_calls>{EOS}</think>\"}"));
}

// The assistant turns of a fixture, behind each generation prompt.
std::vector<std::string> Turns(const std::string& name) {
  const std::string text = ReadGolden(name), prompt = Wire("{A}"), end = Wire("{EOS}");
  std::vector<std::string> turns;
  for (size_t at = text.find(prompt); at != std::string::npos; at = text.find(prompt, at + 1)) {
    const size_t stop = text.find(end, at);
    turns.push_back(text.substr(at + prompt.size(), stop + end.size() - at - prompt.size()));
  }
  return turns;
}

TEST(StrictParser, FixtureOneParsesBackToItsMessages) {
  const auto turns = Turns("test_output_1.txt");
  ASSERT_EQ(turns.size(), 2u);
  for (const std::string& turn : turns) ASSERT_EQ(turn.find("<think>"), 0u);
  const ParsedCompletion first = ParseCompletion(turns[0].substr(7), ThinkingMode::kThinking);
  EXPECT_EQ(first.reasoning_content,
            "The user wants to know the weather in Beijing. I should use the get_weather tool.");
  EXPECT_EQ(first.content, "");
  ASSERT_EQ(first.tool_calls.size(), 1u);
  EXPECT_EQ(first.tool_calls[0].name, "get_weather");
  EXPECT_EQ(first.tool_calls[0].arguments, "{\"location\": \"Beijing\", \"unit\": \"celsius\"}");
  const ParsedCompletion second = ParseCompletion(turns[1].substr(7), ThinkingMode::kThinking);
  EXPECT_EQ(second.reasoning_content, "Got the weather data. Let me format a nice response.");
  EXPECT_EQ(second.content,
            "The weather in Beijing is currently sunny with a temperature of 22\u00b0C and 45% "
            "humidity.");
}

TEST(StrictParser, FixtureTwoParsesBackToItsMessages) {
  const auto turns = Turns("test_output_2.txt");
  ASSERT_EQ(turns.size(), 2u);
  ASSERT_EQ(turns[0].find("</think>"), 0u);
  EXPECT_EQ(ParseCompletion(turns[0].substr(8), ThinkingMode::kChat).content,
            "Hi there! How can I help you?");
  ASSERT_EQ(turns[1].find("<think>"), 0u);
  const ParsedCompletion last = ParseCompletion(turns[1].substr(7), ThinkingMode::kThinking);
  EXPECT_EQ(last.reasoning_content, "The user asks about the capital of France. It is Paris.");
  EXPECT_EQ(last.content, "The capital of France is Paris.");
}

}  // namespace
}  // namespace finback
