#include "core/engine/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr const char* kHello = R"("messages": [{"role": "user", "content": "hi"}])";

std::string Around(const std::string& fields) {
  std::string json = "{";
  json += kHello;
  if (!fields.empty()) json += ", " + fields;
  return json + "}";
}

Request Chat(const std::string& more) { return ParseChatRequest(Around(more)); }

// The message of the error that parsing must raise.
std::string ChatError(const std::string& json) {
  try {
    ParseChatRequest(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest) << json;
    return error.what();
  }
  return "no error";
}

std::string FieldError(const std::string& field) { return ChatError(Around(field)); }

std::string MessagesError(const std::string& messages) {
  std::string json = "{\"messages\": ";
  json += messages;
  return ChatError(json + "}");
}

TEST(ChatRequest, TakesDefaultsWhenOnlyMessagesAreThere) {
  const Request request = Chat("");
  EXPECT_TRUE(request.is_chat);
  ASSERT_EQ(request.messages.size(), 1u);
  EXPECT_EQ(request.messages[0].role, Role::kUser);
  EXPECT_EQ(request.messages[0].content, "hi");
  EXPECT_EQ(request.thinking, Toggle::kDefault);
  EXPECT_EQ(request.effort, Effort::kDefault);
  EXPECT_FALSE(request.has_temperature || request.has_top_p || request.has_top_k ||
               request.has_seed);
  EXPECT_EQ(request.max_tokens, -1);
  EXPECT_EQ(request.top_logprobs, -1);
  EXPECT_TRUE(request.drop_thinking);
}

TEST(ChatRequest, TreatsNullOfUnknownFieldsAsAbsentAtEveryLevel) {
  for (const char* fields :
       {R"("function_call": null, "colour": null)", R"("thinking": {"type": "enabled", "x": null})",
        R"("response_format": {"type": "text", "json_schema": null})",
        R"("tools": [{"type": "function", "x": null, "function": {"name": "f", "y": null}}])"}) {
    EXPECT_EQ(FieldError(fields), "no error") << fields;
  }
  EXPECT_EQ(MessagesError(R"([
      {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": null}]},
      {"role": "assistant", "content": "b", "refusal": null, "annotations": null, "audio": null,
       "function_call": null, "tool_calls": null},
      {"role": "user", "content": "c", "name": null, "tool_call_id": null}])"),
            "no error");
}

TEST(ChatRequest, AdaptiveThinkingIsThinking) {
  EXPECT_EQ(Chat(R"("thinking": {"type": "adaptive"})").thinking, Toggle::kOn);
}

TEST(ChatRequest, TreatsNullAsAbsent) {
  const Request request = Chat(
      R"("temperature": null, "stop": null, "tools": null, "seed": null, "thinking": null,
         "logprobs": null, "max_tokens": null, "response_format": null, "tool_choice": null)");
  EXPECT_FALSE(request.has_temperature);
  EXPECT_TRUE(request.stop.empty());
  EXPECT_EQ(request.top_logprobs, -1);
}

TEST(ChatRequest, ReadsSamplingFields) {
  const Request request = Chat(
      R"("temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": -3,
         "stop": ["a", "b"], "max_tokens": 7, "logit_bias": {"12": -100, "3": 2.5},
         "logprobs": true, "top_logprobs": 20)");
  EXPECT_DOUBLE_EQ(request.temperature, 0.5);
  EXPECT_DOUBLE_EQ(request.top_p, 0.9);
  EXPECT_EQ(request.top_k, 40);
  EXPECT_DOUBLE_EQ(request.min_p, 0.05);
  EXPECT_EQ(request.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.max_tokens, 7);
  ASSERT_EQ(request.logit_bias.size(), 2u);
  EXPECT_EQ(request.logit_bias[0], (std::pair<int32_t, float>{12, -100.0f}));
  EXPECT_EQ(request.logit_bias[1], (std::pair<int32_t, float>{3, 2.5f}));
  EXPECT_EQ(request.top_logprobs, 20);
  EXPECT_EQ(Chat(R"("seed": 18446744073709551615)").seed, ~uint64_t{0});
  EXPECT_EQ(Chat(R"("stop": "x")").stop, (std::vector<std::string>{"x"}));
  EXPECT_EQ(Chat(R"("max_completion_tokens": 9)").max_tokens, 9);
  EXPECT_EQ(Chat(R"("logprobs": true)").top_logprobs, 0);
}

TEST(ChatRequest, MapsEffortAliases) {
  const struct {
    const char* name;
    Toggle thinking;
    Effort effort;
  } rows[] = {{"none", Toggle::kOff, Effort::kDefault}, {"minimal", Toggle::kOn, Effort::kLow},
              {"low", Toggle::kOn, Effort::kLow},       {"medium", Toggle::kOn, Effort::kHigh},
              {"high", Toggle::kOn, Effort::kHigh},     {"xhigh", Toggle::kOn, Effort::kHigh},
              {"max", Toggle::kOn, Effort::kMax},       {"ultra", Toggle::kOn, Effort::kMax}};
  for (const auto& row : rows) {
    const Request request = Chat("\"reasoning_effort\": \"" + std::string(row.name) + "\"");
    EXPECT_EQ(request.thinking, row.thinking) << row.name;
    EXPECT_EQ(request.effort, row.effort) << row.name;
  }
  const Request both = Chat(R"("thinking": {"type": "disabled"}, "reasoning_effort": "max")");
  EXPECT_EQ(both.thinking, Toggle::kOff) << "effort must not turn disabled thinking on";
  const Request none = Chat(R"("thinking": {"type": "enabled"}, "reasoning_effort": "none")");
  EXPECT_EQ(none.thinking, Toggle::kOn) << "nor must its absence turn enabled thinking off";
  EXPECT_EQ(none.effort, Effort::kDefault);
}

TEST(ChatRequest, ReadsToolsAndTheirChoice) {
  const std::string tools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";
  const Request request = Chat(tools);
  ASSERT_EQ(request.tools.size(), 1u);
  EXPECT_EQ(request.tools[0].Find("name")->text, "f");
  EXPECT_EQ(request.tool_choice, ToolChoice::kAuto);
  EXPECT_EQ(Chat(tools + R"(, "tool_choice": "none")").tool_choice, ToolChoice::kNone);
  EXPECT_EQ(Chat(tools + R"(, "tool_choice": "required")").tool_choice, ToolChoice::kRequired);
}

TEST(ChatRequest, JoinsTextPartsAsConsecutiveMessagesAreJoined) {
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"},
          {"type": "text", "text": "b"}]}]})");
  EXPECT_EQ(request.messages[0].content, "a\n\nb");
}

TEST(ChatRequest, ContinuesAnAssistantPrefix) {
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "u"},
                       {"role": "assistant", "content": "par", "prefix": true}]})");
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_TRUE(request.messages[1].without_eos);
}

TEST(ChatRequest, AcceptsItsOwnAnswersBack) {
  const Request request = ParseChatRequest(
      R"({"messages": [{"role": "user", "content": "u", "name": "ann"},
          {"role": "assistant", "content": null, "reasoning_content": "r", "refusal": null,
           "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                           "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
          {"role": "tool", "tool_call_id": "call_1", "content": "42"}]})");
  ASSERT_EQ(request.messages.size(), 3u);
  EXPECT_EQ(request.messages[1].reasoning_content, "r");
  ASSERT_EQ(request.messages[1].tool_calls.size(), 1u);
  EXPECT_EQ(request.messages[1].tool_calls[0].arguments, "{\"a\": 1}");
  EXPECT_EQ(request.messages[2].tool_call_id, "call_1");
}

TEST(ChatRequest, KeepsWhatOnlyAServiceCanTake) {
  const Request request = ParseChatRequest(
      R"({"parallel_tool_calls": false, "user_id": "u", "metadata": {"a": 1},
          "tools": [{"type": "function", "function": {"name": "f", "strict": true}}],
          "tool_choice": {"type": "function", "function": {"name": "f"}},
          "response_format": {"type": "json_schema",
                              "json_schema": {"name": "n", "schema": {"type": "object"}}},
          "messages": [
            {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "what is it?"},
             {"type": "image_url", "image_url": {"url": "x"}}]},
            {"role": "assistant", "reasoning_content": "", "content": "a",
             "reasoning_details": [{"type": "reasoning.text"}]},
            {"role": "user", "content": [{"type": "text", "text": "b"}]}]})");
  EXPECT_FALSE(request.parallel_tool_calls);
  EXPECT_EQ(request.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(request.tool_name, "f");
  EXPECT_EQ(request.response_format, ResponseFormat::kJsonSchema);
  EXPECT_NE(request.format.Find("json_schema"), nullptr);
  ASSERT_EQ(request.service_fields.size(), 2u);
  EXPECT_EQ(request.service_fields[0].first, "user_id");
  EXPECT_EQ(request.messages[0].name, "Ann");
  // For services that take no images, and for models in this process.
  EXPECT_EQ(request.messages[0].content, "what is it?\n\n[Unsupported Image]");
  ASSERT_EQ(request.messages[0].parts.size(), 2u);
  EXPECT_NE(request.messages[0].parts[1].Find("image_url"), nullptr);
  EXPECT_TRUE(request.messages[1].has_reasoning);
  EXPECT_EQ(request.messages[1].reasoning_details.items.size(), 1u);
  EXPECT_TRUE(request.messages[2].parts.empty());
}

TEST(ChatRequest, KeepsWhatOnlyTheServiceKnows) {
  const Request request =
      Chat(R"("extra_body": {"repetition_penalty": 1.1, "priority": null, "x": {"y": [1]}})");
  ASSERT_EQ(request.extra_body.size(), 2u);
  EXPECT_EQ(request.extra_body[0].first, "repetition_penalty");
  EXPECT_EQ(request.extra_body[1].first, "x");
  EXPECT_TRUE(Chat(R"("extra_body": null)").extra_body.empty());
}

TEST(ChatRequest, IgnoresWhatSaysNothingAboutTheText) {
  const Request request = Chat(
      R"("model": "m", "stream": true, "stream_options": {"include_usage": true}, "user": "u",
         "user_id": "u", "metadata": {"a": "b"}, "store": false, "service_tier": "auto",
         "frequency_penalty": 1.5, "presence_penalty": -1, "parallel_tool_calls": true, "n": 1)");
  EXPECT_EQ(request.model, "m");
}

struct BadField {
  const char* json;
  const char* message;
};

TEST(ChatRequest, NamesThePathOfEveryWrongField) {
  const BadField rows[] = {
      {R"("temperature": 3)", "temperature: must be between 0 and 2, got 3"},
      {R"("temperature": "hot")", "temperature: expected a number, found a string"},
      {R"("top_p": 0)", "top_p: must be greater than 0 and at most 1, got 0"},
      {R"("top_p": 1.5)", "top_p: must be between 0 and 1, got 1.5"},
      {R"("top_k": 1.5)", "top_k: expected an integer, found 1.5"},
      {R"("min_p": -0.1)", "min_p: must be between 0 and 1, got -0.1"},
      {R"("seed": 1.5)", "seed: expected an integer, found a number"},
      {R"("seed": 18446744073709551616)", "seed: does not fit 64 bits: 18446744073709551616"},
      {R"("max_tokens": 0)", "max_tokens: must be between 1 and 9223372036854775807, got 0"},
      {R"("max_tokens": 1, "max_completion_tokens": 2)",
       "max_completion_tokens: differs from max_tokens; give one of them"},
      {R"("stop": ["a", ""])", "stop[1]: must not be empty"},
      {R"("stop": 5)", "stop: expected a string or a list of strings, found a number"},
      {R"("stop": ["a", 1])", "stop[1]: expected a string, found a number"},
      {R"("logit_bias": {"12": 101})", "logit_bias.12: must be between -100 and 100, got 101"},
      {R"("logit_bias": {"x": 1})", "logit_bias: \"x\" is not a token id"},
      {R"("logit_bias": [1])", "logit_bias: expected an object, found a list"},
      {R"("top_logprobs": 3)", "top_logprobs: needs \"logprobs\": true"},
      {R"("logprobs": true, "top_logprobs": 21)", "top_logprobs: must be between 0 and 20, got 21"},
      {R"("logprobs": 3)", "logprobs: expected true or false, found a number"},
      {R"("thinking": {"type": "auto"})",
       "thinking.type: must be \"enabled\", \"adaptive\" or \"disabled\", got \"auto\""},
      {R"("thinking": {})", "thinking.type: is missing"},
      {R"("reasoning_effort": "extra")",
       "reasoning_effort: must be none, low, high or max, got \"extra\""},
      {R"("n": 0)", "n: must be between 1 and 128, got 0"},
      {R"("n": 2)",
       "n: one answer at a time: must be 1, got 2; ask again for each further answer, with another "
       "seed or none"},
      {R"("extra_body": [])", "extra_body: expected an object, found a list"},
      {R"("extra_body": {"n": 2})",
       "extra_body.n: is a field of the request itself; give it there"},
      {R"("extra_body": {"temperature": 1})",
       "extra_body.temperature: is a field of the request itself; give it there"},
      {R"("extra_body": {"messages": []})",
       "extra_body.messages: is a field of the request itself; give it there"},
      {R"("tool_choice": "required")", "tool_choice: \"required\" needs tools"},
      {R"("tool_choice": "always")",
       "tool_choice: must be \"none\", \"auto\", \"required\" or a named function, got "
       "\"always\""},
      {R"("tool_choice": {"type": "function", "function": {"name": "f"}})",
       "tool_choice.function.name: no tool is called \"f\""},
      {R"("tool_choice": {"type": "tool"})",
       "tool_choice.type: must be \"function\", got \"tool\""},
      {R"("tool_choice": {"type": "function"})", "tool_choice.function: is missing"},
      {R"("response_format": {"type": "xml"})",
       "response_format.type: must be \"text\", \"json_object\" or \"json_schema\", got \"xml\""},
      {R"("response_format": {"type": "json_schema"})", "response_format.json_schema: is missing"},
      {R"("response_format": {"type": "json_schema", "json_schema": {"name": "a"}})",
       "response_format.json_schema.schema: is missing"},
      {R"("functions": [])", "functions: is obsolete; use tools and tool_choice"},
      {R"("trust_all": 1)", "trust_all: expected true or false, found a number"},
      {R"("context": [])",
       "context: belongs to the prompt encoder alone; give the whole conversation in messages"},
      {R"("tools": [{"type": "web_search"}])",
       "tools[0].type: must be \"function\", got \"web_search\""},
      {R"("tools": [{"type": "function"}])", "tools[0].function: is missing"},
      {R"("tools": [{"type": "function", "function": {"name": "a b"}}])",
       "tools[0].function.name: may only have letters, digits, \"_\" and \"-\""},
      {R"("tools": [{"type": "function", "function": {"name": ""}}])",
       "tools[0].function.name: must have 1 to 128 characters, got 0"},
      {R"("tools": [{"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "f"}}])",
       "tools[1].function.name: \"f\" is defined twice"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "parameters": []}}])",
       "tools[0].function.parameters: expected an object, found a list"},
  };
  for (const BadField& row : rows) EXPECT_EQ(FieldError(row.json), row.message) << row.json;
}

TEST(ChatRequest, NamesThePathOfEveryWrongMessage) {
  const BadField rows[] = {
      {"[]", "messages: must not be empty"},
      {R"("hi")", "messages: expected a list, found a string"},
      {R"(["hi"])", "messages[0]: expected an object, found a string"},
      {R"([{"content": "x"}])", "messages[0].role: is missing"},
      {R"([{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}])",
       "messages[1].role: unknown role \"robot\""},
      {R"([{"role": "user"}])", "messages[0].content: is missing"},
      {R"([{"role": "user", "content": 5}])",
       "messages[0].content: expected a string or a list of parts, found a number"},
      {R"([{"role": "user", "content": [{"type": "text"}]}])",
       "messages[0].content[0].text: is missing"},
      {R"([{"role": "user", "content": "a", "tool_calls": []}])",
       "messages[0].tool_calls: only assistant messages carry tool calls"},
      {R"([{"role": "user", "content": "a", "function_call": {}}])",
       "messages[0].function_call: is obsolete; use tool_calls"},
      {R"([{"role": "user", "content": "a", "tools": []}])",
       "messages[0].tools: only system and developer messages carry tools"},
      {R"([{"role": "assistant", "content": "b", "prefix": true},
           {"role": "user", "content": "a"}])",
       "messages[0].prefix: only the last message can be continued"},
  };
  for (const BadField& row : rows) EXPECT_EQ(MessagesError(row.json), row.message) << row.json;
}

TEST(ChatRequest, ListsUnknownFieldsAtEveryLevel) {
  const Request request = ParseChatRequest(R"({"tempratur": 1, "thinking": {"type": "enabled",
      "budget_tokens": 9}, "top": null, "messages": [{"role": "user", "colour": 1, "content":
      [{"type": "text", "text": "a", "cache_control": {}}]}, {"role": "assistant", "content": "b",
      "function_call": null, "tool_calls": [{"id": "c", "type": "function", "index": 0, "extra": 1,
      "function": {"name": "f", "arguments": "{}", "more": 1}}]}], "tools": [{"type": "function",
      "defer": true, "function": {"name": "f", "cached": 1}}], "response_format": {"type": "text",
      "colour": 1}, "tool_choice": {"type": "function", "x": 1, "function": {"name": "f", "y": 1}}
      })");
  EXPECT_EQ(
      request.unknown.paths,
      (std::vector<std::string>{"thinking.budget_tokens", "messages[0].content[0].cache_control",
                                "messages[0].colour", "messages[1].tool_calls[0].extra",
                                "messages[1].tool_calls[0].function.more", "tools[0].defer",
                                "tools[0].function.cached", "tool_choice.x",
                                "tool_choice.function.y", "response_format.colour", "tempratur"}));
  EXPECT_EQ(request.unknown.count, 11u);
  const Request plain =
      ParseCompletionRequest(R"({"prompt": "a", "messages": [], "best_of": null})");
  EXPECT_EQ(plain.unknown.paths, std::vector<std::string>{"messages"});
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Format("\"x%d\": 1, ", i);
  const Request crowd = ParseCompletionRequest("{" + many + "\"prompt\": \"a\"}");
  EXPECT_EQ(crowd.unknown.paths.size(), 16u);
  EXPECT_EQ(crowd.unknown.count, 1000u);
}

TEST(ChatRequest, MayEndWithAnyMessageAndHaveEmptyLists) {
  for (const char* messages : {
           R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])",
           R"([{"role": "system", "content": "a"}])",
           R"([{"role": "user", "content": "a"}, {"role": "latest_reminder", "content": "b"}])",
           R"([{"role": "user", "content": []}])",
           R"([{"role": "system", "content": []}, {"role": "user", "content": "a"}])",
       }) {
    EXPECT_EQ(MessagesError(messages), "no error") << messages;
  }
}

TEST(ChatRequest, ReadsReasoningUnderItsOtherName) {
  const Request request = ParseChatRequest(R"({"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b", "reasoning": "r"}, {"role": "assistant", "content": "b",
      "reasoning": "s", "reasoning_content": "t"}, {"role": "user", "content": "a"}]})");
  EXPECT_EQ(request.messages[1].reasoning_content, "r");
  EXPECT_EQ(request.messages[2].reasoning_content, "t");
  EXPECT_EQ(request.unknown.count, 0u);
}

TEST(ChatRequest, SaysWhatIsWrongWithTheDocument) {
  EXPECT_EQ(ChatError("[]"), "request: expected an object, found a list");
  EXPECT_EQ(ChatError("{}"), "messages: is missing");
  EXPECT_NE(ChatError("{").find("request: "), std::string::npos);
  EXPECT_NE(ChatError("{\"messages\": \"\xff\"}").find(" at byte "), std::string::npos);
}

TEST(ChatRequest, LimitsStopStringsTo16) {
  std::string stops;
  for (int i = 0; i < 16; ++i) stops += (i > 0 ? ", \"" : "\"") + std::to_string(i) + "\"";
  EXPECT_EQ(Chat("\"stop\": [" + stops + "]").stop.size(), 16u);
  EXPECT_EQ(FieldError("\"stop\": [" + stops + ", \"x\"]"), "stop: at most 16 strings, got 17");
}

TEST(CompletionRequest, ReadsPromptAndSampling) {
  const Request request = ParseCompletionRequest(
      R"({"prompt": "Once", "max_tokens": 3, "logprobs": 5, "add_bos": false,
          "recognize_special": false, "temperature": 0})");
  EXPECT_FALSE(request.is_chat);
  EXPECT_EQ(request.prompt, "Once");
  EXPECT_EQ(request.max_tokens, 3);
  EXPECT_EQ(request.top_logprobs, 5);
  EXPECT_EQ(request.add_bos, Toggle::kOff);
  EXPECT_FALSE(request.recognize_special);
}

TEST(CompletionRequest, NamesThePathOfEveryWrongField) {
  const BadField rows[] = {
      {"{}", "prompt: is missing"},
      {R"({"prompt": ["a"]})", "prompt: expected a string, found a list"},
      {R"({"prompt": "a", "echo": 1})", "echo: expected true or false, found a number"},
      {R"({"prompt": "a", "suffix": 1})", "suffix: expected a string, found a number"},
  };
  for (const BadField& row : rows) {
    try {
      ParseCompletionRequest(row.json);
      ADD_FAILURE() << row.json;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), row.message);
    }
  }
}

TEST(EncodeRequest, TakesAListOrAnObject) {
  const EncodeRequest list = ParseEncodeRequest(R"([{"role": "user", "content": "a"}])");
  EXPECT_EQ(list.messages.size(), 1u);
  EXPECT_EQ(list.options.thinking, ThinkingMode::kThinking);
  const EncodeRequest object = ParseEncodeRequest(
      R"({"messages": [{"role": "user", "content": "a"}], "thinking_mode": "chat",
          "context": [{"role": "user", "content": "b"}], "drop_thinking": false, "add_bos": false,
          "effort_prefix": "beyond_max"})");
  EXPECT_EQ(object.context.size(), 1u);
  EXPECT_EQ(object.options.thinking, ThinkingMode::kChat);
  EXPECT_EQ(object.options.effort, EffortPrefix::kBeyondMax);
  EXPECT_FALSE(object.options.drop_thinking || object.options.add_bos);
}

}  // namespace
}  // namespace finback
