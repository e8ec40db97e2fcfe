#include "core/engine/think_tags.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finback {
namespace {

constexpr EventKind kReasoning = EventKind::kReasoning, kContent = EventKind::kContent;

using Pieces = std::vector<std::pair<EventKind, std::string>>;

std::string Told(ThinkTags* tags, const Pieces& pieces, size_t size) {
  std::vector<ThinkTags::Text> texts;
  for (const auto& [kind, text] : pieces) {
    for (size_t at = 0; at < text.size(); at += size) {
      tags->Push(kind, std::string_view(text).substr(at, size), &texts);
    }
  }
  tags->Finish(&texts);
  std::string told;
  const ThinkTags::Text* last = nullptr;
  for (const ThinkTags::Text& text : texts) {
    const bool goes_on =
        last != nullptr && last->kind == text.kind && !last->ends_reasoning && !text.ends_reasoning;
    if (!goes_on) told += text.ends_reasoning ? "[end]" : text.kind == kReasoning ? "[r]" : "[c]";
    told += text.text;
    last = &text;
  }
  return told;
}

// The same for every size of pieces, which is checked.
std::string Parted(const Pieces& pieces, bool thinking = true) {
  ThinkTags at_once(thinking);
  const std::string told = Told(&at_once, pieces, 1u << 20);
  for (const size_t size : {1, 2, 3, 7}) {
    ThinkTags tags(thinking);
    EXPECT_EQ(Told(&tags, pieces, size), told) << size;
  }
  return told;
}

std::string Parted(const std::string& content, bool thinking = true) {
  return Parted({{kContent, content}}, thinking);
}

std::string Whole(const std::string& content, bool thinking = true) {
  ThinkTags tags(thinking);
  tags.HoldAll();
  return Told(&tags, {{kContent, content}}, 5);
}

TEST(ThinkTags, PartReasoningAtTheBeginning) {
  const std::pair<const char*, const char*> kRows[] = {
      {"<think>", "</think>"},
      {"<thinking>", "</thinking>"},
      {"<THINK>", "</Think>"},
      {"< think >", "< / think >"},
      {"<|think|>", "</|think|>"},
      {"<|think|>", "<|/think|>"},
      {"<\uFF5Cthink\uFF5C>", "</\uFF5Cthink\uFF5C>"},
      {"<reasoning>", "</reasoning>"},
      {"<thought>", "</thought>"},
      {"<think>", "</thinking>"},
      {"<seed:think>", "</seed:think>"},
      {"[THINK]", "[/THINK]"},
      {"\u25C1think\u25B7", "\u25C1/think\u25B7"},
      {"<|begin_of_thought|>", "<|end_of_thought|>"},
      {"<|START_THINKING|>", "<|END_THINKING|>"},
  };
  for (const auto& [open, close] : kRows) {
    for (const bool thinking : {false, true}) {
      for (const char* blank : {"", "\n", " \n\n"}) {
        std::string text = std::string(blank) + open + blank + "Hm, 1 < 2." + close + blank + "Hi";
        EXPECT_EQ(Parted(text, thinking), "[r]Hm, 1 < 2.[c]Hi") << text;
        EXPECT_EQ(Whole(text, thinking), "[r]Hm, 1 < 2.[c]Hi") << text;
      }
    }
  }
}

TEST(ThinkTags, PartBlocksInARowAndEmptyOnes) {
  EXPECT_EQ(Parted("<think>a</think>\n<think>b</think>\nc"), "[r]ab[c]c");
  EXPECT_EQ(Parted("<think>\n\n</think>\n\nc", false), "[c]c");
  EXPECT_EQ(Parted("<think/>c"), "[c]c");
  EXPECT_EQ(Parted("</think>\n\nc", false), "[c]c");
  EXPECT_EQ(Parted("<think>cut"), "[r]cut");
}

TEST(ThinkTags, HoldBackFewBlanks) {
  const std::string blanks(100, ' ');
  EXPECT_EQ(Parted(blanks + "<think>a</think>b"), "[c]" + blanks + "<think>a</think>b");
  EXPECT_EQ(Parted("<think>a</think>" + blanks + "b"), "[r]a[c]" + blanks.substr(64) + "b");
  EXPECT_EQ(Parted("a</think>" + blanks + "b"),
            "[c]a[end]</think>" + blanks.substr(36) + "[c]" + blanks.substr(64) + "b");
  ThinkTags tags(true);
  std::vector<ThinkTags::Text> texts;
  tags.Push(kContent, blanks, &texts);
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].text, blanks);
}

TEST(ThinkTags, SayWhenContentWasReasoningAfterAll) {
  EXPECT_EQ(Parted("The user greets me.</think>\n\nHello!"),
            "[c]The user greets me.[end]</think>\n\n[c]Hello!");
  EXPECT_EQ(Parted("So.</thinking>Hello!"), "[c]So.[end]</thinking>[c]Hello!");
  // Nothing is told yet where all came at once.
  EXPECT_EQ(Whole("The user greets me.</think>\n\nHello!"), "[r]The user greets me.[c]Hello!");
  EXPECT_EQ(Whole("So.\n</THINK >Hello </think>!"), "[r]So.\n[c]Hello </think>!");
}

TEST(ThinkTags, LeaveTheTextWholeThatOnlySpeaksOfTags) {
  for (const std::string text : {
           "Write `<think>` first, then `</think>`.",
           "Models end it by \"</think>\" and answer.",
           "Between \u201C</think>\u201D and the end.",
           "```xml\n<think>\nhm\n</think>\n```\nThat is it.",
           "~~~\n</think>\n~~~\n",
           "`a </think> b` is code.",
           "The form is <think>hm</think> and then the answer.",
           "1 < 2, [think] and <thin> and <thinker>, </thinks>",
           "a <",
           "a </think",
           "<b>x</b> \u2014 \u25C1",
       }) {
    EXPECT_EQ(Parted(text), "[c]" + text);
    EXPECT_EQ(Parted(text, false), "[c]" + text);
    EXPECT_EQ(Whole(text), "[c]" + text);
  }
  // Where nobody asked for reasoning, nothing alone ends it.
  EXPECT_EQ(Parted("a</think>b", false), "[c]a</think>b");
  EXPECT_EQ(Whole("a</think>b", false), "[c]a</think>b");
}

TEST(ThinkTags, TakeLinearTime) {
  for (const char* piece : {"a <", "x [", "\u25C1 ", "\xE2\x80\x94", "<think", "`<think>` "}) {
    std::string text;
    while (text.size() < (1u << 20)) text += piece;
    ThinkTags tags(true);
    EXPECT_TRUE(Told(&tags, {{kContent, text}}, text.size()) == "[c]" + text) << piece;
  }
}

TEST(ThinkTags, BelieveTheFieldOfTheReasoning) {
  EXPECT_EQ(Parted({{kReasoning, "a"}, {kContent, "b</think>c"}}), "[r]a[c]b</think>c");
  EXPECT_EQ(Parted({{kReasoning, "<think>\na"}, {kReasoning, "</think>\nb"}}), "[r]a[c]b");
  EXPECT_EQ(Parted({{kReasoning, "a"}, {kContent, "</think>\n\nb"}}), "[r]a[c]b");
  EXPECT_EQ(Parted({{kReasoning, "I end by `</think>` then."}, {kContent, "b"}}),
            "[r]I end by `</think>` then.[c]b");
  EXPECT_EQ(Parted({{kReasoning, "```\nx</think>b"}}), "[r]```\nx[c]b");
}

TEST(ThinkTags, TellTheSameReasoningOnce) {
  EXPECT_EQ(Parted({{kReasoning, "So it is."}, {kContent, "<think>\nSo it is.\n</think>b"}}),
            "[r]So it is.[c]b");
  EXPECT_EQ(Parted({{kReasoning, "So it is."}, {kContent, "<think>So be it.</think>b"}}),
            "[r]So it is.So be it.[c]b");
  EXPECT_EQ(
      Parted(
          {{kReasoning, "a"}, {kContent, "<think>a"}, {kReasoning, "b"}, {kContent, "b</think>c"}}),
      "[r]ab[c]c");
  EXPECT_EQ(Parted({{kReasoning, "a b"}, {kContent, "<think> a \n\nb</think>c"}}),
            "[r]a ba \n\nb[c]c");
  EXPECT_EQ(Parted({{kReasoning, "a \n"},
                    {kContent, "<think>a \n  "},
                    {kReasoning, "b"},
                    {kContent, "</think>c"}}),
            "[r]a \nb[c]c");
}

TEST(ThinkTags, ArePartedInWhatAModelWrote) {
  const struct {
    ThinkingMode thinking;
    const char *reasoning, *content, *parted;
  } kCases[] = {
      {ThinkingMode::kThinking, "r\n\nr\n\n</thinking>\n\nc", "", "[r]r\n\nr[c]c"},
      {ThinkingMode::kThinking, "r\n\n", "", "[r]r\n\n[c]"},
      {ThinkingMode::kThinking, "r", "c", "[r]r[c]c"},
      {ThinkingMode::kThinking, "", "r</thinking>c", "[r]r[c]c"},
      {ThinkingMode::kThinking, "so", "<thinking>so</thinking>c", "[r]soso[c]c"},  // as it was said
      {ThinkingMode::kChat, "", "<thinking>r</thinking>c", "[r]r[c]c"},
      {ThinkingMode::kChat, "", "a `</thinking>` b", "[r][c]a `</thinking>` b"},
  };
  for (const auto& [thinking, reasoning, content, parted] : kCases) {
    ParsedCompletion parsed{reasoning, content, {}};
    PartThinkTags(thinking, &parsed);
    EXPECT_EQ("[r]" + parsed.reasoning_content + "[c]" + parsed.content, parted);
  }
}

}  // namespace
}  // namespace finback
