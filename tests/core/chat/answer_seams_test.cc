// Where the parts of an answer meet: newlines, stop strings, think tags, values that still come.
#include <gtest/gtest.h>

#include "tests/core/chat/hearing.h"

namespace finback {
namespace {

TEST(AnswerSeams, NewlinesAtTheSeamsAreLeftOut) {
  const Heard heard = Hear("\n\nr\n \nr\n\n\n</think>\n\n\nc\n\nc\n\n\n" + Block(kCall), kThinking);
  ExpectOneCall(heard);
  EXPECT_EQ(heard.reasoning, "r\n \nr");
  EXPECT_EQ(heard.content, "c\n\nc");
  EXPECT_EQ(Hear("\n\nc\n" + kCall, kChat).content, "c");
  EXPECT_EQ(Hear("\n\nc\n\n{EOS}", kChat).content, "c\n\n");
  EXPECT_EQ(Hear("\n\nc\n\n", kChat).content, "c\n\n");
  EXPECT_EQ(Hear("r\n\n" + Block(kCall), kThinking).reasoning, "r");
  EXPECT_EQ(Hear("\nr\n\n", kThinking).reasoning, "r\n\n");  // cut off: it may go on
  EXPECT_EQ(Hear("\n\n</think>\n\n", kThinking).order, "");
  const Heard other = Hear("\r\nr \n </think> \nc\r\n" + Block(kCall), kThinking);
  EXPECT_EQ(other.reasoning, "\r\nr \n ");
  EXPECT_EQ(other.content, " \nc\r");
}

TEST(AnswerSeams, NewlinesBeforeMarkupThatMakesNoCallStay) {
  const std::string text = "a\n\n\n<{D}tool_calls>\nno call";
  EXPECT_EQ(Hear(text, kChat).content, Wire(text));
  EXPECT_EQ(Hear(text + "</think>", kThinking).reasoning, Wire(text));
  EXPECT_EQ(Hear("a\n\n" + Block("") + "\nb", kChat).content, "a\nb");  // an empty block is none
}

// What a reader gets of one answer, with other options.
std::string Content(const std::string& text, CompletionParser::Options options, size_t piece) {
  CompletionParser parser(std::move(options));
  std::vector<ParserEvent> events;
  for (size_t i = 0; i < text.size() && !parser.done(); i += piece) {
    parser.Push(std::string_view(text).substr(i, piece), &events);
  }
  parser.Finish(&events);
  std::string out;
  for (const ParserEvent& event : events) {
    if (event.kind == Kind::kReasoning) out += "(" + event.text + ")";
    if (event.kind == Kind::kContent) out += event.text;
    if (event.kind == Kind::kToolCall) out += "[" + event.text + "]";
  }
  size_t at = 0;
  while ((at = out.find(")(")) != std::string::npos) out.erase(at, 2);
  return parser.stopped() ? out + "|" : out;
}

TEST(AnswerSeams, AnAnswerThatGoesOnKeepsNewlinesAtItsStart) {
  for (const size_t piece : {1u, 2u, 100u}) {
    CompletionParser::Options options;
    options.start = CompletionParser::Start::kGoesOn;
    EXPECT_EQ(Content("\n\nc\n", options, piece), "\n\nc\n");
    options.thinking = kThinking;
    EXPECT_EQ(Content("\n\nr\n</think>\n\nc", options, piece), "(\n\nr)c");
  }
}

TEST(AnswerSeams, StopStringsCountInContentAlone) {
  struct Case {
    const char* text;
    std::vector<std::string> stop;
    const char* expected;
  };
  const std::string call = "\n\n<{D}tool_calls>\n" + kCall + "</{D}tool_calls>";
  for (const auto& [text, stop, expected] : std::initializer_list<Case>{
           {"r\n\nx</think>a\n\nb", {"\n\n"}, "(r\n\nx)a|"},
           {"r</think>\n\nab", {"\n\n"}, "(r)ab"},   // newlines of a seam are no content
           {"r</think>a{CALL}", {"\n\n"}, "(r)a|"},  // but those before a block may stop it
           {"r</think>a{CALL}", {"<", "tool_calls"}, "(r)a[f]"},
           {"r</think>a\n\n<b", {"<"}, "(r)a\n\n|"},
           {"r</think>a</think>b", {"ab"}, "(r)|"},
           {"r</think>abc", {"cd"}, "(r)abc"},
           {"r</think>abcde", {"cd", "bcde"}, "(r)ab|"},
           {"r\n\nx{CALL}", {"\n\n"}, "(r\n\nx)[f]"},
           {"r</think>a\n\n{EOS}", {"\n\n"}, "(r)a|"},
       }) {
    std::string whole = text;
    const size_t at = whole.find("{CALL}");
    if (at != std::string::npos) whole.replace(at, 6, call);
    for (const size_t piece : {1u, 2u, 3u, 1000u}) {
      EXPECT_EQ(Content(Wire(whole), {.thinking = kThinking, .stop = stop}, piece), expected)
          << text << " in pieces of " << piece;
    }
  }
}

TEST(AnswerSeams, ValuesAreToldWhileTheyAreJson) {
  CompletionParser parser({});
  std::vector<ParserEvent> events;
  const auto told = [&](const std::string& text) {
    events.clear();
    parser.Push(Wire(text), &events);
    std::string all;
    for (const ParserEvent& event : events) all += event.text + (event.is_retold ? "!" : "");
    return all;
  };
  const std::string parameter = "<{D}parameter name=\"k\" string=\"false\">";
  const std::string close = "</{D}parameter>\n";
  EXPECT_EQ(told("<{D}tool_calls><{D}invoke name=\"f\">" + parameter), "f");
  EXPECT_EQ(told(" [1, {\"a\""), "{\"k\":  [1, {\"a\"");
  EXPECT_EQ(told(": 2}"), ": 2}");
  EXPECT_EQ(told("]" + close), "]");
  EXPECT_EQ(told("<{D}parameter name=\"n\" string=\"false\">12"), "");  // short: at its end
  EXPECT_EQ(told(close), ", \"n\": 12");
  EXPECT_EQ(told("</{D}invoke>"), "}{\"k\":  [1, {\"a\": 2}], \"n\": 12}");
  // What turns out not to be JSON is a string after all, and nothing more is told before the end.
  EXPECT_EQ(told("<{D}invoke name=\"g\">" + parameter + "[1, x"), "g{\"k\": [1, ");
  EXPECT_EQ(told("y]" + close + Parameter("s", "true", "v")), "");
  EXPECT_EQ(told("</{D}invoke>"), "{\"k\": \"[1, xy]\", \"s\": \"v\"}!");
}

TEST(AnswerSeams, ThinkTagsNeverLeakWhereverTheyStand) {
  const struct {
    const char *text, *reasoning, *content;
  } kCases[] = {
      {"r</think></think>c", "r", "c"},
      {"r</think>\n\n</think>\n\nc", "r", "c"},
      {"<think>\nr</think>c", "r", "c"},
      {"<think><think>r</think>c", "r", "c"},
      {"r</think>c</think>d", "r", "cd"},
      {"r</think>c<think>d</think>e", "r", "cde"},
      {"r</think>\n<think>s</think>\nc", "rs", "c"},
      {"</think>c", "", "c"},
  };
  for (const auto& [text, reasoning, content] : kCases) {
    const Heard heard = Hear(text, kThinking);
    EXPECT_EQ(heard.reasoning, reasoning) << text;
    EXPECT_EQ(heard.content, content) << text;
  }
  // Nothing was to be thought, and it was all the same.
  const Heard block = Hear("\n<think>\nr\n</think>\n\nc", kChat);
  EXPECT_EQ(block.reasoning, "r");
  EXPECT_EQ(block.content, "c");
  EXPECT_EQ(Hear("c</think>d", kChat).content, "cd");
  EXPECT_EQ(Hear("c\n\n</think>\n" + Block(kCall), kChat).content, "c");
}

TEST(AnswerSeams, AnEndTokenInAValueEndsNothing) {
  const std::string text = Wire(Block(Invoke("f", Parameter("k", "true", "a{EOS}b"))));
  CompletionParser parser({});
  std::vector<ParserEvent> events;
  for (size_t i = 0; i < text.size(); ++i) {
    parser.Push(text.substr(i, 1), &events);
    EXPECT_EQ(parser.done(), i + 1 == text.size());
  }
}

TEST(AnswerSeams, WhatIsNoJsonInsideOfArgumentsIsAString) {
  for (const std::string value : {"\uFEFF{}", "\uFEFF1", "NaN", "[1, 2", "tru"}) {
    const Heard heard = Hear(Block(Invoke("f", Parameter("k", "false", value))), kChat);
    ExpectOneCall(heard, "{\"k\": \"" + value + "\"}");
  }
}

TEST(AnswerSeams, NothingIsLostBehindATagThatMakesNoCall) {
  for (const char* text :
       {"x <{D}invoke name=\"f\">y", "x <{D}invoke name=\"f\" id=\"1\">y and more",
        "<{D}parameter name=\"k\" string=\"true\">v"}) {
    EXPECT_EQ(Hear(text, kChat).content, Wire(text));
  }
  for (const char* cut :
       {"<{D}ca", "<{D} cal", "<{D}toolc", "<{D}invoke name=\"f\">\n", "</{D}fun"}) {
    EXPECT_EQ(Hear("a\n\n" + std::string(cut), kChat).content, "a") << cut;
  }
}

}  // namespace
}  // namespace finback
