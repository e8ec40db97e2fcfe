#include "core/service_rules/service_problems.h"

#include <gtest/gtest.h>

#include <string>

namespace finback {
namespace {

std::string Told(const std::string& request) {
  std::string told;
  for (const ServiceProblem& problem : FindServiceProblems(ParseJson(request, "request"))) {
    EXPECT_FALSE(problem.fix.empty()) << problem.path;
    told += problem.path + ": " + problem.message + "\n";
  }
  return told;
}

std::string WithFields(const std::string& fields) {
  return Told(R"({"messages": [{"role": "user", "content": "hi"}], )" + fields + "}");
}

std::string WithMessages(const std::string& messages) {
  return Told(R"({"messages": [{"role": "user", "content": "hi"}, )" + messages + "]}");
}

constexpr char kCall[] = R"({"role": "assistant", "reasoning_content": "", "tool_calls": [
    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})";
constexpr char kResult[] = R"({"role": "tool", "tool_call_id": "a", "content": ""})";

TEST(ServiceProblems, TakesWhatTheServiceTakes) {
  const std::string call = kCall, result = kResult;
  EXPECT_EQ(WithFields(R"("temperature": 2, "top_p": 1, "max_tokens": 393216, "seed": 0, "n": 1,
      "stop": ["a"], "logprobs": true, "top_logprobs": 20, "stream": true, "stream_options": {},
      "reasoning_effort": "ultra", "thinking": {"type": "adaptive"}, "top_k": -1, "vendor": 5,
      "tools": null, "response_format": {"type": "text"})"),
            "");
  EXPECT_EQ(WithMessages(call + ", " + result + R"(, {"role": "assistant", "content": "b"})"), "");
  EXPECT_EQ(WithMessages(R"({"role": "assistant", "content": "b", "prefix": true})"), "");
  EXPECT_EQ(WithMessages(R"({"role": "user", "content": [{"type": "file"}, {"type": "text",
      "text": ""}, {"type": "image_url", "image_url": {"url": "x"}}]})"),
            "");
}

struct Row {
  const char *given, *told;
};

TEST(ServiceProblems, NamesFieldsOutOfRange) {
  const Row rows[] = {
      {R"("temperature": 2.5)", "temperature: is out of the service's range: 2.5\n"},
      {R"("top_p": 0)", "top_p: is out of the service's range: 0\n"},
      {R"("max_tokens": 393217)", "max_tokens: is out of the service's range: 393217\n"},
      {R"("max_tokens": 1.0)", "max_tokens: expected a whole number, found a number\n"},
      {R"("seed": -1)", "seed: is out of the service's range: -1\n"},
      {R"("seed": 9223372036854775808)",
       "seed: is out of the service's range: 9223372036854775808\n"},
      {R"("seed": 9223372036854775807)", ""},
      {R"("n": 2)", "n: is out of the service's range: 2\n"},
      {R"("stop": ["a", ""])", "stop[1]: must not be empty\n"},
      {R"("top_logprobs": 0)", "top_logprobs: needs \"logprobs\": true\n"},
      {R"("stream_options": {"include_usage": true})", "stream_options: needs \"stream\": true\n"},
      {R"("thinking": {"type": "auto"})", "thinking.type: the service knows no type \"auto\"\n"},
      {R"("reasoning_effort": "HIGH")", "reasoning_effort: the service knows no effort \"HIGH\"\n"},
      {R"("model": 5)", "model: expected a string, found a number\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(WithFields(row.given), row.told);
  EXPECT_EQ(Told("{}"), "messages: there are none\n");
  EXPECT_EQ(Told("5"), ": expected an object, found a number\n");
}

TEST(ServiceProblems, NamesWhatIsWrongWithMessages) {
  const std::string call = kCall, result = kResult;
  const Row rows[] = {
      {R"({"role": "developer", "content": ""})",
       "messages[1].role: the service knows no role \"developer\"\n"},
      {R"({"role": "user", "content": null})",
       "messages[1].content: expected a string or a list of parts, found null\n"},
      {R"({"role": "system"})", "messages[1].content: is missing\n"},
      {R"({"role": "assistant"})", "messages[1].content: an answer needs content or tool_calls\n"},
      {R"({"role": "assistant", "content": "", "tool_calls": []})",
       "messages[1].tool_calls: must not be empty\n"},
      {R"({"role": "assistant", "content": "", "prefix": true}, {"role": "user", "content": ""})",
       "messages[1].prefix: only the last message can be continued\n"},
      {R"({"role": "user", "content": [{"type": "input_audio"}, 5]})",
       "messages[1].content[0].type: the service knows no part \"input_audio\"\n"
       "messages[1].content[1]: expected an object, found a number\n"},
      {R"({"role": "user", "content": [{"type": "file", "file_id": 5}]})",
       "messages[1].content[0].file_id: expected a string, found a number\n"},
      {kResult,
       "messages[1].tool_call_id: no call right before this result has the id \"a\", or it has its "
       "result already\n"},
      {kCall, "messages[1].tool_calls: the call \"a\" has no result right behind it\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(WithMessages(row.given), row.told);
  const std::string between = R"({"role": "system", "content": ""})";
  EXPECT_NE(WithMessages(call + ", " + between + ", " + result), "");
  EXPECT_NE(WithMessages(call + ", " + result + ", " + result), "");
}

TEST(ServiceProblems, WantsTheReasoningOfTurnsSinceTheLastQuestion) {
  const std::string call = R"({"role": "assistant", "tool_calls": [{"id": "%", "type": "function",
      "function": {"name": "f", "arguments": ""}}]}, {"role": "tool", "tool_call_id": "%",
      "content": ""})";
  const auto with_id = [&](const std::string& id) {
    std::string text = call;
    for (size_t at; (at = text.find('%')) != std::string::npos;) text.replace(at, 1, id);
    return text;
  };
  const std::string told =
      "messages[1].reasoning_content: is needed while thinking, where there are tools or calls\n";
  EXPECT_EQ(WithMessages(with_id("a")), told);
  EXPECT_EQ(WithMessages(with_id("call_00_ET_x")), "");
  EXPECT_EQ(WithMessages(with_id("a") + R"(, {"role": "user", "content": ""})"), "");
  EXPECT_EQ(Told(R"({"thinking": {"type": "disabled"}, "messages": [)" + with_id("a") + "]}"), "");
}

TEST(ServiceProblems, NamesWhatDoesNotGoTogether) {
  const Row rows[] = {
      {R"("tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required")",
       "tool_choice: no tool can be forced while thinking\n"},
      {R"("tools": [{"type": "function", "function": {"name": "f"}}],
          "tool_choice": {"type": "function", "function": {"name": "g"}},
          "thinking": {"type": "disabled"})",
       "tool_choice.function.name: no tool is called \"g\"\n"},
      {R"("tool_choice": "required")", ""},
      {R"("response_format": {"type": "json_object"})",
       "response_format.type: json_object needs the word \"json\" in some message\n"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "strict": true}},
                    {"type": "function", "function": {"name": "f"}}])",
       "tools[1].function.name: \"f\" is defined twice\ntools: some are strict and some are not\n"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "strict": true}}],
          "response_format": {"type": "text"})",
       "response_format: does not go together with strict tools\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(WithFields(row.given), row.told) << row.given;
  EXPECT_EQ(Told(R"({"tools": [{"type": "function", "function": {"name": "f"}}], "messages": [
      {"role": "assistant", "content": "", "reasoning_content": "", "prefix": true}]})"),
            "tools: an answer is not continued where there are tools or calls\n");
}

std::string WithParameters(const std::string& fields, const std::string& parameters) {
  return WithFields(R"("tools": [{"type": "function", "function": {"name": "f", )" + fields +
                    R"("parameters": )" + parameters + "}}]");
}

TEST(ServiceProblems, NamesWhatIsNoSchema) {
  const std::string at = "tools[0].function.parameters";
  const Row rows[] = {
      {"{}", ".type: the parameters must be of type \"object\"\n"},
      {R"({"type": ["object"]})", ".type: the parameters must be of type \"object\"\n"},
      {R"({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}})",
       ".properties.a.$ref: refers to what is not there\n"},
      {R"({"type": "object", "properties": {"a": {"pattern": "("}}})",
       ".properties.a.pattern: is no regular expression\n"},
      {R"({"type": "object", "properties": {"a": {"$ref": "b.json"}}})",
       ".properties.a.$ref: refers to another document\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(WithParameters("", row.given), at + row.told);
  for (const char* wrong :
       {R"("properties": {"a": {"type": "text"}})", R"("required": ["a", "a"])",
        R"("$defs": {"a": {"minLength": -1}})", R"("properties": {"a": {"items": [{}]}})"}) {
    EXPECT_NE(WithParameters("", std::string(R"({"type": "object", )") + wrong + "}"), "") << wrong;
  }
  for (const char* good :
       {R"("unevaluatedProperties": false)", R"("properties": {"a": {"$ref": "#"}})",
        R"("$schema": "http://json-schema.org/draft-07/schema#", "items": [{}])",
        R"("$defs": {"a/b": {}}, "properties": {"a": {"$ref": "#/$defs/a~1b"}})"}) {
    EXPECT_EQ(WithParameters("", std::string(R"({"type": "object", )") + good + "}"), "") << good;
  }
}

TEST(ServiceProblems, NamesWhatStrictModeRefuses) {
  const std::string at = "tools[0].function.parameters";
  const Row rows[] = {
      {R"({"type": "object"})", ""},
      {R"({"type": "object", "additionalProperties": true})",
       ".additionalProperties: must be false in strict mode\n"},
      {R"({"type": "object", "properties": {"a": {"type": "null"}}, "required": []})",
       ".required: must name all properties in strict mode\n"},
      {R"({"type": "object", "properties": {"a": {"type": "object"}}})",
       ".properties.a.properties: an object without properties is not allowed in strict mode\n"},
      {R"({"type": "object", "properties": {"a": {"type": "array"}}})",
       ".properties.a.items: is missing\n"},
      {R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1.5}}})",
       ".properties.a.minimum: expected a whole number, found a number\n"},
      {R"({"type": "object", "properties": {"a": {"type": "string", "enum": [1]}}})",
       ".properties.a.enum: must be a list of strings\n"},
      {R"({"type": "object", "properties": {"a": {"const": 1}}})",
       ".properties.a: has none of type, anyOf and $ref\n"},
      {R"({"type": "object", "properties": {"a": {"type": "string", "format": "date"}}})",
       ".properties.a.format: is none that strict mode knows\n"},
  };
  for (const Row& row : rows) {
    const std::string told = *row.told == '\0' ? "" : at + row.told;
    EXPECT_EQ(WithParameters(R"("strict": true, )", row.given), told);
  }
}

TEST(ServiceProblems, AreBoundedAndJson) {
  std::string messages;
  for (int i = 0; i < 1000; ++i) messages += i == 0 ? "5" : ", 5";
  const auto problems = FindServiceProblems(ParseJson(R"({"messages": [)" + messages + "]}", "r"));
  EXPECT_EQ(problems.size(), kMostServiceProblems);
  const Json list = ParseJson(ServiceProblemsJson(problems), "list");
  ASSERT_EQ(list.items.size(), problems.size());
  EXPECT_EQ(list.items[1].Find("path")->text, "messages[1]");
  EXPECT_EQ(ServiceProblemsJson({}), "[]");
}

}  // namespace
}  // namespace finback
