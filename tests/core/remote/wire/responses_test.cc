#include <gtest/gtest.h>

#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

constexpr const char* kModel = "deepseek-responses:deepseek-flash";

OrderedJson Sent(const std::string& messages, const std::string& fields = "",
                 const WirePolicy& policy = {}) {
  return SentBody(kModel, messages, fields, policy);
}

TEST(ResponsesRequest, IsAlwaysStateless) {
  const OrderedJson sent = Sent(kHello);
  EXPECT_EQ(sent["store"], false);
  EXPECT_FALSE(sent.contains("previous_response_id"));
  EXPECT_FALSE(sent.contains("instructions"));
  EXPECT_EQ(sent["max_output_tokens"], 65536);
}

TEST(ResponsesRequest, SendsEffortAlone) {
  const struct {
    const char *fields, *effort;
  } kRows[] = {{"", "high"},
               {R"("reasoning_effort": "none")", "none"},
               {R"("reasoning_effort": "minimal")", "low"},
               {R"("reasoning_effort": "max")", "max"}};
  for (const auto& row : kRows) {
    EXPECT_EQ(Sent(kHello, row.fields)["reasoning"].dump(),
              std::string("{\"effort\":\"") + row.effort + "\"}");
  }
}

TEST(ResponsesRequest, KeepsASystemMessageThatStandsAlone) {
  const Request request = ParseChatRequest(R"({"model": "deepseek-responses:deepseek-flash",
      "messages": [{"role": "developer", "content": "a"}]})");
  EXPECT_EQ(OrderedJson::parse(Encoded(request))["input"].dump(),
            R"([{"type":"message","role":"system","content":[{"type":"input_text","text":"a"}]}])");
}

TEST(ResponsesRequest, NamesAFormatThatHasNoName) {
  EXPECT_EQ(Sent(kHello, R"("response_format": {"type": "json_schema",
                "json_schema": {"schema": {"type": "object"}}})")["text"]
                .dump(),
            R"({"format":{"type":"json_schema","name":"answer","schema":{"type":"object"}}})");
  EXPECT_EQ(Sent(kHello, R"("response_format": {"type": "json_object"})")["text"].dump(),
            R"({"format":{"type":"json_object"}})");
}

TEST(ResponsesRequest, SendsToolChoice) {
  const auto choice = [](const std::string& fields) {
    const OrderedJson sent = Sent(kHello, std::string(kTools) + fields);
    return sent.contains("tool_choice") ? sent["tool_choice"].dump() : "absent";
  };
  EXPECT_EQ(choice(""), "absent");
  EXPECT_EQ(choice(R"(, "tool_choice": "none")"), "\"none\"");
  EXPECT_EQ(choice(R"(, "tool_choice": "required")"), "\"required\"");
  EXPECT_EQ(choice(R"(, "tool_choice": {"type": "function", "function": {"name": "get_time"}})"),
            R"({"type":"function","name":"get_time"})");
}

TEST(ResponsesRequest, SendsImagesAndFilesWhereTheyAreSeen) {
  Provider provider = *Providers().Find("deepseek-responses");
  provider.supports.images = true;
  ModelEntry entry;
  entry.images = true;
  const Request request = ParseChatRequest(R"({"model": "m", "messages": [{"role": "user",
      "content": [{"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
                  {"type": "file", "file_data": "data:x", "filename": "f.pdf"}]}]})");
  const WirePlan plan = PlanWire(request, provider, entry, "m", {});
  const OrderedJson sent = OrderedJson::parse(kResponsesCodec.encode(request, plan).body);
  EXPECT_EQ(sent["input"][0]["content"].dump(),
            R"([{"type":"input_image","image_url":"https://a/b.png","detail":"low"},)"
            R"({"type":"input_file","file_data":"data:x","filename":"f.pdf"}])");
}

TEST(ResponsesRequest, ReplaysOnlyItemsOfThisFormat) {
  const OrderedJson sent = Sent(R"([{"role": "user", "content": "x"},
      {"role": "assistant", "content": "a", "reasoning_content": "t",
       "reasoning_details": [{"type": "reasoning.text", "text": "t"}]},
      {"role": "user", "content": "y"}])");
  EXPECT_EQ(sent["input"][1].dump(),
            R"({"type":"reasoning","content":[{"type":"reasoning_text","text":"t"}]})");
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

std::string Typed(const std::string& type, const std::string& members) {
  return "{\"type\": \"response." + type + "\", " + members + "}";
}
std::string Over(const std::string& status, const std::string& more = "") {
  return Typed(status, "\"response\": {\"id\": \"r\", \"status\": \"" + status + "\"" +
                           (more.empty() ? "" : ", " + more) + "}");
}
std::string Arguments(int index, const char* json, const char* event = "delta") {
  std::string members = Format("\"output_index\": %d, \"%s\": ", index,
                               std::string_view(event) == "done" ? "arguments" : event);
  AppendJsonString(json, &members);
  return Typed(std::string("function_call_arguments.") + event, members);
}
const std::string kText =
    Typed("output_text.delta", R"("item_id": "m", "output_index": 1, "delta": "a")");

TEST(ResponsesRequest, GivesReasoningASummaryWhereOneIsDemanded) {
  Provider provider = *Providers().Find("llama-server");
  provider.wire_format = "responses";
  const Request request = ParseChatRequest(R"({"messages": [{"role": "user", "content": "x"},
      {"role": "assistant", "content": "y", "reasoning_content": "t"},
      {"role": "user", "content": "z"}], "drop_thinking": false})");
  const WirePlan plan = PlanWire(request, provider, ModelEntry(), "m", {});
  const OrderedJson sent = OrderedJson::parse(CodecOf(provider).encode(request, plan).body);
  EXPECT_EQ(
      sent["input"][1].dump(),
      R"({"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"t"}]})");
}

TEST(ResponsesAnswer, StreamsFunctionCalls) {
  EXPECT_EQ(Hear({Typed("output_item.added", R"("output_index": 0, "item": {"type": "function_call",
                "id": "f0", "call_id": "a", "name": "t", "arguments": ""})"),
                  Typed("output_item.added", R"("output_index": 1, "item": {"type": "function_call",
                "id": "f1", "call_id": "b", "name": "u"})"),
                  Arguments(1, "{\"x\""), Arguments(0, "{}"), Arguments(1, ": 1}"),
                  Arguments(1, "{\"x\": 1}", "done"),
                  Typed("output_item.done", R"("output_index": 0, "item": {"type": "function_call",
                "call_id": "a", "name": "t", "arguments": "{}"})"),
                  Over("completed")})
                .words,
            "call 0 a t\ncall 1 b u\narguments 1 {\"x\"\narguments 0 {}\narguments 1 : 1}\n"
            "end 0 {}\nend 1 {\"x\": 1}\nfinish tool_calls\n");
}

TEST(ResponsesAnswer, TakesFromFinishedItemsWhatDeltasDidNotBring) {
  EXPECT_EQ(Hear({Typed("output_item.done", R"("output_index": 0, "item": {"type": "reasoning",
                "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]})"),
                  Typed("output_item.done", R"("output_index": 1, "item": {"type": "message",
                "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]})"),
                  Typed("output_item.done", R"("output_index": 2, "item": {"type": "function_call",
                "call_id": "c", "name": "t", "arguments": "{}"})"),
                  Over("completed")})
                .words,
            "reasoning hm\ncontent ab\ncall 0 c t\narguments 0 {}\nend 0 {}\nfinish tool_calls\n");
}

TEST(ResponsesAnswer, TakesFromTheFinishedResponseWhatNoItemBrought) {
  EXPECT_EQ(Hear({Over("completed", R"("output": [{"type": "message", "content":
                [{"type": "output_text", "text": "a"}]}, {"type": "web_search_call"}])")})
                .words,
            "content a\nfinish stop\n");
}

TEST(ResponsesAnswer, SaysNothingTwice) {
  const char* reasoning = R"({"type": "reasoning", "id": "rs", "content":
      [{"type": "reasoning_text", "text": "hm"}], "summary": [{"type": "summary_text", "text": "h"}]})";
  const std::string item = std::string("\"output_index\": 0, \"item\": ") + reasoning;
  const Heard heard =
      Hear({Typed("reasoning_text.delta", R"("output_index": 0, "delta": "hm")"),
            Typed("reasoning_summary_text.delta", R"("output_index": 0, "delta": "h")"),
            Typed("reasoning_text.done", R"("output_index": 0, "text": "hm")"),
            Typed("output_item.done", item), kText,
            Typed("output_text.done", R"("output_index": 1, "text": "a")"),
            Over("completed", std::string("\"output\": [") + reasoning +
                                  R"(, {"type": "message", "content": [{"text": "a"}]}])")});
  EXPECT_EQ(heard.words, "reasoning hm\ncontent a\nfinish stop\n");
  EXPECT_EQ(nlohmann::json::parse(heard.response.reasoning_details),
            nlohmann::json::array({nlohmann::json::parse(reasoning)}));
}

TEST(ResponsesAnswer, TellsItemsApartByIdWhereTheyHaveNoIndex) {
  EXPECT_EQ(
      Hear({Typed("reasoning_text.delta", R"("item_id": "r", "delta": "hm")"),
            Typed("output_item.added", R"("item": {"type": "function_call", "id": "f",
                      "call_id": "c", "name": "t"})"),
            Typed("function_call_arguments.delta", R"("item_id": "f", "delta": "{}")"),
            Typed("output_text.delta", R"("item_id": "m", "delta": "a")"),
            Over("completed", R"("output": [{"type": "reasoning", "content": [{"text": "hm"}]}])")})
          .words,
      "reasoning hm\ncall 0 c t\narguments 0 {}\ncontent a\nend 0 {}\nfinish tool_calls\n");
}

TEST(ResponsesAnswer, MapsHowItEnded) {
  const struct {
    const char *status, *more, *raw, *event;
  } kRows[] = {{"completed", "", "completed", "stop"},
               {"incomplete", R"("incomplete_details": {"reason": "max_output_tokens"})",
                "max_output_tokens", "length"},
               {"incomplete", R"("incomplete_details": {"reason": "content_filter"})",
                "content_filter", "content_filter"},
               {"incomplete", "\"incomplete_details\": null", "incomplete", "other"}};
  for (const auto& row : kRows) {
    const Heard heard = Hear({kText, Over(row.status, row.more)});
    EXPECT_EQ(heard.words, std::string("content a\nfinish ") + row.event + "\n");
    EXPECT_EQ(heard.response.finish_reason, row.raw);
    EXPECT_TRUE(heard.response.closed);
  }
}

TEST(ResponsesAnswer, FailsWithTheServicesError) {
  const struct {
    std::string data;
    const char* kind;
  } kRows[] = {
      {Over("failed", R"("error": {"code": "rate_limit_exceeded", "message": "x"})"), "rate_limit"},
      {Over("failed"), "server"},
      {R"({"type": "error", "code": "server_error", "message": "x"})", "server"},
      {R"({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})", "overloaded"},
      {R"({"error": {"message": "x", "code": 401}})", "authentication"}};
  for (const auto& row : kRows) {
    EXPECT_EQ(FailureText(FailureOf([&] {
                            Hear({kText, row.data});
                          }),
                          "kind"),
              row.kind)
        << row.data;
  }
  std::vector<Event> events;
  EXPECT_EQ(
      FailureText(
          FailureOf([&] {
            Decoder(Ask(kModel))->Whole(R"({"error": {"message": "x", "code": 429}})", &events);
          }),
          "kind"),
      "rate_limit");
}

TEST(ResponsesAnswer, PassesOverWhatItDoesNotKnow) {
  EXPECT_EQ(
      Hear({"{}", "", "[DONE]", R"({"type": "response.new", "item": 3})",
            Typed("in_progress", "\"response\": {}"), Typed("content_part.added", "\"part\": {}"),
            Typed("web_search_call.searching", "\"output_index\": 0"),
            Typed("custom_tool_call_input.delta", R"("output_index": 0, "delta": "x")"),
            Arguments(5, "x"), Arguments(5, "x", "done"),
            Typed("output_item.added", R"("output_index": 0, "item": {"type": "web_search_call"})"),
            Typed("output_text.delta", R"("output_index": 1, "delta": 3)"), kText,
            Over("completed")})
          .words,
      "content a\nfinish stop\n");
}

TEST(ResponsesAnswer, TakesWhatOnlyTheFinishedCallSays) {
  const std::string added =
      Typed("output_item.added", R"("output_index": 0, "item": {"type": "function_call"})");
  EXPECT_EQ(Hear({added, Typed("output_item.done", R"("output_index": 0, "item": {"type":
                     "function_call", "call_id": "a", "name": "t", "arguments": {"x": 1}})"),
                  Over("completed")})
                .words,
            "call 0 a t\narguments 0 {\"x\": 1}\nend 0 {\"x\": 1}\nfinish tool_calls\n");
  // Cut before its arguments came: not {}.
  EXPECT_EQ(Hear({Typed("output_item.done", R"("output_index": 0, "item": {"type":
                     "function_call", "call_id": "a", "name": "t", "arguments": ""})"),
                  Over("incomplete", R"("incomplete_details": {"reason": "max_output_tokens"})")})
                .words,
            "call 0 a t\nnotice arguments_invalid\nend 0 \nfinish length\n");
}

TEST(ResponsesAnswer, EndsByItsEndAndNotByAReason) {
  EXPECT_EQ(Hear({kText, "[DONE]"}).words, "content a\nnotice finish_missing\nfinish stop\n");
  // The event tells what a response leaves out.
  EXPECT_EQ(Hear({kText, R"({"type": "response.completed", "response": {"status": null}})"}).words,
            "content a\nfinish stop\n");
  EXPECT_EQ(Hear({kText, R"({"type": "response.incomplete", "response": {}})"}).words,
            "content a\nfinish other\n");
  EXPECT_EQ(FailureText(FailureOf([&] {
                          Hear({kText, R"({"type": "response.failed", "response": {}})"});
                        }),
                        "kind"),
            "server");
  EXPECT_EQ(FailureText(FailureOf([] { Hear({"[DONE]"}); }), "kind"), "empty_response");
}

TEST(ResponsesAnswer, NeverTakesACutAnswerForAWholeOne) {
  EXPECT_EQ(FailureText(FailureOf([] { Hear({}); }), "kind"), "transport");
  EXPECT_EQ(FailureText(FailureOf([] { Hear({kText}); }), "kind"), "transport");
  EXPECT_EQ(FailureText(FailureOf([] { Hear({Over("completed")}); }), "kind"), "empty_response");
  for (const char* body : {"", "{}", "[]", "{\"output\": \"a\"}", "<html>"}) {
    std::vector<Event> events;
    EXPECT_EQ(FailureText(FailureOf([&] { Decoder(Ask(kModel))->Whole(body, &events); }), "kind"),
              "transport")
        << body;
  }
}

}  // namespace
}  // namespace finback
