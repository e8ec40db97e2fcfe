#include <gtest/gtest.h>

#include <random>

#include "tests/core/chat/hearing.h"

namespace finback {
namespace {

enum class Ends : uint8_t { kFirst, kBoth };

std::string WithoutNewlines(std::string text, Ends ends) {
  text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
  if (ends == Ends::kBoth) text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

TEST(StreamingParser, SeparatesReasoningContentAndCalls) {
  const Heard heard =
      Hear("think\n\n</think>say" +
               Block(kCall + Invoke("g", Parameter("n", "false", " [1,\n2]") +
                                             Parameter("s", "true", "\"\n\u00e9"))) +
               "{EOS}",
           kThinking);
  EXPECT_EQ(heard.reasoning, "think");
  EXPECT_EQ(heard.content, "say");
  ASSERT_EQ(heard.calls.size(), 2u);
  EXPECT_EQ(heard.calls[0].complete, "{\"k\": \"v\"}");
  EXPECT_EQ(heard.calls[1].name, "g");
  EXPECT_EQ(heard.calls[1].complete, "{\"n\":  [1,\n2], \"s\": \"\\\"\\n\u00e9\"}");
  EXPECT_EQ(heard.order, "rctaetae");
  EXPECT_TRUE(heard.done);
  EXPECT_FALSE(heard.in_reasoning);
}

TEST(StreamingParser, AChatAnswerStartsAsContent) {
  const Heard heard = Hear("Hello{EOS}", kChat);
  EXPECT_EQ(heard.content, "Hello");
  EXPECT_TRUE(heard.done);
  EXPECT_FALSE(heard.in_reasoning);
}

TEST(StreamingParser, AcceptsMissingEndMarkers) {
  const Heard content = Hear("done.</think>Hello", kThinking);
  EXPECT_EQ(content.content, "Hello");
  EXPECT_FALSE(content.done);
  const Heard reasoning = Hear("never done", kThinking);
  EXPECT_EQ(reasoning.reasoning, "never done");
  EXPECT_TRUE(reasoning.in_reasoning);
  ExpectOneCall(Hear("x" + Block(kCall), kChat));
}

TEST(StreamingParser, DropsALeadingThinkTag) {
  const Heard heard = Hear("<think>r</think>c{EOS}", kThinking);
  EXPECT_EQ(heard.reasoning, "r");
  EXPECT_EQ(heard.content, "c");
}

TEST(StreamingParser, RemovesMarkersOutOfPlace) {
  const Heard heard = Hear("{BOS}a</think>b</think>c<think>d{BOS}e{D}f{EOS}", kThinking);
  EXPECT_EQ(heard.reasoning, "a");
  EXPECT_EQ(heard.content, Wire("bcde{D}f"));
}

TEST(StreamingParser, RemovalsDoNotMakeNewMarkers) {
  EXPECT_EQ(Hear("<th<think>ink>x{EOS}", kChat).content, "<thx");
  EXPECT_EQ(Hear("<th<th<think>ink>ink>x", kChat).content, "<th<thx");
  Hear("</thi<think>nk>{D}</th<{D}x>ink>", kThinking);
  Hear("\uFF5CDS<think>ML\uFF5Ctool_calls>\uFF5C{D}DSML\uFF5C", kChat);
}

TEST(StreamingParser, IgnoresWhatFollowsTheEnd) {
  EXPECT_EQ(Hear("a{EOS}b", kChat).content, "a");
  const Heard heard = Hear("a" + Block(kCall) + "more{EOS}", kChat);
  ExpectOneCall(heard);
  EXPECT_EQ(heard.content, "a");
}

TEST(StreamingParser, ToleratesWhitespaceAroundTags) {
  for (const std::string& text : {
           "x\n<{D}tool_calls>\n" + kCall + "</{D}tool_calls>",
           "x<{D}tool_calls>" + kCall + "</{D}tool_calls>",
           "x\n\n<{D}tool_calls >\n\n\n" + kCall + "\n </{D}tool_calls\n>{EOS}",
           std::string(
               "x\n\n<{D} tool_calls>  <{D}invoke  name = \"f\" >  <{D}parameter   name=\"k\"\n"
               "string = \"true\" >v</{D}parameter ></{D}invoke ></{D}tool_calls>"),
           std::string(
               "x\n\n<{D}tool_calls>\r\n<{D}invoke name=\"f\">\r\n\r\n<{D}parameter name=\"k\" "
               "string=\"true\">v</{D}parameter>\r\n</{D}invoke>\r\n</{D}tool_calls>"),
       }) {
    const Heard heard = Hear(text, kChat);
    ExpectOneCall(heard);
    EXPECT_EQ(heard.content, "x");
  }
}

TEST(StreamingParser, ToleratesMissingClosingTags) {
  const std::string open = "x\n\n<{D}tool_calls>\n", invoke = "<{D}invoke name=\"f\">\n";
  const std::string parameter = Parameter("k", "true", "v");
  ExpectOneCall(Hear(open + invoke + parameter + "</{D}tool_calls>", kChat));
  ExpectOneCall(Hear(open + invoke + parameter + "{EOS}", kChat));
  ExpectOneCall(Hear(open + kCall + "{EOS}", kChat));
  const Heard two = Hear(open + invoke + parameter + kCall + "</{D}tool_calls>", kChat);
  ASSERT_EQ(two.calls.size(), 2u);
  EXPECT_TRUE(two.calls[0].ended && two.calls[1].ended);
  ExpectOneCall(Hear("x" + kCall + "</{D}tool_calls>", kChat));  // the opening tag too
}

TEST(StreamingParser, AValueThatIsNoJsonBecomesAString) {
  for (const char* value : {"abc", "", "{", "NaN", "[1,]", "1 2", "\"open"}) {
    std::string quoted;
    AppendJsonString(value, &quoted);
    ExpectOneCall(Hear(Block(Invoke("f", Parameter("k", "false", value))), kChat),
                  "{\"k\": " + quoted + "}");
  }
  for (const char* value : {"1", "[1, {\"a\": null}]", " true", "123456789012345678901234567890"}) {
    ExpectOneCall(Hear(Block(Invoke("f", Parameter("k", "false", value))), kChat),
                  "{\"k\": " + std::string(value) + "}");
  }
}

TEST(StreamingParser, AParameterWithoutATypeIsJsonOrAString) {
  const std::string tag = "<{D}parameter name=\"k\">";
  ExpectOneCall(Hear(Block(Invoke("f", tag + "5</{D}parameter>\n")), kChat), "{\"k\": 5}");
  ExpectOneCall(Hear(Block(Invoke("f", tag + "v</{D}parameter>\n")), kChat));
}

TEST(StreamingParser, TheLastOfRepeatedParametersWins) {
  const Heard heard =
      Hear(Block(Invoke("f", Parameter("k", "true", "1") + Parameter("k", "true", "2"))), kChat);
  ASSERT_EQ(heard.calls.size(), 1u);
  EXPECT_EQ(ParseJson(heard.calls[0].complete, "arguments").Find("k")->text, "2");
}

TEST(StreamingParser, NoParametersGiveAnEmptyObject) {
  ExpectOneCall(Hear(Block(Invoke("f", "\n")), kChat), "{}");
  ExpectOneCall(Hear(Block(Invoke("f", "")), kChat), "{}");
}

TEST(StreamingParser, ValuesMayHoldOtherMarkup) {
  ExpectOneCall(
      Hear(Block(Invoke("f", Parameter("k", "true", "<{D}invoke></{D}tool_calls>{EOS}</th"))),
           kChat),
      Wire("{\"k\": \"<{D}invoke></{D}tool_calls>{EOS}</th\"}"));
}

TEST(StreamingParser, ABlockInReasoningEndsIt) {
  const Heard heard = Hear("I call." + Block(kCall) + "{EOS}", kThinking);
  ExpectOneCall(heard);
  EXPECT_EQ(heard.reasoning, "I call.");
  EXPECT_EQ(heard.content, "");
  EXPECT_FALSE(heard.in_reasoning);
}

TEST(StreamingParser, MarkupMentionedInReasoningIsNoCall) {
  for (const std::string& mention : {
           std::string("Use `<{D}tool_calls>` and `<{D}invoke name=\"f\">`, then"),
           std::string("first\n\n<{D}tool_calls>\nnothing here, and <{D}invoke name=\"f\">\n more"),
           "inline <{D}tool_calls>\n" + kCall + "</{D}tool_calls> ends",
           std::string("a <{D}invoke name=\"f\">\n</{D}invoke>\n"),
       }) {
    const Heard heard = Hear(mention + "</think>c{EOS}", kThinking);
    EXPECT_TRUE(heard.calls.empty()) << mention;
    EXPECT_EQ(heard.content, "c") << mention;
    EXPECT_FALSE(heard.reasoning.empty());
  }
}

TEST(StreamingParser, MarkupThatMakesNoCallIsLeftWhole) {
  for (const char* text : {
           "a\n\n<{D}tool_calls>\nnot a call\n</{D}tool_calls>\nb",
           "a <{D}parameter name=\"k\" string=\"true\">v</{D}parameter> b {D}c",
           "Use <{D}tool_calls>, then <{D}invoke name=\"f\"> and </{D}invoke>.",
           "<{D} calls>x",
           "<{D}function_calls>\n<{D}invoke>\nx",
       }) {
    EXPECT_EQ(Hear(text + std::string("{EOS}"), kChat).content, Wire(text));
    EXPECT_EQ(Hear(text, kThinking).reasoning, Wire(text));
  }
}

TEST(StreamingParser, ToolMarkupIsTextWhereNoToolsAreOffered) {
  const std::string text = Wire("a" + Block(kCall));
  for (const std::vector<std::string>& chunks : {std::vector<std::string>{text}, Bytes(text)}) {
    CompletionParser parser(
        {.thinking = kThinking, .tool_markup = CompletionParser::ToolMarkup::kText});
    std::vector<ParserEvent> events;
    parser.Push("r</think>", &events);
    for (const std::string& chunk : chunks) parser.Push(chunk, &events);
    parser.Push(Wire("{EOS}"), &events);
    std::string content;
    for (const ParserEvent& event : events) {
      if (event.kind == Kind::kContent) content += event.text;
    }
    EXPECT_EQ(content, text);
    EXPECT_FALSE(parser.has_tool_calls());
    EXPECT_TRUE(parser.done());
  }
}

TEST(StreamingParser, AnEmptyBlockIsNone) {
  const Heard heard = Hear("a" + Block("") + "{EOS}", kChat);
  EXPECT_EQ(heard.content, "a");
  EXPECT_TRUE(heard.calls.empty());
  EXPECT_EQ(ParseCompletion(Wire("a" + Block("") + "{EOS}"), kChat).content, "a");
  EXPECT_EQ(Hear("a" + Block("") + "b", kThinking).reasoning, Wire("a" + Block("") + "b"));
}

TEST(StreamingParser, UnderstandsEverySpellingOfTheTags) {
  const std::string value = "v</{D}parameter>\n";
  for (const std::string& parameter : {
           "string=\"true\" name=\"k\">" + value,
           "name='k' string='true'>" + value,
           "string='true' name=\"k\">" + value,
           "name=k string=true>" + value,
           "name = \"k\"  string =\"true\" >" + value,
           "type=\"string\" name=\"k\" string=\"true\">" + value,
           "name=\"k\" string=\"true\" type=\"x\">" + value,
           "name=\"k\" string=\"yes\">" + value,
           "name=\"k\">" + value,
       }) {
    ExpectOneCall(Hear(Block(Invoke("f", "<{D}parameter " + parameter)), kChat));
  }
  const std::string body = Parameter("k", "true", "v") + "</{D}invoke>\n";
  for (const std::string& invoke : {"name='f'>\n" + body, "name=f>\n" + body,
                                    "id=\"1\" name=\"f\" >" + body, "name=\"f\" id='2'>" + body}) {
    ExpectOneCall(Hear(Block("<{D}invoke " + invoke), kChat));
  }
  for (const char* word : {"tool_calls", " calls", "calls", "function_calls", " function_calls"}) {
    const std::string block = word;
    ExpectOneCall(Hear("\n\n<{D}" + block +
                           ">\n<{D} invoke name=\"f\">\n<{D} parameter name=\"k\""
                           " string=\"true\">v</{D} parameter>\n</{D} invoke>\n</{D}" +
                           block + ">",
                       kChat));
  }
}

TEST(StreamingParser, ABodyMayBeAJsonObjectOrNothing) {
  for (const char* body :
       {"{\"k\": \"v\"}", "\n{\"k\": \"v\"}\n", "```json\n{\"k\": \"v\"}\n```\n"}) {
    const Heard heard = Hear(Block(Invoke("f", body)), kChat);
    ASSERT_EQ(heard.calls.size(), 1u);
    EXPECT_EQ(ParseJson(heard.calls[0].complete, "arguments").Find("k")->text, "v") << body;
  }
  for (const char* tag :
       {"<{D}invoke name=\"f\"/>\n", "<{D}invoke name='f' />", "<{D}invoke name=f/>"}) {
    ExpectOneCall(Hear(Block(tag), kChat), "{}");
    EXPECT_EQ(Hear(Block(tag + kCall), kChat).calls.size(), 2u);
  }
}

// What is not understood is never handed over as less than it was.
TEST(StreamingParser, ACallThatIsNotUnderstoodIsInvalidAndWhole) {
  for (const std::string& body : {
           std::string("<{D}parameter key=\"k\">v</{D}parameter>\n"),
           std::string("<parameter name=\"k\">v</parameter>\n"),
           std::string("k: v\n"),
           std::string("[1, 2]\n"),
           std::string("{\"k\": \n"),
           Parameter("a", "true", "b") + "<{D}parameter>v</{D}parameter>\n",
           Parameter("a", "true", "b") + "{\"k\": 1}\n",
           "<{D}argument name=\"k\">v</{D}argument>\n" + Parameter("a", "true", "b"),
       }) {
    const std::string invoke = "<{D}invoke name=\"f\">\n" + body + "</{D}invoke>";
    const Heard heard = Hear(Block(invoke + "\n" + kCall), kChat);
    ASSERT_EQ(heard.calls.size(), 2u) << body;
    EXPECT_EQ(heard.calls[0].complete, Wire(invoke));
    EXPECT_EQ(heard.calls[1].complete, "{\"k\": \"v\"}");
  }
}

TEST(StreamingParser, AnUnclosedParameterEndsWithItsCall) {
  const std::string open =
      "\n\n<{D}tool_calls>\n<{D}invoke name=\"f\">\n<{D}parameter name=\"k\" "
      "string=\"true\">v";
  ExpectOneCall(Hear(open + "</{D}invoke>\n</{D}tool_calls>", kChat));
  ExpectOneCall(Hear(open + "</{D}tool_calls>{EOS}", kChat));
  const Heard two = Hear(open + "</{D}invoke>\n" + kCall + "</{D}tool_calls>", kChat);
  ASSERT_EQ(two.calls.size(), 2u);
  EXPECT_EQ(two.calls[0].complete, two.calls[1].complete);
}

TEST(StreamingParser, TextBehindACallIsContentUntilTheBlockEnds) {
  const Heard heard =
      Hear("a\n\n<{D}tool_calls>\n" + kCall + "then\n" + kCall + "</{D}tool_calls>z", kChat);
  EXPECT_EQ(heard.content, "athen");
  EXPECT_EQ(heard.calls.size(), 2u);
  EXPECT_TRUE(heard.done);
}

TEST(StreamingParser, ACallThatIsCutOffHasNoEnd) {
  const std::string open = "\n\n<{D}tool_calls>\n<{D}invoke name=\"f\">\n";
  const Heard in_value = Hear(open + "<{D}parameter name=\"k\" string=\"true\">ab</{D}par", kChat);
  ASSERT_EQ(in_value.calls.size(), 1u);
  EXPECT_FALSE(in_value.calls[0].ended);
  EXPECT_EQ(in_value.calls[0].arguments, "{\"k\": \"ab");
  const Heard stopped = Hear(open + "<{D}parameter name=\"k\" string=\"true\">ab{EOS}", kChat);
  EXPECT_FALSE(stopped.calls.at(0).ended);
  EXPECT_EQ(stopped.calls[0].arguments, "{\"k\": \"ab");
  EXPECT_TRUE(stopped.done);
  const Heard between = Hear(open + Parameter("k", "true", "v"), kChat);
  EXPECT_FALSE(between.calls.at(0).ended);
  EXPECT_FALSE(between.done);
  const Heard nothing = Hear(open, kChat);
  EXPECT_FALSE(nothing.calls.at(0).ended);
  EXPECT_EQ(nothing.calls[0].arguments, "");
  EXPECT_EQ(nothing.content, "");
  const Heard no_parameter = Hear(open + "<{D}parameter{EOS}", kChat);
  EXPECT_FALSE(no_parameter.calls.at(0).ended);
}

TEST(StreamingParser, AnUnfinishedTagAtTheEndIsRemoved) {
  for (const char* cut :
       {"<{D}", "<{D}tool", "<{D}tool_calls", "<{D}tool_calls>\n", "<{D}tool_calls>\n<{D}inv",
        "<{D}tool_calls>\n<{D}invoke name=\"f", "</{D}invoke"}) {
    EXPECT_EQ(Hear("a" + std::string(cut), kChat).content, "a") << cut;
  }
}

TEST(StreamingParser, HeldTextIsReleasedAtTheEnd) {
  EXPECT_EQ(Hear("a\n\n<", kChat).content, "a\n\n<");
  EXPECT_EQ(Hear("a</thin", kThinking).reasoning, "a</thin");
}

TEST(StreamingParser, HoldsBackOnlyWhatMayBecomeMarkup) {
  CompletionParser parser({.thinking = kThinking});
  std::vector<ParserEvent> events;
  const auto heard = [&](const std::string& text) {
    events.clear();
    parser.Push(Wire(text), &events);
    std::string all;
    for (const ParserEvent& event : events) all += event.text;
    return all;
  };
  EXPECT_EQ(heard("thinking"), "thinking");
  EXPECT_EQ(heard(" </"), " ");
  EXPECT_EQ(heard("thick"), "</thick");
  EXPECT_EQ(heard("</think>"), "");
  EXPECT_FALSE(parser.in_reasoning());
  EXPECT_EQ(heard("x\n"), "x");
  EXPECT_EQ(heard("\n\n"), "");
  EXPECT_EQ(heard("y"), "\n\n\ny");
  EXPECT_EQ(heard("\n\n<{D}tool_calls>\n<{D}invoke name=\"f\">\n"), "");
  EXPECT_FALSE(parser.has_tool_calls());
  EXPECT_EQ(heard("<{D}parameter name=\"k\" string=\"true\">"), "f{\"k\": \"");
  EXPECT_TRUE(parser.has_tool_calls());
  EXPECT_EQ(heard("long \"text\""), "long \\\"text\\\"");
  EXPECT_EQ(heard("<"), "");
  EXPECT_EQ(heard("b>"), "<b>");
  EXPECT_EQ(heard("</{D}parameter>"), "\"");
  EXPECT_FALSE(parser.done());
  EXPECT_EQ(heard("\n</{D}invoke>\n</{D}tool_calls>"), "}{\"k\": \"long \\\"text\\\"<b>\"}");
  EXPECT_TRUE(parser.done());
}

TEST(StreamingParser, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Hear("a\xFF"
                 "b\xE2\x82",
                 kChat)
                .content,
            "a\uFFFD"
            "b\uFFFD");
}

TEST(StreamingParser, EventsOfOneKindInOnePushAreOne) {
  CompletionParser parser({.thinking = kChat});
  std::vector<ParserEvent> events;
  parser.Push(std::string(5000, 'x') + "<think>" + std::string(5000, 'y'), &events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].text.size(), 10000u);
  parser.Push("z", &events);
  EXPECT_EQ(events.size(), 2u);
}

TEST(StreamingParser, LongHeadersAndSpacesDoNotDependOnChunks) {
  for (size_t n : {1000u, 1010u, 1020u, 1024u, 1025u, 1030u, 1300u}) {
    for (const std::string& text : {
             "\n\n<{D}tool_calls>\n<{D}invoke name=\"" + std::string(n, 'n') +
                 "\">\n\n</{D}invoke>\n</{D}tool_calls>x",
             "\n\n<{D}tool_calls>" + std::string(n, ' ') + kCall + "</{D}tool_calls>x",
             "a<{D}tool_calls" + std::string(n, ' ') + ">\n" + kCall + "</{D}tool_calls>x",
             "a<{D}" + std::string(n, ' ') + "tool_calls>\n" + kCall + "</{D}tool_calls>x",
             "a<{D}parameter" + std::string(n, 'q') + ">b",
             "a<{D}invoke " + std::string(n, 'q') + ">b",
             Block(Invoke("f", Parameter(std::string(n, 'p'), "true", "v"))) + "x",
             Block(Invoke("f",
                          "<{D}parameter name=\"k\">" + std::string(n, 'v') + "</{D}parameter>")) +
                 "x",
         }) {
      const std::string wire = Wire(text);
      const Heard whole = Listen({wire}, kChat);
      EXPECT_EQ(Listen(Bytes(wire), kChat), whole) << n << " " << text.substr(0, 60);
    }
  }
}

// Texts glued from pieces of markup, in random chunks.
TEST(StreamingParser, RandomMarkupNeverLeaksNorDependsOnChunks) {
  const char* kPieces[] = {"{BOS}",
                           "{EOS}",
                           "<think>",
                           "</think>",
                           "{D}",
                           "<{D}",
                           "</{D}",
                           "\n",
                           "\n\n",
                           "<",
                           ">",
                           "</",
                           "tool_calls",
                           "tool_calls>",
                           "invoke",
                           " name=\"f\">",
                           " name=\"",
                           "\">",
                           "parameter",
                           " string=\"true\">",
                           " string=\"false\">",
                           "\"",
                           "x",
                           "text ",
                           "\u00e9",
                           "\uFF5C",
                           "DSML",
                           "think>",
                           "<th",
                           "ink>",
                           "{U}",
                           "=",
                           " ",
                           "1",
                           "[1",
                           "]",
                           "end\u2581of",
                           "\n\n<{D}tool_calls>\n",
                           "<{D}invoke name=\"g\">\n",
                           "</{D}invoke>\n",
                           "<{D}parameter name=\"k\" string=\"true\">",
                           "<{D}parameter name=\"k\" string=\"false\">",
                           "</{D}parameter>\n",
                           "</{D}tool_calls>",
                           "{\"a\": 1}"};
  size_t calls = 0, ended = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    std::mt19937 random(seed);
    std::string marked;
    // Half of the texts follow the grammar for a while, so that deep states are reached.
    if (seed % 2 == 0) marked += "a\n\n<{D}tool_calls>\n<{D}invoke name=\"g\">\n";
    const size_t count = 1 + random() % 25;
    for (size_t i = 0; i < count; ++i) {
      const char* piece = kPieces[random() % std::size(kPieces)];
      if (std::string(piece) == "{EOS}" && random() % 4 != 0) continue;
      marked += piece;
    }
    const std::string text = Wire(marked);
    const ThinkingMode mode = random() % 2 == 0 ? kChat : kThinking;
    const Heard whole = Listen({text}, mode);
    ASSERT_EQ(Listen(Bytes(text), mode), whole) << "seed " << seed << "\n" << text;
    for (int round = 0; round < 3; ++round) {
      std::vector<std::string> chunks;
      for (size_t i = 0; i < text.size();) {
        const size_t n = 1 + random() % 20;
        chunks.push_back(text.substr(i, n));
        i += n;
      }
      ASSERT_EQ(Listen(chunks, mode), whole) << "seed " << seed << "\n" << text;
    }
    calls += whole.calls.size();
    for (const Heard::Call& call : whole.calls) ended += call.ended;
  }
  EXPECT_GT(calls, 300u);
  EXPECT_GT(ended, 100u);
}

// What the strict parser takes, the streaming one takes alike, but for newlines at the seams.
TEST(StreamingParser, AgreesWithTheStrictParser) {
  size_t accepted = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const char* kTexts[] = {"",   "a",  "\n",     "\n\n", "<",     "</",  "<b>",
                            "\"", "\\", "\u00e9", " x ",  "\n\n<", "{U}", "\uFF5C"};
    const auto text = [&] {
      std::string out;
      for (size_t i = random() % 5; i > 0; --i) out += kTexts[random() % std::size(kTexts)];
      return out;
    };
    const ThinkingMode mode = random() % 2 == 0 ? kChat : kThinking;
    std::string marked = mode == kThinking ? text() + "</think>" + text() : text();
    if (random() % 3 != 0) {
      std::string invokes;
      for (size_t i = 1 + random() % 3; i > 0; --i) {
        std::string parameters = random() % 2 == 0 ? "\n" : "";
        for (size_t j = 0, count = random() % 4; j < count; ++j) {
          const bool is_string = random() % 2 == 0;
          parameters +=
              Parameter("k" + std::to_string(j), is_string ? "true" : "false",
                        is_string ? text() + "{D}" + text() : "[1, \"" + std::to_string(j) + "\"]");
        }
        invokes += Invoke("f" + std::to_string(i), parameters);
      }
      marked += Block(invokes) + (random() % 2 == 0 ? "{EOS}" : "");
    } else {
      marked += "{EOS}";
    }
    const std::string wire = Wire(marked);
    ParsedCompletion strict;
    try {
      strict = ParseCompletion(wire, mode);
    } catch (const Error& error) {
      continue;
    }
    ++accepted;
    const Heard heard = Listen(Bytes(wire), mode);
    strict.reasoning_content = WithoutNewlines(strict.reasoning_content, Ends::kBoth);
    strict.content =
        WithoutNewlines(strict.content, strict.tool_calls.empty() ? Ends::kFirst : Ends::kBoth);
    ASSERT_EQ(heard.reasoning, strict.reasoning_content) << "seed " << seed << "\n" << wire;
    ASSERT_EQ(heard.content, strict.content) << "seed " << seed << "\n" << wire;
    ASSERT_EQ(heard.calls.size(), strict.tool_calls.size()) << "seed " << seed << "\n" << wire;
    for (size_t i = 0; i < heard.calls.size(); ++i) {
      ASSERT_EQ(heard.calls[i].name, strict.tool_calls[i].name) << "seed " << seed;
      ASSERT_EQ(heard.calls[i].complete, strict.tool_calls[i].arguments) << "seed " << seed << "\n"
                                                                         << wire;
    }
    const ParsedCompletion whole = ParseCompletionTolerantly(wire, mode);
    ASSERT_EQ(whole.reasoning_content, strict.reasoning_content) << "seed " << seed;
    ASSERT_EQ(whole.content, strict.content) << "seed " << seed;
    ASSERT_EQ(whole.tool_calls.size(), strict.tool_calls.size()) << "seed " << seed;
    for (size_t i = 0; i < whole.tool_calls.size(); ++i) {
      ASSERT_EQ(whole.tool_calls[i].name, strict.tool_calls[i].name) << "seed " << seed;
      ASSERT_EQ(whole.tool_calls[i].arguments, strict.tool_calls[i].arguments) << "seed " << seed;
    }
  }
  EXPECT_GT(accepted, 1500u);
}

TEST(StreamingParser, AWholeTextKeepsWhatACutOffCallHad) {
  const ParsedCompletion parsed =
      ParseCompletionTolerantly(Wire("I look.\n\n<{D}tool_calls>\n<{D}invoke name=\"get\">\n"
                                     "<{D}parameter name=\"a\" string=\"true\">x y"),
                                kChat);
  EXPECT_EQ(parsed.content, "I look.");
  ASSERT_EQ(parsed.tool_calls.size(), 1u);
  EXPECT_EQ(parsed.tool_calls[0].name, "get");
  EXPECT_EQ(parsed.tool_calls[0].arguments, "{\"a\": \"x y");
}

// Each removal joins what stands around it, and the first half of the joined marker is out already.
TEST(StreamingParser, NoMarkerIsJoinedByRemovalsHoweverMany) {
  const std::string dsml = "\uFF5CDSML\uFF5C";
  for (const std::string marker : {"<think>", "</think>"}) {
    std::string text = marker.substr(0, 3);
    for (int i = 0; i < 4; ++i) text += (i % 2 == 0 ? "<think>" : dsml) + marker.substr(3);
    for (const size_t chunk : {1u, 2u, 7u, 100u}) {
      std::vector<std::string> chunks;
      for (size_t at = 0; at < text.size(); at += chunk) chunks.push_back(text.substr(at, chunk));
      const Heard heard = Listen(chunks, kChat);
      EXPECT_EQ(heard.content.find(marker), std::string::npos) << heard.content;
    }
  }
}

}  // namespace
}  // namespace finback
