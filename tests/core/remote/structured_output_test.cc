#include "core/remote/structured_output.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr char kClosed[] =
    R"({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], )"
    R"("additionalProperties": false})";
constexpr char kOpen[] = R"({"type": "object", "properties": {"a": {"minLength": 1}}})";

Request Ask(const std::string& schema, const std::string& more = {},
            const std::string& messages = R"([{"role": "user", "content": "hi"}])") {
  return ParseChatRequest(
      R"({"response_format": {"type": "json_schema", "json_schema": {"name": "box", "schema": )" +
      schema + "}}, \"messages\": " + messages + (more.empty() ? "" : ", " + more) + "}");
}

Request AskObject(const std::string& messages) {
  return ParseChatRequest(R"({"response_format": {"type": "json_object"}, "messages": )" +
                          messages + "}");
}

Provider Service() {
  Provider provider;
  provider.name = "service";
  return provider;
}

std::string Pieces(const std::vector<Event>& events, EventKind kind) {
  std::string text;
  for (const Event& event : events) {
    if (event.kind == kind) text += event.text;
  }
  return text;
}

// ---- Routes ----

TEST(SchemaRoute, PrefersWhatTheServiceEnforces) {
  Provider native = Service();
  native.supports.json_schema = true;
  Provider responses = native;
  responses.wire_format = "responses";
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), native, nullptr), SchemaRoute::kNative);
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), responses, nullptr), SchemaRoute::kNative);
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), native, &responses), SchemaRoute::kNative);
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), Service(), &responses), SchemaRoute::kResponses);
}

TEST(SchemaRoute, LeavesResponsesWhenTheyWouldIgnoreAField) {
  Provider responses = Service();
  responses.wire_format = "responses";
  responses.supports.json_schema = true;
  for (const char* field : {R"("stop": ["x"])", R"("seed": 1)", R"("logprobs": true)",
                            R"("logit_bias": {"5": 1})", R"("top_k": 5)", R"("min_p": 0.1)"}) {
    EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen, field), Service(), &responses), SchemaRoute::kJsonObject)
        << field;
  }
  const char* kImage = R"([{"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}])";
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen, "", kImage), Service(), &responses),
            SchemaRoute::kJsonObject);
  const char* kPrefix = R"([{"role": "user", "content": "a"},
      {"role": "assistant", "content": "[", "prefix": true}])";
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen, "", kPrefix), Service(), &responses),
            SchemaRoute::kJsonObject);
}

TEST(SchemaRoute, ForcesAToolOnlyWhereThatCostsNothing) {
  Provider strict = Service();
  strict.supports.strict_tools = true;
  const std::string off = R"("thinking": {"type": "disabled"})";
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed, off), strict, nullptr), SchemaRoute::kStrictTool);
  // Thinking is on by default, and a tool cannot be forced then.
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed), strict, nullptr), SchemaRoute::kJsonObject);
  // Not a schema that strict mode takes.
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen, off), strict, nullptr), SchemaRoute::kJsonObject);
  const std::string tools =
      R"(, "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}])";
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed, off + tools), strict, nullptr),
            SchemaRoute::kJsonObject);
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed, off), Service(), nullptr), SchemaRoute::kJsonObject);
  Provider forcing = strict;
  forcing.supports.forced_tool_while_thinking = true;
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed), forcing, nullptr), SchemaRoute::kStrictTool);
  Provider unthinking = strict;
  unthinking.thinking = ThinkingStyle::kNone;
  EXPECT_EQ(ChooseSchemaRoute(Ask(kClosed), unthinking, nullptr), SchemaRoute::kStrictTool);
}

TEST(SchemaRoute, InstructsWhereNothingElseWorks) {
  Provider plain = Service();
  plain.supports.json_object = false;
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), plain, nullptr), SchemaRoute::kInstruction);
  Provider anthropic = Service();
  anthropic.wire_format = "anthropic";
  anthropic.supports.json_schema = true;
  EXPECT_EQ(ChooseSchemaRoute(Ask(kOpen), anthropic, nullptr), SchemaRoute::kInstruction);
  // json_object makes objects only.
  EXPECT_EQ(ChooseSchemaRoute(Ask(R"({"type": "array"})"), Service(), nullptr),
            SchemaRoute::kInstruction);
  EXPECT_EQ(ChooseSchemaRoute(Ask(R"({"properties": {}})"), Service(), nullptr),
            SchemaRoute::kJsonObject);
}

// ---- Shapes ----

Request Shaped(Request request, SchemaRoute route) {
  ShapeRequest(route, &request);
  return request;
}

TEST(ShapeRequest, LeavesNativeRequestsAsTheyAre) {
  for (const SchemaRoute route : {SchemaRoute::kNative, SchemaRoute::kResponses}) {
    const Request shaped = Shaped(Ask(kClosed), route);
    EXPECT_EQ(shaped.response_format, ResponseFormat::kJsonSchema);
    EXPECT_NE(shaped.format.Find("json_schema"), nullptr);
    EXPECT_EQ(shaped.messages.size(), 1u);
  }
}

constexpr char kInstruction[] =
    "Answer with one JSON value that fits the JSON Schema below, and nothing else: no other text, "
    "no code fence.\nJSON Schema: ";

TEST(ShapeRequest, PutsTheSchemaAtTheEndOfTheSystemPrompt) {
  const char* kMessages =
      R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}])";
  const Request shaped = Shaped(Ask(kClosed, "", kMessages), SchemaRoute::kJsonObject);
  ASSERT_EQ(shaped.messages.size(), 2u);
  EXPECT_EQ(shaped.messages[0].content, std::string("Be brief.\n\n") + kInstruction + kClosed);
  EXPECT_EQ(shaped.messages[1].content, "hi");
  EXPECT_EQ(shaped.response_format, ResponseFormat::kJsonObject);
  EXPECT_EQ(shaped.format.Find("type")->text, "json_object");

  const Request alone = Shaped(Ask(kClosed), SchemaRoute::kInstruction);
  ASSERT_EQ(alone.messages.size(), 2u);
  EXPECT_EQ(alone.messages[0].role, Role::kSystem);
  EXPECT_EQ(alone.messages[0].content, std::string(kInstruction) + kClosed);
  EXPECT_EQ(alone.response_format, ResponseFormat::kText);
  EXPECT_TRUE(alone.format.IsNull());
}

TEST(ShapeRequest, AddsTheSameBytesHoweverTheSchemaIsSpaced) {
  const Request a = Shaped(Ask(R"({"type":"object"})"), SchemaRoute::kJsonObject);
  const Request b = Shaped(Ask("{ \"type\" :\n\"object\" }"), SchemaRoute::kJsonObject);
  EXPECT_EQ(a.messages[0].content, b.messages[0].content);
}

TEST(ShapeRequest, SaysWhatTheValueIs) {
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "hi"}], "response_format": {"type":
      "json_schema", "json_schema": {"description": "A box.", "schema": {}}}})");
  const Request shaped = Shaped(request, SchemaRoute::kJsonObject);
  EXPECT_NE(shaped.messages[0].content.find("\nThe value is: A box.\nJSON Schema: {}"),
            std::string::npos);
}

TEST(ShapeRequest, MakesTheSchemaAForcedStrictTool) {
  const Request shaped = Shaped(Ask(kClosed), SchemaRoute::kStrictTool);
  EXPECT_EQ(shaped.thinking, Toggle::kOff);
  EXPECT_EQ(shaped.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(shaped.tool_name, "box");
  EXPECT_EQ(shaped.response_format, ResponseFormat::kText);
  EXPECT_TRUE(shaped.format.IsNull());
  ASSERT_EQ(shaped.tools.size(), 1u);
  EXPECT_EQ(shaped.tools[0].Find("name")->text, "box");
  EXPECT_TRUE(shaped.tools[0].Find("strict")->boolean);
  std::string parameters;
  AppendPythonJson(*shaped.tools[0].Find("parameters"), &parameters);
  EXPECT_EQ(parameters, kClosed);
  EXPECT_EQ(shaped.messages.size(), 1u);
}

TEST(ShapeRequest, NamesTheToolOnlyAsToolsMayBeNamed) {
  for (const char* name : {"\"a b\"", "\"\"", "\"\xC3\xA4\""}) {
    const Request request = ParseChatRequest(
        R"({"messages": [{"role": "user", "content": "hi"}], "response_format": {"type":
        "json_schema", "json_schema": {"schema": {}, "name": )" +
        std::string(name) + "}}}");
    EXPECT_EQ(SchemaToolName(request), "answer") << name;
  }
  const Request unnamed = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "hi"}], "response_format": {"type":
      "json_schema", "json_schema": {"schema": {}}}})");
  EXPECT_EQ(SchemaToolName(unnamed), "answer");
}

TEST(JsonWord, IsThereInAnyCase) {
  for (const char* messages : {R"([{"role": "user", "content": "as JSON"}])",
                               R"([{"role": "system", "content": "jSoN"},
                                   {"role": "user", "content": "hi"}])"}) {
    EXPECT_FALSE(LacksJsonWord(AskObject(messages))) << messages;
  }
}

TEST(JsonWord, IsOneLineOfTheSystemPrompt) {
  // What the assistant said does not count.
  Request request = AskObject(R"([{"role": "system", "content": "Be brief."},
      {"role": "user", "content": "hi"}, {"role": "assistant", "content": "json"},
      {"role": "user", "content": "go on"}])");
  EXPECT_TRUE(LacksJsonWord(request));
  AppendJsonWord(&request);
  EXPECT_EQ(request.messages[0].content,
            "Be brief.\n\nAnswer with one JSON object and nothing else.");
  EXPECT_EQ(request.messages.size(), 4u);
  EXPECT_FALSE(LacksJsonWord(request));
}

TEST(JsonWord, IsForJsonObjectAlone) {
  EXPECT_FALSE(
      LacksJsonWord(ParseChatRequest(R"({"messages": [{"role": "user", "content": "hi"}]})")));
  EXPECT_FALSE(LacksJsonWord(Ask(kOpen)));
}

// ---- The forced tool's answer ----

Event Make(EventKind kind, std::string text = {}, int32_t tool_index = 0) {
  Event event;
  event.kind = kind;
  event.text = std::move(text);
  event.tool_index = tool_index;
  return event;
}

Event Finish(FinishReason reason) {
  Event event = Make(EventKind::kFinish);
  event.finish_reason = reason;
  event.usage.completion_tokens = 5;
  return event;
}

// The events one by one.
std::vector<Event> Turned(const std::vector<Event>& events) {
  ToolAnswer answer;
  std::vector<Event> all;
  for (const Event& event : events) {
    std::vector<Event> one = {event};
    answer.Turn(&one);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

TEST(ToolAnswer, TurnsTheCallIntoContent) {
  const std::vector<Event> events =
      Turned({Make(EventKind::kReasoning, "hm"), Make(EventKind::kContent, "Here: "),
              Make(EventKind::kToolCall), Make(EventKind::kToolArguments, "{\"a\":"),
              Make(EventKind::kToolArguments, " 1"), Make(EventKind::kToolCallEnd, "{\"a\": 1}"),
              Finish(FinishReason::kToolCalls)});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].text, "hm");
  EXPECT_EQ(events[1].kind, EventKind::kContent);
  EXPECT_EQ(events[1].text, "{\"a\": 1}");
  EXPECT_EQ(events[2].finish_reason, FinishReason::kStop);
  EXPECT_EQ(events[2].usage.completion_tokens, 5);
}

TEST(ToolAnswer, KeepsWhatACutOffCallHad) {
  const std::vector<Event> events =
      Turned({Make(EventKind::kToolCall), Make(EventKind::kToolArguments, "{\"a\":"),
              Finish(FinishReason::kLength)});
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].text, "{\"a\":");
  EXPECT_EQ(events[1].finish_reason, FinishReason::kLength);
}

TEST(ToolAnswer, TakesContentWhereNoCallCame) {
  const std::vector<Event> events =
      Turned({Make(EventKind::kContent, "{\"a\""), Make(EventKind::kContent, ": 1}"),
              Finish(FinishReason::kStop)});
  EXPECT_EQ(Pieces(events, EventKind::kContent), "{\"a\": 1}");
  ASSERT_EQ(events.size(), 2u);
}

TEST(ToolAnswer, TakesTheFirstOfSeveralCalls) {
  const std::vector<Event> events =
      Turned({Make(EventKind::kToolCall, "", 0), Make(EventKind::kToolCall, "", 1),
              Make(EventKind::kToolArguments, "[1]", 1), Make(EventKind::kToolArguments, "[0]", 0),
              Make(EventKind::kToolCallEnd, "[1]", 1), Make(EventKind::kToolCallEnd, "[0]", 0),
              Finish(FinishReason::kToolCalls)});
  EXPECT_EQ(Pieces(events, EventKind::kContent), "[0]");
  EXPECT_EQ(events.size(), 2u);
}

// ---- Judging ----

JsonAnswer Judge(const std::string& answer, const char* schema = kClosed) {
  const JsonSchema compiled(ParseJson(schema, "test"));
  return JudgeAnswer(answer, &compiled);
}

TEST(JudgeAnswer, FindsTheValueInWhatGatewaysSend) {
  for (const char* answer :
       {R"({"a": 1})", " \n{\"a\": 1}\n\n", "```json\n{\"a\": 1}\n```", "```\n{\"a\": 1}\n```\n",
        "```JSON {\"a\": 1}```", "```json{\"a\": 1}\n```", "Here it is:\n{\"a\": 1}",
        "Here it is [as asked]:\n```json\n{\"a\": 1}\n```", "Of {x}:\n\n{\"a\": 1}",
        "First:\n```python\nprint({})\n```\nThen:\n```json\n{\"a\": 1}\n```"}) {
    const JsonAnswer judged = Judge(answer);
    EXPECT_EQ(judged.problem, "") << answer;
    EXPECT_EQ(judged.value, R"({"a": 1})") << answer;
  }
}

TEST(JudgeAnswer, FindsValuesThatAreNoObject) {
  EXPECT_EQ(Judge("```json\n42\n```", "{}").value, "42");
  EXPECT_EQ(Judge("\"a\"", "{}").value, "\"a\"");
  EXPECT_EQ(Judge("The list:\n[1]", "{}").value, "[1]");
}

TEST(JudgeAnswer, LeavesFencesInsideStringsAlone) {
  const std::string value = R"({"s": "```json\n{}\n```"})";
  EXPECT_EQ(Judge(value, "{}").value, value);
  EXPECT_EQ(Judge("```json\n" + value + "\n```", "{}").value, value);
  EXPECT_EQ(Judge("So:\n" + value, "{}").value, value);
}

TEST(JudgeAnswer, SaysWhatIsWrong) {
  const struct {
    const char *answer, *problem;
  } kRows[] = {
      {"", "the answer is empty"},
      {" \n\t", "the answer is empty"},
      {"```json\n```", "the answer is not JSON: "},
      {"I cannot.", "the answer is not JSON: "},
      {R"({"a": 1)", "the answer is not JSON: "},
      {R"({"a": 1} I hope this helps.)", "the answer is not JSON: "},
      {R"({"a": NaN})", "the answer is not JSON: "},
      {R"({"a": "x"})", "$.a: expected an integer, found a string \"x\""},
      {"[]", "$: expected an object, found an empty list"},
      {"{}", "$: expected a member \"a\", found none"},
      {R"({"a": 1, "b": 2})", "$.b: expected no member of this name, found 2"},
  };
  for (const auto& row : kRows) {
    const JsonAnswer judged = Judge(row.answer);
    EXPECT_TRUE(judged.problem.starts_with(row.problem)) << row.answer << "\n" << judged.problem;
    EXPECT_EQ(judged.value, "") << row.answer;
  }
}

TEST(JudgeAnswer, WantsAnObjectWhereThereIsNoSchema) {
  EXPECT_EQ(JudgeAnswer("{}", nullptr).value, "{}");
  EXPECT_EQ(JudgeAnswer("[]", nullptr).problem, "$: expected an object, found an empty list");
}

TEST(JudgeAnswer, EndsSoonOnBracketsWithoutEnd) {
  std::string answer;
  for (int i = 0; i < 200000; ++i) answer += "x [ {";
  EXPECT_NE(Judge(answer).problem, "");
}

// ---- Watching ----

TEST(JsonWatch, StopsAtWhiteSpaceWithoutEnd) {
  JsonWatch watch;
  EXPECT_TRUE(watch.Push(std::string(512, '\n')));
  EXPECT_FALSE(watch.Push(" "));
  EXPECT_FALSE(watch.Push("{}"));
  EXPECT_EQ(watch.text().size(), 515u);
}

TEST(JsonWatch, StopsAtTheSamePlaceInAnyChunking) {
  const std::string text = "{\"a\":" + std::string(20, ' ') + "1}";
  for (size_t chunk = 1; chunk <= text.size(); ++chunk) {
    JsonWatch tight(19), loose(20);
    bool goes_on = true;
    for (size_t i = 0; i < text.size(); i += chunk) {
      goes_on = tight.Push(text.substr(i, chunk));
      EXPECT_TRUE(loose.Push(text.substr(i, chunk)));
    }
    EXPECT_FALSE(goes_on) << chunk;
    EXPECT_EQ(loose.text(), text);
  }
}

TEST(JsonWatch, LetsStringsHoldWhatTheyWill) {
  JsonWatch watch(10);
  EXPECT_TRUE(watch.Push("{\"a\": \"x\\\"" + std::string(50, ' ') + "\\\\\","));
  EXPECT_FALSE(watch.Push(std::string(11, ' ')));
}

TEST(JsonWatch, TakesAValueThatWasCompleteBeforeTheWhiteSpace) {
  const JsonSchema schema(ParseJson(kClosed, "test"));
  JsonWatch watch(10);
  EXPECT_FALSE(watch.Push("{\"a\": 1}" + std::string(11, '\n')));
  EXPECT_EQ(watch.Judge(&schema).value, "{\"a\": 1}");
}

// ---- Repairing ----

Request Repaired(Request shaped, std::string_view answer, std::string_view problem) {
  RepairRequest(answer, problem, &shaped);
  return shaped;
}

TEST(RepairRequest, ShowsTheModelItsAnswerAndTheProblem) {
  const Request shaped = Shaped(Ask(kClosed), SchemaRoute::kJsonObject);
  const Request repair = Repaired(shaped, " {\"a\": \"x\"}\n", "$.a: expected an integer");
  ASSERT_EQ(repair.messages.size(), shaped.messages.size() + 2);
  EXPECT_EQ(repair.messages[0].content, shaped.messages[0].content);
  EXPECT_EQ(repair.messages[2].role, Role::kAssistant);
  EXPECT_EQ(repair.messages[2].content, "{\"a\": \"x\"}");
  EXPECT_EQ(repair.messages[3].role, Role::kUser);
  EXPECT_EQ(repair.messages[3].content,
            "Your answer was not accepted: $.a: expected an integer.\n"
            "Give the complete, corrected JSON value and nothing else.");
  EXPECT_EQ(repair.response_format, ResponseFormat::kJsonObject);
}

TEST(RepairRequest, HasNoTurnForAnEmptyAnswer) {
  const Request repair = Repaired(Ask(kClosed), " \n", "the answer is empty");
  ASSERT_EQ(repair.messages.size(), 2u);
  EXPECT_EQ(repair.messages[1].role, Role::kUser);
}

TEST(RepairRequest, EndsATurnThatTheRequestBegan) {
  const Request request = Ask(kClosed, "", R"([{"role": "user", "content": "a"},
      {"role": "assistant", "content": "[1,", "prefix": true}])");
  const Request repair = Repaired(request, " true]", "x");
  ASSERT_EQ(repair.messages.size(), 3u);
  EXPECT_EQ(repair.messages[1].content, "[1, true]");
  EXPECT_FALSE(repair.messages[1].without_eos);
  EXPECT_EQ(repair.messages[2].role, Role::kUser);
}

TEST(SchemaFailure, KeepsTheAnswerAndTheReason) {
  const Failure failure =
      SchemaFailure("{\"a\": \"x\"}", "$.a: expected an integer, found \"x\"", 1);
  EXPECT_EQ(failure.kind, FailureKind::kSchema);
  EXPECT_FALSE(failure.retryable);
  EXPECT_EQ(failure.message,
            "response_format: the answer does not fit: $.a: expected an integer, found \"x\" "
            "(after 1 repair)");
  EXPECT_EQ(failure.body, "{\"a\": \"x\"}");
  EXPECT_EQ(SchemaFailure("", "the answer is empty", 0).message,
            "response_format: the answer does not fit: the answer is empty");
  try {
    ThrowFailure(failure);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kSchema);
  }
}

TEST(SchemaFailure, CutsLongAnswersBetweenCharacters) {
  std::string answer = "x";
  for (int i = 0; i < 10000; ++i) answer += "\xC3\xA4";
  const std::string body = SchemaFailure(answer, "p", 0).body;
  EXPECT_EQ(body.size(), 16383u);
  EXPECT_EQ(body.back(), '\xA4');
}

}  // namespace
}  // namespace finback
