#include <gtest/gtest.h>

#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

constexpr const char* kModel = "deepseek-anthropic:deepseek-flash";

OrderedJson Sent(const std::string& messages, const std::string& fields = "",
                 const WirePolicy& policy = {}) {
  return SentBody(kModel, messages, fields, policy);
}

TEST(AnthropicRequest, PutsSystemTextInItsOnePlace) {
  const OrderedJson sent = Sent(R"([{"role": "system", "content": "a"},
      {"role": "user", "content": "b"}, {"role": "developer", "content": "c"},
      {"role": "user", "content": "d"}])");
  EXPECT_EQ(sent["system"], "a\n\nc");
  EXPECT_EQ(
      sent["messages"].dump(),
      R"([{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":"d"}]}])");
}

TEST(AnthropicRequest, SendsThinkingAndEffort) {
  const auto thinking = [](const char* fields) {
    const OrderedJson sent = Sent(kHello, fields);
    return sent["thinking"].dump() +
           (sent.contains("output_config") ? sent["output_config"].dump() : "");
  };
  EXPECT_EQ(thinking(""), R"({"type":"enabled"}{"effort":"high"})");
  EXPECT_EQ(thinking(R"("reasoning_effort": "max")"), R"({"type":"enabled"}{"effort":"max"})");
  EXPECT_EQ(thinking(R"("reasoning_effort": "low")"), R"({"type":"enabled"}{"effort":"low"})");
  EXPECT_EQ(thinking(R"("reasoning_effort": "none")"), R"({"type":"disabled"})");
}

TEST(AnthropicRequest, SendsToolChoice) {
  const auto choice = [](const std::string& fields) {
    const OrderedJson sent = Sent(kHello, std::string(kTools) + fields);
    return sent.contains("tool_choice") ? sent["tool_choice"].dump() : "absent";
  };
  EXPECT_EQ(choice(""), "absent");
  EXPECT_EQ(choice(R"(, "tool_choice": "none")"), R"({"type":"none"})");
  EXPECT_EQ(choice(R"(, "tool_choice": "required")"), R"({"type":"any"})");
  EXPECT_EQ(choice(R"(, "tool_choice": {"type": "function", "function": {"name": "get_time"}})"),
            R"({"type":"tool","name":"get_time"})");
}

OrderedJson Turn(const std::string& turn, const std::string& fields = "",
                 const WirePolicy& policy = {}) {
  return Sent(
      R"([{"role": "user", "content": "x"}, )" + turn + R"(, {"role": "user", "content": "y"}])",
      fields, policy)["messages"][1];
}

TEST(AnthropicRequest, ReplaysThinkingBlocksUnchanged) {
  const char* turn = R"({"role": "assistant", "content": "a", "reasoning_content": "other",
      "reasoning_details": [
        {"type": "thinking", "thinking": "t", "signature": "s", "future": 1.50},
        {"type": "reasoning.text", "text": "t"},
        {"type": "redacted_thinking", "data": "d"}]})";
  EXPECT_EQ(Turn(turn)["content"].dump(),
            R"([{"type":"thinking","thinking":"t","signature":"s","future":1.5},)"
            R"({"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}])");
  WirePolicy never;
  never.replay = ReplayReasoning::kNever;
  EXPECT_EQ(Turn(turn, "", never)["content"].dump(), R"([{"type":"text","text":"a"}])");
}

TEST(AnthropicRequest, MakesThinkingBlocksOfPlainReasoning) {
  EXPECT_EQ(
      Turn(R"({"role": "assistant", "content": "a", "reasoning_content": "t"})")["content"].dump(),
      R"([{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"a"}])");
  EXPECT_EQ(Turn(R"({"role": "assistant", "content": "a"})")["content"].dump(),
            R"([{"type":"text","text":"a"}])");
  EXPECT_EQ(Turn(R"({"role": "assistant", "content": "a"})", kTools)["content"].dump(),
            R"([{"type":"thinking","thinking":"","signature":""},{"type":"text","text":"a"}])");
}

TEST(AnthropicRequest, LeavesOutAnEmptyTurn) {
  EXPECT_EQ(Turn(R"({"role": "assistant", "content": ""})"), OrderedJson());
}

TEST(AnthropicRequest, GivesToolsImagesBack) {
  const OrderedJson sent = Sent(R"([{"role": "user", "content": "x"},
      {"role": "assistant", "tool_calls": [{"id": "a", "type": "function",
        "function": {"name": "t", "arguments": "[1]"}}]},
      {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "see"},
        {"type": "file", "file_id": "file-api-1"}]}])");
  EXPECT_EQ(sent["messages"][1]["content"][0]["input"].dump(), "{}");
  EXPECT_EQ(sent["messages"][2]["content"].dump(),
            R"([{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"see"},)"
            R"({"type":"image","source":{"type":"file","file_id":"file-api-1"}}]}])");
}

// --- Answers ---

struct Heard {
  std::string words;
  WireResponse response;
};

Heard Hear(const std::vector<std::string>& data, const std::string& fields = kMoreTools) {
  const auto decoder = Decoder(Ask(kModel, fields));
  std::vector<Event> events;
  for (const std::string& chunk : data) decoder->Push("", chunk, &events);
  decoder->End(&events);
  return {Words(events), decoder->response()};
}

std::string Start(int index, const std::string& block) {
  return Format(R"({"type": "content_block_start", "index": %d, "content_block": )", index) +
         block + "}";
}
std::string Delta(int index, const std::string& delta) {
  return Format(R"({"type": "content_block_delta", "index": %d, "delta": )", index) + delta + "}";
}
std::string Input(int index, const char* json) {
  std::string delta = "{\"type\": \"input_json_delta\", \"partial_json\": ";
  AppendJsonString(json, &delta);
  return Delta(index, delta + "}");
}
std::string Stop(int index) {
  return Format(R"({"type": "content_block_stop", "index": %d})", index);
}
std::string MessageDelta(const char* reason, const char* usage = "{}") {
  return Format(R"({"type": "message_delta", "delta": {"stop_reason": "%s"}, "usage": %s})", reason,
                usage);
}

TEST(AnthropicAnswer, InterleavesBlocksByIndex) {
  EXPECT_EQ(Hear({Start(0, R"({"type": "tool_use", "id": "a", "name": "t", "input": {}})"),
                  Start(1, R"({"type": "tool_use", "id": "b", "name": "u", "input": {}})"),
                  Input(1, "{\"x\""), Input(0, ""), Input(1, ": 1}"), Stop(1), Stop(0),
                  MessageDelta("tool_use")})
                .words,
            "call 0 a t\ncall 1 b u\narguments 1 {\"x\"\narguments 1 : 1}\nend 1 {\"x\": 1}\n"
            "arguments 0 {}\nend 0 {}\nfinish tool_calls\n");
}

TEST(AnthropicAnswer, TakesTheWholeInputFromTheStart) {
  EXPECT_EQ(Hear({Start(0, R"({"type": "tool_use", "id": "a", "name": "t", "input": {"x": 1}})"),
                  MessageDelta("end_turn")})
                .words,
            "call 0 a t\narguments 0 {\"x\": 1}\nend 0 {\"x\": 1}\nfinish tool_calls\n");
}

TEST(AnthropicAnswer, KeepsThinkingBlocksInTheirOrder) {
  const Heard heard =
      Hear({Start(0, R"({"type": "thinking", "thinking": "a"})"),
            Delta(0, R"({"type": "thinking_delta", "thinking": "b"})"),
            Delta(0, R"({"type": "signature_delta", "signature": "s1"})"),
            Delta(0, R"({"type": "signature_delta", "signature": "s2"})"), Stop(0),
            Start(1, R"({"type": "redacted_thinking", "data": "d"})"), Stop(1),
            Start(2, R"({"type": "text", "text": "c"})"),
            Delta(2, R"({"type": "text_delta", "text": "d"})"),
            Delta(2, R"({"type": "citations_delta", "citation": {}})"), Stop(2),
            Start(3, R"({"type": "thinking", "thinking": "e"})"), MessageDelta("end_turn")});
  EXPECT_EQ(heard.words, "reasoning ab\ncontent cd\nreasoning e\nfinish stop\n");
  EXPECT_EQ(heard.response.reasoning_details,
            R"([{"type": "thinking", "thinking": "ab", "signature": "s1s2"}, )"
            R"({"type": "redacted_thinking", "data": "d"}, )"
            R"({"type": "thinking", "thinking": "e", "signature": ""}])");
}

TEST(AnthropicAnswer, MapsStopReasons) {
  const struct {
    const char *raw, *event;
  } kRows[] = {{"end_turn", "stop"}, {"max_tokens", "length"},      {"stop_sequence", "stop"},
               {"tool_use", "stop"}, {"refusal", "content_filter"}, {"MAX_TOKENS", "length"}};
  for (const auto& row : kRows) {
    const Heard heard = Hear({Start(0, R"({"type": "text", "text": "a"})"), MessageDelta(row.raw)});
    EXPECT_EQ(heard.words, std::string("content a\nfinish ") + row.event + "\n");
    EXPECT_EQ(heard.response.finish_reason, row.raw);
    EXPECT_FALSE(heard.response.closed);
  }
}

TEST(AnthropicAnswer, FailsForErrorsOfBothShapes) {
  const struct {
    const char *data, *kind;
  } kRows[] = {
      {R"({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})", "overloaded"},
      {R"({"error": {"message": "x", "type": "authentication_error", "code": "invalid"}})",
       "authentication"}};
  for (const auto& row : kRows) {
    std::vector<Event> events;
    EXPECT_EQ(
        FailureText(FailureOf([&] { Decoder(Ask(kModel))->Push("error", row.data, &events); }),
                    "kind"),
        row.kind);
    EXPECT_EQ(
        FailureText(FailureOf([&] { Decoder(Ask(kModel))->Whole(row.data, &events); }), "kind"),
        row.kind);
  }
}

TEST(AnthropicAnswer, PassesOverWhatItDoesNotKnow) {
  EXPECT_EQ(Hear({R"({"type": "ping"})", R"({"type": "message_start"})", R"({"type": "new"})",
                  R"({"type": "message_start", "message": 3})", "{}", "", "[DONE]",
                  Start(0, R"({"type": "server_tool_use", "id": "x", "name": "web_search"})"),
                  Input(0, "{}"), Stop(0), Input(9, "{}"), Stop(9),
                  Delta(9, R"({"type": "thinking_delta", "thinking": 3})"),
                  Start(1, R"({"type": "text", "text": null})"),
                  Delta(1, R"({"type": "text_delta", "text": "a"})"), MessageDelta("end_turn"),
                  R"({"type": "message_stop"})"})
                .words,
            "content a\nfinish stop\n");
}

TEST(AnthropicAnswer, TakesTheTypeFromTheEventWhereTheDataHasNone) {
  const auto decoder = Decoder(Ask(kModel));
  std::vector<Event> events;
  decoder->Push("content_block_delta",
                R"({"index": 0, "delta": {"type": "text_delta", "text": "a"}})", &events);
  decoder->Push("message_delta", R"({"delta": {"stop_reason": "end_turn"}})", &events);
  decoder->Push("message_stop", "{}", &events);
  decoder->End(&events);
  EXPECT_EQ(Words(events), "content a\nfinish stop\n");
  EXPECT_TRUE(decoder->response().closed);
}

TEST(AnthropicAnswer, CountsTokensInBothSemantics) {
  const struct {
    const char* usage;
    int64_t prompt, cached, written, completion;
    bool assumed;
  } kRows[] = {{R"({"input_tokens": 10, "output_tokens": 3})", 10, 0, 0, 3, false},
               {R"({"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 90,
           "cache_creation_input_tokens": 5})",
                105, 90, 5, 3, true},
               {R"({"input_tokens": 100, "output_tokens": 3, "cache_read_input_tokens": 90,
           "total_tokens": 103})",
                100, 90, 0, 3, false},
               {R"({"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 90,
           "total_tokens": 103})",
                100, 90, 0, 3, false},
               {R"({"input_tokens": null, "output_tokens": "3"})", 0, 0, 0, 3, false}};
  for (const auto& row : kRows) {
    const Heard heard =
        Hear({Start(0, R"({"type": "text", "text": "a"})"), MessageDelta("end_turn", row.usage)});
    EXPECT_EQ(heard.response.usage.prompt_tokens, row.prompt) << row.usage;
    EXPECT_EQ(heard.response.usage.cached_tokens, row.cached) << row.usage;
    EXPECT_EQ(heard.response.usage.cache_write_tokens, row.written) << row.usage;
    EXPECT_EQ(heard.response.usage.completion_tokens, row.completion) << row.usage;
    EXPECT_EQ(heard.words.find("usage_assumed") != std::string::npos, row.assumed) << row.usage;
  }
}

TEST(AnthropicAnswer, NeverTakesACutAnswerForAWholeOne) {
  for (const std::vector<std::string>& data :
       {std::vector<std::string>{},
        {Start(0, R"({"type": "text", "text": "a"})"), Stop(0)},
        {Start(0, R"({"type": "text", "text": "a"})"), MessageDelta("null")},
        {Start(0, R"({"type": "text", "text": "a"})"), MessageDelta("end_turn"),
         Start(1, R"({"type": "text", "text": "b"})")}}) {
    EXPECT_EQ(FailureText(FailureOf([&] { Hear(data); }), "kind"), "transport");
  }
  EXPECT_EQ(FailureText(FailureOf([] { Hear({MessageDelta("end_turn")}); }), "kind"),
            "empty_response");
}

TEST(AnthropicAnswer, FailsForBodiesThatAreNoMessage) {
  for (const char* body : {"", "{}", "[]", "{\"content\": \"a\"}", "<html>"}) {
    std::vector<Event> events;
    EXPECT_EQ(FailureText(FailureOf([&] { Decoder(Ask(kModel))->Whole(body, &events); }), "kind"),
              "transport")
        << body;
  }
}

TEST(AnthropicAnswer, EndsByItsEndAndNotByAReason) {
  const std::string text = Start(0, R"({"type": "text", "text": "a"})");
  const std::string call = Start(1, R"({"type": "tool_use", "id": "t", "name": "get_weather"})");
  const std::string piece =
      Delta(1, R"({"type": "input_json_delta", "partial_json": "{\"a\":1}"})");
  const char* const kStop = R"({"type": "message_stop"})";
  EXPECT_EQ(Hear({text, kStop}).words, "content a\nnotice finish_missing\nfinish stop\n");
  EXPECT_EQ(Hear({text, "[DONE]"}).words, "content a\nnotice finish_missing\nfinish stop\n");
  EXPECT_EQ(Hear({text, MessageDelta("pause_turn")}).words,
            "content a\nnotice finish_unknown\nfinish other\n");
  EXPECT_EQ(Hear({call, MessageDelta("tool_use"), piece, Stop(1), kStop}).words,
            "call 0 t get_weather\narguments 0 {\"a\":1}\nend 0 {\"a\":1}\n"
            "notice finish_early\nfinish tool_calls\n");
  EXPECT_EQ(FailureText(FailureOf([&] { Hear({kStop}); }), "kind"), "empty_response");
}

TEST(AnthropicAnswer, TakesNoInputForACallThatIsCutOff) {
  const std::string call =
      Start(0, R"({"type": "tool_use", "id": "t", "name": "get_weather", "input": {}})");
  for (const std::vector<std::string>& data :
       {std::vector<std::string>{call, MessageDelta("max_tokens")},
        {call, Stop(0), MessageDelta("max_tokens")}}) {
    EXPECT_EQ(Hear(data).words,
              "call 0 t get_weather\nnotice arguments_invalid\nend 0 \nfinish length\n");
  }
  EXPECT_EQ(Hear({call, Stop(0), MessageDelta("tool_use")}).words,
            "call 0 t get_weather\narguments 0 {}\nend 0 {}\nfinish tool_calls\n");
}

TEST(AnthropicAnswer, LimitsTheNumberOfBlocks) {
  std::vector<std::string> data(5000, Start(0, R"({"type": "text"})"));
  EXPECT_EQ(FailureText(FailureOf([&] { Hear(data); }), "kind"), "transport");
}

}  // namespace
}  // namespace finback
