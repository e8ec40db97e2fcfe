#include "core/engine/markup_rescue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr EventKind kReasoning = EventKind::kReasoning, kContent = EventKind::kContent;

// What came out, text of a kind joined: "[r]reasoning[c]content|name arguments|begun".
std::string Outcome(const std::vector<std::pair<EventKind, std::string>>& pieces) {
  MarkupFilter filter;
  std::vector<MarkupFilter::Text> texts;
  for (const auto& [kind, text] : pieces) filter.Push(kind, text, &texts);
  filter.Finish(&texts);
  std::string outcome;
  EventKind last = EventKind::kNone;
  for (const MarkupFilter::Text& text : texts) {
    if (text.kind != last) outcome += text.kind == kContent ? "[c]" : "[r]";
    last = text.kind;
    outcome += text.text;
  }
  for (const ToolCall& call : filter.calls()) outcome += "|" + call.name + " " + call.arguments;
  const size_t cut = filter.begun() - filter.calls().size();
  return outcome + (cut > 0 ? Format("|%zu cut", cut) : "");
}

// The same for every split in two, and for single bytes.
std::string Outcome(EventKind kind, const std::string& text) {
  const std::string whole = Outcome({{kind, text}});
  std::vector<std::pair<EventKind, std::string>> bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    bytes.emplace_back(kind, text.substr(i, 1));
    EXPECT_EQ(Outcome({{kind, text.substr(0, i)}, {kind, text.substr(i)}}), whole)
        << text << " split at " << i;
  }
  EXPECT_EQ(Outcome(bytes), whole) << text << " byte by byte";
  return whole;
}

// The blank of the newest spelling stands before every word.
TEST(MarkupFilter, ReadsTagsWithABlank) {
  const std::string bar = "\uFF5CDSML\uFF5C";
  EXPECT_EQ(
      Outcome(EventKind::kContent, "<" + bar + " calls>\n<" + bar + " invoke name=\"f\">\n<" + bar +
                                       " parameter name=\"a\" string=\"false\">1</" + bar +
                                       " parameter>\n</" + bar + " invoke>\n</" + bar + " calls>"),
      "|f {\"a\": 1}");
}

// The block of one call, with `bar` for the bars and `word` for the block's name.
std::string Block(const std::string& open_bar, const std::string& bar, const std::string& word) {
  const std::string open = "<" + open_bar + "DSML" + bar, close = "</" + open_bar + "DSML" + bar;
  return "\n\n" + open + word + ">\n" + open + "invoke name=\"get_weather\">\n" + open +
         "parameter name=\"city\" string=\"true\">Oslo</" + open_bar + "DSML" + bar +
         "parameter>\n" + close + "invoke>\n" + close + word + ">";
}

constexpr const char* kBar = "\uFF5C";
constexpr const char* kDoubleBar = "\u2016";
constexpr const char* kCall = "|get_weather {\"city\": \"Oslo\"}";

TEST(MarkupFilter, ReadsCallsInEverySpelling) {
  const struct {
    const char *open, *bar, *word;
  } kSpellings[] = {{kBar, kBar, "tool_calls"},
                    {"\uFF5C\uFF5C", kBar, "tool_calls"},
                    {"\uFF5C\uFF5C", "\uFF5C\uFF5C", "tool_calls"},
                    {kDoubleBar, kDoubleBar, "tool_calls"},
                    {"|", "|", "tool_calls"},
                    {"||", "||", "tool_calls"},
                    {kBar, "|", "toolcalls"},
                    {kBar, kBar, "toolcalls"},
                    {kBar, kBar, " calls"},
                    {"|", "|", "calls"},
                    {kBar, kBar, "function_calls"},
                    {"|", kBar, " tool_calls"},
                    {"|", "|", "toolcalls"},
                    {"\uFF5C ", " \uFF5C", "tool_calls"},
                    {" | ", " | ", " tool_calls"},
                    {"\uFF5C ", "\uFF5C ", "calls"}};
  for (const auto& [open, bar, word] : kSpellings) {
    EXPECT_EQ(Outcome(kContent, "Hi." + Block(open, bar, word)), std::string("[c]Hi.") + kCall);
  }
}

TEST(MarkupFilter, LosesNothingOfOrdinaryText) {
  for (const char* text : {"2 <",         "a < b",
                           "<",           "</",
                           "<|",          "<|D",
                           "<\uFF5C",     "<\uFF5C\uFF5C",
                           "x <y>\n\n",   "<|DSMX|tool_calls>",
                           "<|||DSML|",   "if (a<b || c</d) {}",
                           "a<<|<b",      "tool_calls",
                           "<table><tr>", "\u2016x\u2016",
                           "<||",         "\n\n<",
                           "DSML",        "<|DSM",
                           "a <  | b",    "<| DSMX"}) {
    EXPECT_EQ(Outcome(kContent, text), std::string("[c]") + text);
    EXPECT_EQ(Outcome(kReasoning, text), std::string("[r]") + text);
  }
}

TEST(MarkupFilter, GoesOnWithTheTextBehindABlock) {
  const std::string block = Block("|", "|", "tool_calls");
  EXPECT_EQ(Outcome(kContent, "One." + block + " Two." + block + "\nThree <"),
            std::string("[c]One. Two.\nThree <") + kCall + kCall);
  EXPECT_EQ(Outcome(kReasoning, "One." + block + "\nTwo."), std::string("[r]One.\nTwo.") + kCall);
}

TEST(MarkupFilter, ReadsCallsInReasoning) {
  EXPECT_EQ(Outcome(kReasoning, "Let me see." + Block(kBar, kBar, "tool_calls")),
            std::string("[r]Let me see.") + kCall);
}

TEST(MarkupFilter, LeavesThinkTagsToWhoPartsThem) {
  EXPECT_EQ(Outcome(kReasoning, "Hm.</think>Hello"), "[r]Hm.</think>Hello");
  EXPECT_EQ(Outcome(kContent, "Say <think>."), "[c]Say <think>.");
}

TEST(MarkupFilter, KeepsTheOrderOfReasoningAndContent) {
  EXPECT_EQ(Outcome({{kReasoning, "a <"}, {kContent, "b <"}, {kReasoning, "c"}}),
            "[r]a <[c]b <[r]c");
}

TEST(MarkupFilter, LeavesTagsThatMakeNoCallAsTheyWere) {
  for (const char* text :
       {"a<|DSML|tool_calls>b", "a</|DSML|toolcalls> b", "a<\uFF5CDSML\uFF5C calls>b",
        "a<\uFF5C\uFF5CDSML\uFF5Cparameter name=\"x\">b",
        "a\n\n<|DSML|function_calls>\nb</|DSML|function_calls>\n"}) {
    EXPECT_EQ(Outcome(kContent, text), std::string("[c]") + text);
  }
}

TEST(MarkupFilter, RemovesAnUnfinishedTagAtTheEnd) {
  EXPECT_EQ(Outcome(kContent, "a<|DSML|"), "[c]a");
  EXPECT_EQ(Outcome(kContent, "a<|DSML|tool_ca"), "[c]a");
  EXPECT_EQ(Outcome(kContent, "a\n\n<|DSML|tool_calls"), "[c]a");
}

TEST(MarkupFilter, TellsOfCallsThatAreCutOff) {
  const std::string block = Block("|", "|", "tool_calls");
  EXPECT_EQ(Outcome(kContent, "a" + block.substr(0, block.find("Oslo"))), "[c]a|1 cut");
}

TEST(MarkupFilter, StartsAfreshAfterFinish) {
  MarkupFilter filter;
  std::vector<MarkupFilter::Text> texts;
  filter.Push(kContent, "a <", &texts);
  filter.Finish(&texts);
  filter.Finish(&texts);
  filter.Push(kContent, "b", &texts);
  filter.Finish(&texts);
  std::string joined;
  for (const MarkupFilter::Text& text : texts) joined += text.text;
  EXPECT_EQ(joined, "a <b");
}

}  // namespace
}  // namespace finback
