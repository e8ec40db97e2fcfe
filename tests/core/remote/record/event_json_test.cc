#include "core/remote/record/event_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

std::string Spelled(const Event& event) {
  std::string text;
  AppendEventJson(event, &text);
  return text;
}

Event OfKind(EventKind kind, std::string text = {}) {
  Event event;
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

TEST(EventJson, SpellsEachKindAndReadsItBack) {
  Event call = OfKind(EventKind::kToolCall);
  call.tool_index = 1;
  call.tool_id = "call_1";
  call.tool_name = "f";
  Event end = OfKind(EventKind::kToolCallEnd, "{}");
  Event finish = OfKind(EventKind::kFinish);
  finish.finish_reason = FinishReason::kStop;
  finish.usage.prompt_tokens = 9;
  finish.usage.reported_cost_pico = 0;
  Event progress = OfKind(EventKind::kProgress);
  progress.progress_done = 5;
  progress.progress_total = 7;
  Event tag = OfKind(EventKind::kContent, "</think>");
  tag.ends_reasoning = true;
  const struct {
    Event event;
    const char* json;
  } kRows[] = {
      {tag, R"({"kind": "content", "text": "</think>", "ends_reasoning": true})"},
      {OfKind(EventKind::kNone), R"({"kind": "none"})"},
      {OfKind(EventKind::kReasoning, "hm\n"), R"({"kind": "reasoning", "text": "hm\n"})"},
      {OfKind(EventKind::kContent, "\xC3\xA4"), "{\"kind\": \"content\", \"text\": \"\xC3\xA4\"}"},
      {call, R"({"kind": "tool_call", "tool_index": 1, "tool_id": "call_1", "tool_name": "f"})"},
      {OfKind(EventKind::kToolArguments, "{"),
       R"({"kind": "tool_arguments", "tool_index": 0, "text": "{"})"},
      {end, R"({"kind": "tool_call_end", "tool_index": 0, "text": "{}"})"},
      {finish, R"({"kind": "finish", "finish_reason": "stop", "usage": {"prompt_tokens": 9, )"
               R"("reported_cost_pico": 0}})"},
      {progress, R"({"kind": "progress", "done": 5, "total": 7})"},
      {OfKind(EventKind::kNotice, "{\"code\": \"x\"}"),
       R"({"kind": "notice", "text": "{\"code\": \"x\"}"})"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(Spelled(row.event), row.json);
    EXPECT_EQ(Spelled(ParseEventJson(row.json, "test")), row.json);
  }
}

TEST(EventJson, KeepsEveryFieldOfUsage) {
  Event finish = OfKind(EventKind::kFinish);
  finish.usage = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Usage usage = ParseEventJson(Spelled(finish), "test").usage;
  EXPECT_EQ(usage.prompt_tokens, 1);
  EXPECT_EQ(usage.cached_tokens, 2);
  EXPECT_EQ(usage.completion_tokens, 3);
  EXPECT_EQ(usage.reasoning_tokens, 4);
  EXPECT_EQ(usage.cache_write_tokens, 5);
  EXPECT_EQ(usage.reported_cost_pico, 6);
  EXPECT_EQ(usage.disk_tokens, 7);
  EXPECT_EQ(usage.proposed_tokens, 8);
  EXPECT_EQ(usage.accepted_tokens, 9);
  finish.usage = {};
  EXPECT_EQ(ParseEventJson(Spelled(finish), "test").usage.reported_cost_pico, -1);
}

TEST(EventJson, KeepsTextsThatAreNoUtf8) {
  Event event = OfKind(EventKind::kContent, "a\xE2\x82");
  EXPECT_EQ(Spelled(event), R"({"kind": "content", "text_bytes": [97, 226, 130]})");
  EXPECT_EQ(ParseEventJson(Spelled(event), "test").text, event.text);
}

TEST(EventJson, KeepsLogprobsBitForBit) {
  Event event = OfKind(EventKind::kContent, "ab");
  TokenLogprob token;
  token.id = 7;
  token.text = "\xE2\x82";
  token.logprob = -0.1f;
  token.top = {{7, -0.1f, "\xE2\x82"}, {8, -std::numeric_limits<float>::infinity(), "x"}};
  event.logprobs = {token, token};
  const Event read = ParseEventJson(Spelled(event), "test");
  ASSERT_EQ(read.logprobs.size(), 2u);
  EXPECT_EQ(read.logprobs[1].id, 7);
  EXPECT_EQ(read.logprobs[1].text, "\xE2\x82");
  EXPECT_EQ(read.logprobs[1].logprob, -0.1f);
  ASSERT_EQ(read.logprobs[1].top.size(), 2u);
  EXPECT_EQ(read.logprobs[1].top[1].id, 8);
  EXPECT_TRUE(std::isinf(read.logprobs[1].top[1].logprob));
}

TEST(EventJson, NamesWhatIsWrongInALine) {
  const struct {
    const char *line, *error;
  } kRows[] = {
      {"", "e:1: "},
      {"[]", "e:1: expected an object, found a list"},
      {"{}", "e:1.kind: is missing"},
      {R"({"kind": "contents"})", "e:1.kind: unknown kind \"contents\""},
      {R"({"kind": "content", "texts": "a"})", "e:1.texts: "},
      {R"({"kind": "content", "text": 5})", "e:1.text: "},
      {R"({"kind": "content", "text": "a", "text_bytes": [1]})", "e:1.text_bytes: "},
      {R"({"kind": "content", "text_bytes": [256]})", "e:1.text_bytes: must hold bytes"},
      {R"({"kind": "tool_call", "tool_index": 3000000000})", "e:1.tool_index: "},
      {R"({"kind": "finish", "usage": {"tokens": 1}})", "e:1.usage.tokens: "},
      {R"({"kind": "finish", "finish_reason": "eos"})",
       "e:1.finish_reason: unknown reason \"eos\""},
      {R"({"kind": "content", "logprobs": [{"id": "x"}]})", "e:1.logprobs[0].id: "},
      {R"({"kind": "content", "logprobs": [{"top": [5]}]})", "e:1.logprobs[0].top[0]: "},
  };
  for (const auto& row : kRows) {
    try {
      ParseEventJson(row.line, "e:1");
      ADD_FAILURE() << row.line;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(row.error)) << error.what();
    }
  }
}

}  // namespace
}  // namespace finback
