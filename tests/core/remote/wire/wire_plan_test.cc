#include <gtest/gtest.h>

#include "core/remote/wire/wire_request.h"
#include "tests/core/remote/wire/wire_fixture.h"

namespace finback {
namespace {

std::string Code(const std::string& notice) {
  const Json json = ParseJson(notice, "notice");
  EXPECT_TRUE(json.Find("message") != nullptr && json.Find("message")->IsString());
  return json.Find("code")->text;
}

std::string Notices(const WirePlan& plan) {
  std::string codes;
  for (const std::string& notice : plan.notices) codes += (codes.empty() ? "" : " ") + Code(notice);
  return codes;
}

// The path of the error that planning must raise.
std::string Refusal(const Request& request, const WirePolicy& policy = {}) {
  try {
    Plan(request, policy);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), finback::Code::kInvalidRequest);
    const std::string message = error.what();
    return message.substr(0, message.find(':'));
  }
  return "taken";
}

std::string Refusal(const std::string& model, const std::string& fields) {
  return Refusal(Ask(model, fields));
}

Request Messages(const std::string& messages, const std::string& model = "deepseek:deepseek-flash",
                 const std::string& fields = "") {
  return ParseChatRequest("{\"model\": \"" + model + "\", \"messages\": " + messages +
                          (fields.empty() ? "" : ", " + fields) + "}");
}

constexpr const char* kFlash = "deepseek:deepseek-flash";

TEST(WirePlan, ThinksByDefaultWithHighEffort) {
  const WirePlan plan = Plan(Ask(kFlash));
  EXPECT_TRUE(plan.thinking);
  EXPECT_EQ(plan.effort, Effort::kHigh);
  EXPECT_EQ(plan.model, "deepseek-flash");
  EXPECT_FALSE(plan.beta);
  EXPECT_FALSE(plan.offer_tools);
  EXPECT_TRUE(plan.replay_reasoning);
  EXPECT_EQ(Notices(plan), "");
}

TEST(WirePlan, AlwaysSetsMaxTokens) {
  const struct {
    const char *model, *fields;
    int64_t tokens;
    const char* notices;
  } kRows[] = {
      {kFlash, "", 65536, ""},
      {kFlash, "\"thinking\": {\"type\": \"disabled\"}", 8192, ""},
      {kFlash, "\"reasoning_effort\": \"none\"", 8192, ""},
      {kFlash, "\"reasoning_effort\": \"low\"", 65536, ""},
      {kFlash, "\"reasoning_effort\": \"max\"", 131072, ""},
      {kFlash, "\"reasoning_effort\": \"max\", \"max_tokens\": 17", 17, ""},
      {kFlash, "\"max_tokens\": 393216", 393216, ""},
      {kFlash, "\"max_tokens\": 393217", 393216, "max_tokens_lowered"},
      {"custom:something-else", "\"max_tokens\": 9000000", 9000000, ""},
  };
  for (const auto& row : kRows) {
    const WirePlan plan = Plan(Ask(row.model, row.fields));
    EXPECT_EQ(plan.max_tokens, row.tokens) << row.fields;
    EXPECT_EQ(Notices(plan), row.notices) << row.fields;
  }
}

TEST(WirePlan, SpellsEffortsByTheLadderOfTheProvider) {
  constexpr LadderChoice kAuto = LadderChoice::kAuto, kPreview = LadderChoice::kPreview,
                         kNewer = LadderChoice::k0731;
  Provider older = *Providers().Find("vllm");
  older.effort_ladder = kPreview;
  const struct {
    const Provider* provider;
    LadderChoice wanted;
    const char *low, *high, *max, *notices;  // of max
  } kRows[] = {
      {Providers().Find("vllm"), kAuto, "low", "high", "max", ""},
      {Providers().Find("vllm"), kNewer, "low", "high", "max", ""},
      {Providers().Find("vllm"), kPreview, "low", "low", "high", ""},
      {Providers().Find("deepseek"), kPreview, "low", "low", "high", ""},
      {Providers().Find("deepseek-anthropic"), kPreview, "low", "low", "high", ""},
      {&older, kAuto, "low", "high", "max", ""},
      {&older, kPreview, "low", "high", "max", ""},
      {&older, kNewer, "low", "max", "max", "effort_lowered"},
      {Providers().Find("sglang"), kAuto, "low", "high", "max", ""},
      {Providers().Find("sglang"), kPreview, "low", "high", "max", "effort_ladder_unknown"},
      {Providers().Find("llama-server"), kNewer, "low", "high", "max", "effort_ladder_unknown"},
      {Providers().Find("linkai"), kNewer, "low", "high", "max",
       "field_left_out effort_ladder_unknown"},
  };
  for (const auto& row : kRows) {
    WirePolicy policy;
    policy.effort_ladder = row.wanted;
    for (const auto& [effort, sent] :
         {std::pair("low", row.low), std::pair("high", row.high), std::pair("max", row.max)}) {
      const std::string field = std::string("\"reasoning_effort\": \"") + effort + "\"";
      const WirePlan plan = PlanWire(Ask("custom:m", field), *row.provider, {}, "m", policy);
      EXPECT_EQ(EffortText(plan), sent) << row.provider->name << " " << effort;
      // What it costs goes by what was asked for.
      EXPECT_EQ(EffortName(plan.effort), effort);
      if (effort == std::string("max")) {
        EXPECT_EQ(Notices(plan), row.notices) << row.provider->name;
      }
    }
    const WirePlan off =
        PlanWire(Ask("custom:m", "\"reasoning_effort\": \"none\""), *row.provider, {}, "m", policy);
    EXPECT_EQ(EffortText(off), "none");
    if (row.provider->name != "linkai") {
      EXPECT_EQ(Notices(off), "") << row.provider->name;
    }
  }
}

TEST(WirePlan, LeavesMaxTokensToSelfHostedServices) {
  for (const char* name : {"vllm", "sglang", "llama-server", "litellm"}) {
    const std::string model = std::string(name) + ":tiny";
    EXPECT_FALSE(Plan(Ask(model)).send_max_tokens) << name;
    EXPECT_EQ(SentBody(model, kHello, "", {}).count("max_tokens"), 0u) << name;
    EXPECT_EQ(SentBody(model, kHello, "\"max_tokens\": 17", {})["max_tokens"], 17) << name;
    EXPECT_EQ(SentBody(model, kHello, "\"max_completion_tokens\": 17", {})["max_tokens"], 17);
    // Plain completions would be given a handful of tokens.
    EXPECT_TRUE(Plan(ParseCompletionRequest("{\"model\": \"" + model + "\", \"prompt\": \"x\"}"))
                    .send_max_tokens);
  }
  EXPECT_TRUE(Plan(Ask("custom:tiny")).send_max_tokens);
}

TEST(WirePlan, CountsWithTheModelsLimitWhereNoneIsSent) {
  const Provider& provider = *Providers().Find("vllm");
  ModelEntry entry;
  EXPECT_EQ(PlanWire(Ask("vllm:m"), provider, entry, "m", {}).max_tokens, 65536);
  entry.context_tokens = 4096;
  EXPECT_EQ(PlanWire(Ask("vllm:m"), provider, entry, "m", {}).max_tokens, 4096);
  entry.max_output_tokens = 1024;
  EXPECT_EQ(PlanWire(Ask("vllm:m"), provider, entry, "m", {}).max_tokens, 1024);
}

TEST(WirePlan, LeavesMaxTokensOutOnceRefused) {
  WirePolicy policy;
  policy.left_out.max_tokens = true;
  const char* fields = "\"max_tokens\": 17";
  EXPECT_EQ(SentBody(kFlash, kHello, fields, policy).count("max_tokens"), 0u);
  EXPECT_EQ(SentBody("deepseek-responses:m", kHello, fields, policy).count("max_output_tokens"),
            0u);
  EXPECT_EQ(SentBody("deepseek-anthropic:m", kHello, fields, policy)["max_tokens"], 17);
}

TEST(WirePlan, LowersMaxTokensToTheSmallerLimit) {
  Provider provider = *Providers().Find("deepseek");
  provider.max_tokens_limit = 131072;
  ModelEntry entry;
  entry.max_output_tokens = 4096;
  const Request request = Ask(kFlash, "\"max_tokens\": 384000");
  EXPECT_EQ(PlanWire(request, provider, entry, "m", {}).max_tokens, 4096);
  entry.max_output_tokens = 0;
  EXPECT_EQ(PlanWire(request, provider, entry, "m", {}).max_tokens, 131072);
  // The default is no wish that must be told about.
  entry.max_output_tokens = 100;
  const WirePlan plan = PlanWire(Ask(kFlash), provider, entry, "m", {});
  EXPECT_EQ(plan.max_tokens, 100);
  EXPECT_EQ(Notices(plan), "");
}

TEST(WirePlan, ResolvesForcedToolsAgainstThinking) {
  for (const char* choice :
       {"\"required\"", "{\"type\": \"function\", \"function\": {\"name\": \"get_time\"}}"}) {
    const Request request = Ask(kFlash, std::string(kTools) + ", \"tool_choice\": " + choice);
    const WirePlan plan = Plan(request);
    EXPECT_FALSE(plan.thinking);
    EXPECT_EQ(plan.max_tokens, 8192);
    EXPECT_EQ(Notices(plan), "thinking_disabled");
    WirePolicy strict;
    strict.force_tool_disables_thinking = false;
    EXPECT_EQ(Refusal(request, strict), "tool_choice");
  }
  const WirePlan relaxed = Plan(Ask(kFlash, std::string(kTools) + R"(, "tool_choice": "required",
                                            "thinking": {"type": "disabled"})"));
  EXPECT_EQ(Notices(relaxed), "");
}

TEST(WirePlan, ForcesToolsWhileThinkingWhereThatWorks) {
  const std::string fields = std::string(kTools) + R"(, "tool_choice": "required")";
  const WirePlan plan = Plan(Ask("vllm:m", fields));
  EXPECT_TRUE(plan.thinking);
  EXPECT_EQ(Notices(plan), "");
  for (const char* model : {"sglang:m", "llama-server:m", "litellm:m"}) {
    EXPECT_EQ(Notices(Plan(Ask(model, fields))), "thinking_disabled") << model;
  }
}

TEST(WirePlan, PassesPenaltiesOnOrSaysThatItDoesNot) {
  const char* fields = R"("frequency_penalty": 0.5, "presence_penalty": -1)";
  for (const char* model : {"vllm:m", "sglang:m", "llama-server:m", "litellm:m", "openrouter:m"}) {
    const OrderedJson body = SentBody(model, kHello, fields, {});
    EXPECT_EQ(body["frequency_penalty"], 0.5) << model;
    EXPECT_EQ(body["presence_penalty"], -1) << model;
    EXPECT_EQ(SentBody(model, kHello, "", {}).count("presence_penalty"), 0u) << model;
  }
  for (const char* model :
       {kFlash, "deepseek-anthropic:m", "deepseek-responses:m", "custom:m", "deepinfra:m"}) {
    EXPECT_EQ(SentBody(model, kHello, fields, {}).count("frequency_penalty"), 0u) << model;
    EXPECT_EQ(Notices(Plan(Ask(model, fields))), "field_left_out field_left_out") << model;
    EXPECT_EQ(Notices(Plan(Ask(model, R"("presence_penalty": 0)"))), "") << model;
  }
  const ProviderTable table = ProviderTable::Load(
      R"({"providers": [{"name": "m", "like": "vllm", "wire_format": "anthropic"}]})");
  EXPECT_EQ(Notices(Plan(Ask("m:m", R"("presence_penalty": 1)"), {}, table)), "field_left_out");
}

TEST(WirePlan, GivesThinkingABudgetWhereMessagesWantOne) {
  const ProviderTable table = ProviderTable::Load(
      R"({"providers": [{"name": "m", "like": "vllm", "wire_format": "anthropic"}]})");
  const struct {
    const char* fields;
    int64_t budget;
    const char* notices;
  } kRows[] = {
      {R"("max_tokens": 8000)", 4000, ""},
      {R"("max_tokens": 8000, "reasoning_effort": "low")", 2000, ""},
      {R"("max_tokens": 8000, "reasoning_effort": "max")", 6000, ""},
      {R"("max_tokens": 1025)", 1024, ""},
      {R"("max_tokens": 1024)", 0, "thinking_disabled"},
      {R"("max_tokens": 8000, "reasoning_effort": "none")", 0, ""},
  };
  for (const auto& row : kRows) {
    const Request request = Ask("m:m", row.fields);
    const WirePlan plan = Plan(request, {}, table);
    EXPECT_EQ(plan.thinking_budget, row.budget) << row.fields;
    EXPECT_EQ(Notices(plan), row.notices) << row.fields;
    const OrderedJson body = OrderedJson::parse(CodecOf(*plan.provider).encode(request, plan).body);
    EXPECT_EQ(body["thinking"].value("budget_tokens", int64_t{0}), row.budget) << row.fields;
  }
  EXPECT_EQ(Plan(Ask("deepseek-anthropic:m")).thinking_budget, 0);
}

std::string WithExtra(const std::string& model, const std::string& extra) {
  const Request request = Ask(model, "\"extra_body\": " + extra);
  try {
    return WithExtraBody(request, Encoded(request));
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ExtraBody, StandsAtTheTopLevel) {
  for (const char* model :
       {"vllm:m", "deepseek:m", "deepseek-anthropic:m", "deepseek-responses:m"}) {
    const OrderedJson body = OrderedJson::parse(WithExtra(
        model, R"({"repetition_penalty": 1.1, "structured_outputs": {"choice": ["a"]}})"));
    EXPECT_EQ(body["repetition_penalty"], 1.1) << model;
    EXPECT_EQ(body["structured_outputs"]["choice"][0], "a") << model;
    EXPECT_EQ(body["model"], "m") << model;
  }
}

TEST(ExtraBody, JoinsObjectsAndRefusesWhatBothSay) {
  const OrderedJson body = OrderedJson::parse(
      WithExtra("vllm:m", R"({"chat_template_kwargs": {"documents": [], "thinking": true}})"));
  EXPECT_EQ(body["chat_template_kwargs"]["thinking"], true);
  EXPECT_EQ(body["chat_template_kwargs"]["documents"].size(), 0u);
  const struct {
    const char *model, *extra, *path;
  } kRows[] = {
      {"vllm:m", R"({"chat_template_kwargs": {"thinking": false}})",
       "extra_body.chat_template_kwargs.thinking: "},
      {"vllm:m", R"({"chat_template_kwargs": 1})", "extra_body.chat_template_kwargs: "},
      {"openrouter:m", R"({"reasoning": {"effort": "low"}})", "extra_body.reasoning.effort: "},
      {"deepseek-responses:m", R"({"store": true})", "extra_body.store: "},
      {"deepseek-responses:m", R"({"max_output_tokens": 5})", "extra_body.max_output_tokens: "},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(WithExtra(row.model, row.extra).rfind(row.path, 0), 0u)
        << WithExtra(row.model, row.extra);
  }
}

TEST(WirePlan, OffersToolsThatMayBeCalled) {
  EXPECT_TRUE(Plan(Ask(kFlash, kTools)).offer_tools);
  EXPECT_FALSE(Plan(Ask(kFlash, std::string(kTools) + ", \"tool_choice\": \"none\"")).offer_tools);
}

TEST(WirePlan, RefusesByPathWhatTheServiceCannotDo) {
  const char* time_tool = R"("tools": [{"type": "function", "function": {"name": "t"}}])";
  const std::string one_at_a_time = std::string(time_tool) + ", \"parallel_tool_calls\": false";
  const struct {
    const char* model;
    std::string fields;
    const char* path;
  } kRows[] = {
      {kFlash, "\"logprobs\": true", "taken"},
      {"together:m", "\"logprobs\": true", "logprobs"},
      {"deepseek-anthropic:deepseek-flash", "\"logprobs\": true", "logprobs"},
      {kFlash, "\"seed\": 1", "seed"},
      {kFlash, "\"logit_bias\": {\"1\": 2}", "logit_bias"},
      {kFlash, "\"top_k\": 3", "top_k"},
      {kFlash, "\"min_p\": 0.1", "min_p"},
      {"vllm:m", "\"seed\": 1, \"logit_bias\": {\"1\": 2}, \"top_k\": 3, \"min_p\": 0.1", "taken"},
      {kFlash, one_at_a_time, "parallel_tool_calls"},
      {kFlash, "\"parallel_tool_calls\": false", "taken"},
      {"vllm:m", one_at_a_time, "taken"},
      {"openrouter:m", R"("stop": ["1", "2", "3", "4"])", "taken"},
      {"openrouter:m", R"("stop": ["1", "2", "3", "4", "5"])", "stop"},
      {"deepseek-responses:deepseek-flash", "\"stop\": \"1\"", "stop"},
      {"deepseek-anthropic:deepseek-flash", R"("response_format": {"type": "json_object"})",
       "response_format.type"},
      {"linkai:m", R"("response_format": {"type": "json_object"})", "response_format.type"},
      {"together:m",
       R"("tools": [{"type": "function", "function": {"name": "t", "strict": true}}])",
       "tools[0].function.strict"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Refusal(row.model, row.fields), row.path) << row.fields;
}

TEST(WirePlan, AsksForAJsonObjectWhereSchemasAreNotEnforced) {
  const char* schema =
      R"("response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}})";
  const WirePlan plain = Plan(Ask(kFlash, schema));
  EXPECT_EQ(plain.response_format, ResponseFormat::kJsonObject);
  EXPECT_EQ(Notices(plain), "schema_not_native");
  EXPECT_EQ(Plan(Ask("vllm:m", schema)).response_format, ResponseFormat::kJsonSchema);
  EXPECT_EQ(Plan(Ask("deepseek-responses:deepseek-flash", schema)).response_format,
            ResponseFormat::kJsonSchema);
  EXPECT_EQ(Plan(Ask("deepseek-anthropic:deepseek-flash", schema)).response_format,
            ResponseFormat::kText);
}

TEST(WirePlan, ChecksStrictToolsAndSendsThemToBeta) {
  const auto tools = [](const char* parameters, const char* more = "") {
    return std::string(
               R"("tools": [{"type": "function", "function": {"name": "a", "strict": true,
                   "parameters": )") +
           parameters + "}}" + more + "]";
  };
  const char* good = R"({"type": "object", "properties": {"x": {"type": "string"}},
                         "required": ["x"], "additionalProperties": false})";
  EXPECT_TRUE(Plan(Ask(kFlash, tools(good))).beta);
  EXPECT_EQ(Refusal(kFlash, tools(good, R"(, {"type": "function", "function": {"name": "b"}})")),
            "tools[1].function.strict");
  const std::string loose = Refusal(
      kFlash, tools(R"({"type": "object", "properties": {"x": {"type": "string", "minLength": 2}},
                        "required": ["x"], "additionalProperties": false})"));
  EXPECT_EQ(loose, "tools[0].function.parameters.properties.x.minLength");
}

TEST(WirePlan, TakesImagesOnlyWhereTheyAreSeen) {
  const char* image = R"([{"role": "user", "content": [{"type": "text", "text": "?"},
      {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}])";
  EXPECT_EQ(Refusal(Messages(image)), "taken");
  EXPECT_EQ(Refusal(Messages(image, "deepseek:deepseek-v4-pro")), "messages[0].content[1].type");
  EXPECT_EQ(Refusal(Messages(image, "vllm:deepseek-v4.1")), "messages[0].content[1].type");
  EXPECT_EQ(Refusal(Messages(R"([{"role": "system", "content": [{"type": "image_url",
      "image_url": {"url": "https://a"}}]}, {"role": "user", "content": "x"}])")),
            "messages[0].content[0].type");
  EXPECT_EQ(Refusal(Messages(R"([{"role": "user", "content": [{"type": "image_url"}]}])")),
            "messages[0].content[0].image_url.url");
  EXPECT_EQ(Refusal(Messages(R"([{"role": "user", "content": [{"type": "input_audio"}]}])")),
            "messages[0].content[0].type");
  EXPECT_EQ(Refusal(Messages(R"([{"role": "user", "content": [{"type": "file"}]}])")),
            "messages[0].content[0]");
  const char* file = R"([{"role": "user", "content": [{"type": "file", "file_data": "data:x"}]}])";
  EXPECT_EQ(Refusal(Messages(file)), "taken");
  EXPECT_EQ(Refusal(Messages(file, "deepseek-anthropic:deepseek-flash")),
            "messages[0].content[0].file_data");
}

std::string Call(const char* id, const char* arguments = "{}") {
  std::string call = std::string("{\"id\": \"") + id +
                     "\", \"type\": \"function\", \"function\": {\"name\": \"t\", \"arguments\": ";
  AppendJsonString(arguments, &call);
  return call + "}}";
}

std::string Asked(const std::string& calls) {
  return R"({"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [)" + calls +
         "]}";
}

std::string Answer(const char* id) {
  return std::string(", {\"role\": \"tool\", \"tool_call_id\": \"") + id +
         "\", \"content\": \"1\"}";
}

TEST(WirePlan, WantsEveryCallAnsweredBeforeTheNextTurn) {
  const std::string two = Asked(Call("a") + ", " + Call("b"));
  const std::string user = R"(, {"role": "user", "content": "y"})";
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("b") + Answer("a") + user + "]")), "taken");
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("a") + user + "]")), "messages[3]");
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("a") + "]")), "messages");
  EXPECT_EQ(Refusal(Messages("[" + two + user + "]")), "messages[2]");
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("a") + Answer("a") + "]")),
            "messages[3].tool_call_id");
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("c") + "]")), "messages[2].tool_call_id");
  EXPECT_EQ(Refusal(Messages("[" + two + Answer("") + "]")), "messages[2].tool_call_id");
}

TEST(WirePlan, WantsIdsThatDiffer) {
  EXPECT_EQ(Refusal(Messages("[" + Asked(Call("a") + ", " + Call("a")) + Answer("a") + "]")),
            "messages[1].tool_calls[1].id");
  EXPECT_EQ(Refusal(Messages("[" + Asked(Call("a")) + Answer("a") + ", " + Asked(Call("a")) +
                             Answer("a") + "]")),
            "messages[4].tool_calls[0].id");
  EXPECT_EQ(Refusal(Messages("[" + Asked(Call("")) + Answer("a") + "]")),
            "messages[1].tool_calls[0].id");
}

TEST(WirePlan, TellsOfArgumentsThatAreReplaced) {
  const WirePlan plan = Plan(Messages("[" + Asked(Call("a", "{\"x\"")) + Answer("a") + "]"));
  EXPECT_EQ(Notices(plan), "arguments_replaced");
}

TEST(WirePlan, KnowsWhereRolesAndFieldsOfThePromptEncoderBelong) {
  const char* reminder =
      R"([{"role": "latest_reminder", "content": "r"}, {"role": "user", "content": "x"}])";
  EXPECT_EQ(Refusal(Messages(reminder)), "taken");
  for (const char* model : {"vllm:m", "deepseek-anthropic:m", "deepseek-responses:m"}) {
    EXPECT_EQ(Refusal(Messages(reminder, model)), "messages[0].role") << model;
  }
  EXPECT_EQ(Refusal(Messages(R"([{"role": "system", "content": "s", "tools": [{"type": "function",
      "function": {"name": "t"}}]}, {"role": "user", "content": "x"}])")),
            "messages[0].tools");
  EXPECT_EQ(Refusal(Messages(R"([{"role": "user", "content": "x", "task": "title"}])")),
            "messages[0].task");
}

TEST(WirePlan, SendsPrefixAndFimToBetaWhereTheyAreKnown) {
  const char* prefix =
      R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "a", "prefix": true}])";
  EXPECT_TRUE(Plan(Messages(prefix)).beta);
  EXPECT_EQ(Refusal(Messages(prefix, "vllm:m")), "messages[1].prefix");
  EXPECT_EQ(Refusal(Messages(prefix, "deepseek-responses:deepseek-flash")), "messages[1].prefix");

  const auto fim = [](const char* model, const char* more) {
    return ParseCompletionRequest(std::string("{\"model\": \"") + model +
                                  "\", \"prompt\": \"a\", \"suffix\": \"b\"" + more + "}");
  };
  const WirePlan plan = Plan(fim("deepseek:deepseek-v4-pro", ""));
  EXPECT_TRUE(plan.beta);
  EXPECT_FALSE(plan.thinking);
  EXPECT_EQ(plan.max_tokens, 4096);
  EXPECT_EQ(Notices(plan), "");
  EXPECT_EQ(Notices(Plan(fim("deepseek:deepseek-v4-pro", ", \"max_tokens\": 5000"))),
            "max_tokens_lowered");
  EXPECT_EQ(Refusal(fim("deepseek-anthropic:deepseek-flash", "")), "prompt");
  EXPECT_EQ(Refusal(fim("together:m", "")), "prompt");
  EXPECT_EQ(Refusal(fim("vllm:m", "")), "suffix");
  const WirePlan plain = Plan(ParseCompletionRequest(R"({"model": "vllm:m", "prompt": "a"})"));
  EXPECT_FALSE(plain.beta);
  EXPECT_EQ(Notices(plain), "");
}

TEST(WirePlan, SendsTheUserUnderTheNameTheServiceHas) {
  EXPECT_EQ(Plan(Ask(kFlash, "\"user\": \"u\"")).user, "u");
  EXPECT_EQ(Plan(Ask(kFlash, "\"user_id\": \"u\", \"user\": \"u\"")).user, "u");
  EXPECT_EQ(Refusal(kFlash, "\"user_id\": \"u\", \"user\": \"v\""), "user_id");
  EXPECT_EQ(Refusal(kFlash, "\"user_id\": 3"), "user_id");
  EXPECT_EQ(Refusal(kFlash, "\"user_id\": \"" + std::string(513, 'u') + "\""), "user_id");
  const WirePlan nowhere = Plan(Ask("together:m", "\"user\": \"u\""));
  EXPECT_EQ(nowhere.user, "");
  EXPECT_EQ(Notices(nowhere), "field_left_out");
}

TEST(WirePlan, ForwardsServiceFieldsByTheTableAlone) {
  const WirePlan plan = Plan(Ask(kFlash, R"("metadata": {"a": 1}, "store": true,
      "stream_options": {"include_usage": false}, "safety_check": {"level": "high"})"));
  ASSERT_EQ(plan.fields.size(), 1u);
  EXPECT_EQ(plan.fields[0].first, "safety_check");
  EXPECT_EQ(Notices(plan), "field_left_out field_left_out");
  const char* check = "\"safety_check\": {\"level\": \"high\"}";
  EXPECT_TRUE(Plan(Ask("vllm:m", check)).fields.empty());
  for (const char* model : {"deepseek-anthropic:m", "deepseek-responses:m"}) {
    EXPECT_EQ(Plan(Ask(model, check)).fields.size(), 1u) << model;
  }
  EXPECT_EQ(Refusal(kFlash, "\"safety_check\": {\"level\": \"medium\"}"), "safety_check.level");
}

TEST(WirePlan, ReplaysReasoningByPolicyAndFamily) {
  WirePolicy always, never;
  always.replay = ReplayReasoning::kAlways;
  never.replay = ReplayReasoning::kNever;
  EXPECT_TRUE(Plan(Ask(kFlash)).replay_reasoning);
  EXPECT_FALSE(Plan(Ask(kFlash), never).replay_reasoning);
  EXPECT_FALSE(Plan(Ask("linkai:m")).replay_reasoning);
  EXPECT_TRUE(Plan(Ask("linkai:m"), always).replay_reasoning);
  EXPECT_FALSE(Plan(Ask("custom:deepseek-r1")).replay_reasoning);
}

TEST(WirePlan, SaysWhenAModelCannotThink) {
  ModelEntry entry;
  entry.thinking = false;
  const Provider& provider = *Providers().Find("custom");
  const WirePlan plan =
      PlanWire(Ask(kFlash, "\"reasoning_effort\": \"max\""), provider, entry, "m", {});
  EXPECT_FALSE(plan.thinking);
  EXPECT_EQ(Notices(plan), "thinking_disabled");
  EXPECT_EQ(Notices(PlanWire(Ask(kFlash), provider, entry, "m", {})), "");
}

}  // namespace
}  // namespace finback
