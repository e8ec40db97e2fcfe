// What a stream tells of the text that a model writes, in whatever pieces it comes.
#include "core/local/answer_reader.h"

#include <gtest/gtest.h>

#include "tests/core/chat/conversation.h"

namespace finback {
namespace {

struct Heard {
  std::string reasoning, content, calls, notices;
  bool operator==(const Heard&) const = default;
};

void Take(EventQueue* queue, Heard* heard) {
  Event event;
  while (!queue->empty()) {
    queue->Pop(&event);
    if (event.kind == EventKind::kReasoning) heard->reasoning += event.text;
    if (event.kind == EventKind::kContent && event.ends_reasoning) {
      heard->reasoning += std::exchange(heard->content, {});
    } else if (event.kind == EventKind::kContent) {
      heard->content += event.text;
    }
    if (event.kind == EventKind::kToolCallEnd) {
      heard->calls += event.tool_id.substr(0, 10) + " " + event.tool_name + event.text + "\n";
    }
    if (event.kind == EventKind::kNotice) {
      const Json notice = ParseJson(event.text, "notice");
      heard->notices += notice.Find("code")->text + " ";
      const Json* raw = notice.Find("raw");
      if (raw != nullptr && notice.Find("code")->text == "arguments_repaired") {
        heard->notices += raw->text + " ";
      }
    }
  }
}

Heard HearPieces(const std::string& text, size_t piece, AnswerReading reading) {
  EventQueue queue(4);
  AnswerReader reader(std::move(reading), 1, &queue);
  Heard heard;
  for (size_t i = 0; i < text.size() && !reader.over(); i += piece) {
    reader.Push(text.substr(i, piece));
    Take(&queue, &heard);
  }
  reader.Finish("", FinishReason::kStop);
  Take(&queue, &heard);
  return heard;
}

Heard Hear(const std::string& marked, AnswerReading reading) {
  const std::string text = Wire(marked);
  const Heard heard = HearPieces(text, text.size() + 1, reading);
  for (const size_t piece : {1u, 2u, 3u, 7u}) {
    EXPECT_EQ(HearPieces(text, piece, reading), heard) << text << " in pieces of " << piece;
  }
  return heard;
}

Heard HearThinking(const std::string& text) {
  return Hear(text, {.parsing = ThinkingMode::kThinking});
}
Heard HearChat(const std::string& text) { return Hear(text, {.parsing = ThinkingMode::kChat}); }

AnswerReading WithTool(ThinkingMode mode) {
  AnswerReading reading{.parsing = mode};
  reading.tools.push_back(ParseJson("{\"name\": \"f\"}", "tool"));
  return reading;
}

std::string Call(const std::string& parameters) {
  return "\n\n<{D}tool_calls>\n<{D}invoke name=\"f\">\n" + parameters +
         "</{D}invoke>\n</{D}tool_calls>";
}

TEST(AnswerReader, ReasoningEndsAtATagOfAnySpelling) {
  for (const char* tag :
       {"</think>", "</thinking>", "</THINK >", "<|/think|>", "</seed:think>", "[/THINK]",
        "</think></think>", "</thinking>\n</think>", "</think>\n\n</think>"}) {
    const Heard heard = HearThinking("I look.\n\n" + std::string(tag) + "\n\nIt is blue.");
    EXPECT_EQ(heard.reasoning, "I look.") << tag;
    EXPECT_EQ(heard.content, "It is blue.") << tag;
  }
}

TEST(AnswerReader, ReasoningThatNobodyAskedForIsReasoning) {
  for (const char* text : {"<think>r</think>c", "<thinking>\nr</thinking>\n\nc",
                           "<|think|>r<|/think|>c", "\n<think>r</think>\nc"}) {
    const Heard heard = HearChat(text);
    EXPECT_EQ(heard.reasoning, "r") << text;
    EXPECT_EQ(heard.content, "c") << text;
  }
}

// The model began to answer, went on thinking, and says so only at the end of it.
TEST(AnswerReader, ALateTagMakesReasoningOfWhatWasToldBefore) {
  const Heard heard = HearThinking("</think>Let me see.</thinking>It is blue.");
  EXPECT_EQ(heard.reasoning, "Let me see.");
  EXPECT_EQ(heard.content, "It is blue.");
  EXPECT_EQ(heard.notices, "reasoning_in_content ");
  EXPECT_EQ(HearThinking("r</think>a</think>b").content, "ab");
  const Heard twice = HearThinking("</thinking>Let me see.</thinking>It is blue.");
  EXPECT_EQ(twice.reasoning, "Let me see.");
  EXPECT_EQ(twice.content, "It is blue.");
}

TEST(AnswerReader, TagsThatAreSpokenOfStay) {
  const Heard heard =
      HearThinking("r</think>Write `</thinking>` behind it, and `<thinking>` before.");
  EXPECT_EQ(heard.content, "Write `</thinking>` behind it, and `<thinking>` before.");
  EXPECT_EQ(HearThinking("The tag `</thinking>` ends it.</think>c").reasoning,
            "The tag `</thinking>` ends it.");
}

TEST(AnswerReader, SaysOfACallWhetherThereWasReasoning) {
  const AnswerReading thinking = WithTool(ThinkingMode::kThinking);
  EXPECT_EQ(Hear("r</think>" + Call(""), thinking).calls.find("ET"), std::string::npos);
  EXPECT_EQ(Hear("</think>" + Call(""), thinking).calls.substr(0, 11), "call_00_ET ");
  EXPECT_EQ(Hear("\n\n</think>\n\nc" + Call(""), thinking).calls.substr(0, 11), "call_00_ET ");
  EXPECT_EQ(Hear(Call(""), WithTool(ThinkingMode::kChat)).calls.find("ET"), std::string::npos);
  AnswerReading goes_on = thinking;
  goes_on.goes_on = true;  // the reasoning stands in the prompt
  EXPECT_EQ(Hear("</think>" + Call(""), goes_on).calls.find("ET"), std::string::npos);
}

TEST(AnswerReader, AValueThatTurnsOutNotToBeJsonIsRepaired) {
  const Heard heard =
      Hear(Call("<{D}parameter name=\"k\" string=\"false\">[1, x]</{D}parameter>\n"),
           WithTool(ThinkingMode::kChat));
  EXPECT_EQ(heard.calls.substr(11), "f{\"k\": \"[1, x]\"}\n");
  EXPECT_EQ(heard.notices, "arguments_repaired {\"k\": [1,  ");
}

// The attribute says what a value is, not the schema: as the services do.
TEST(AnswerReader, TypesAreThoseThatTheModelSaid) {
  AnswerReading reading{.parsing = ThinkingMode::kChat};
  reading.tools.push_back(ParseJson(
      "{\"name\": \"f\", \"parameters\": {\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\"}, "
      "\"k\": {\"type\": \"string\"}}}}",
      "tool"));
  const Heard heard = Hear(Call("<{D}parameter name=\"n\" string=\"true\">5</{D}parameter>\n"
                                "<{D}parameter name=\"k\" string=\"false\">5</{D}parameter>\n"),
                           reading);
  EXPECT_EQ(heard.calls.substr(11), "f{\"n\": \"5\", \"k\": 5}\n");
}

TEST(AnswerReader, StopStringsCountBehindATagOfAnySpelling) {
  for (const char* tag : {"</think>", "</thinking>"}) {
    AnswerReading reading{.parsing = ThinkingMode::kThinking, .stop = {"END", "more"}};
    const std::string reasoning = "r END" + std::string(tag);
    EXPECT_EQ(Hear(reasoning + "a EN", reading).content, "a EN");
    EXPECT_EQ(Hear(reasoning + "a ENDb", reading).content, "a ");
    const Heard heard = Hear(reasoning + "\n\nab</think>cEND", reading);
    EXPECT_EQ(heard.content, "abc");
    EXPECT_EQ(heard.reasoning, "r END");
  }
}

TEST(AnswerReader, RawTextIsAsItIs) {
  AnswerReading reading;
  reading.stop = {"END"};
  EXPECT_EQ(Hear("\n\n<think>a</think>\n", reading).content, "\n\n<think>a</think>\n");
  EXPECT_EQ(Hear("\n\naENDb", reading).content, "\n\na");
}

TEST(AnswerReader, SaysThatAnAnswerIsNoObject) {
  const AnswerReading reading{.parsing = ThinkingMode::kChat, .object = true};
  const std::string notice = "answer_no_object ";
  for (const char* text : {"{\"a\": [1, \"}\"]}", " {}\n"}) {
    EXPECT_EQ(Hear(text, reading).notices, "") << text;
  }
  for (const char* text : {"", "Hello", "[1]", "{\"a\": ", "Here: {}", "```json\n{}\n```"}) {
    EXPECT_EQ(Hear(text, reading).notices, notice) << text;
  }
  EXPECT_EQ(Hear("Hello", {.parsing = ThinkingMode::kChat}).notices, "");
}

TEST(AnswerReader, LooksForAnObjectInTheContentAlone) {
  EventQueue queue(4);
  AnswerReader cut({.parsing = ThinkingMode::kChat, .object = true}, 1, &queue);
  EXPECT_EQ(cut.Finish("{\"a\": ", FinishReason::kLength), FinishReason::kLength);
  Heard heard;
  Take(&queue, &heard);
  EXPECT_EQ(heard.notices, "");  // its reason says it
  const AnswerReading thinking{.parsing = ThinkingMode::kThinking, .object = true};
  EXPECT_EQ(Hear("Hm.</think>{\"a\": 1}", thinking).notices, "");
  EXPECT_EQ(Hear("{\"a\": 1}</think>No.", thinking).notices, "answer_no_object ");
  EXPECT_EQ(Hear("Hm.</thinking>{\"a\": 1}", thinking).notices, "");
  EXPECT_EQ(Hear("{\"a\": 1}</thinking>No.", thinking).notices, "answer_no_object ");
}

}  // namespace
}  // namespace finback
