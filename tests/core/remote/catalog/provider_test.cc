#include "core/remote/catalog/provider.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

std::string LoadError(const std::string& json) {
  try {
    ProviderTable::Load(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << json;
    return error.what();
  }
  return "no error";
}

std::string ProviderError(const std::string& fields) {
  return LoadError(R"({"providers": [{"name": "mine", )" + fields + "}]}");
}

std::string ModelError(const std::string& fields) {
  return LoadError(R"({"models": [{"provider": "vllm", "pattern": "a*", )" + fields + "}]}");
}

TEST(ProviderTable, HasTheBuiltInRows) {
  const ProviderTable table = ProviderTable::Load("");
  EXPECT_EQ(table.Names(),
            "deepseek, deepseek-anthropic, deepseek-responses, openrouter, together, fireworks, "
            "deepinfra, morph, linkai, nvidia, vllm, sglang, llama-server, litellm, custom");
  EXPECT_EQ(table.Find("deepsee"), nullptr);
  EXPECT_EQ(table.Find(""), nullptr);
}

TEST(ProviderTable, KnowsTheOfficialService) {
  const ProviderTable table = ProviderTable::Load("");
  const Provider& row = *table.Find("deepseek");
  EXPECT_EQ(row.wire_format, "openai");
  EXPECT_EQ(row.base_url, "https://api.deepseek.com");
  EXPECT_EQ(row.beta_url, "https://api.deepseek.com/beta");
  EXPECT_EQ(row.auth, AuthStyle::kBearer);
  EXPECT_EQ(row.key_environment, std::vector<std::string>{"DEEPSEEK_API_KEY"});
  EXPECT_TRUE(row.key_required);
  EXPECT_EQ(row.balance_path, "/user/balance");
  EXPECT_EQ(row.thinking, ThinkingStyle::kThinkingObject);
  EXPECT_EQ(row.reasoning_in, std::vector<std::string>{"reasoning_content"});
  EXPECT_EQ(row.reasoning_out, "reasoning_content");
  EXPECT_TRUE(row.reasoning_required);
  EXPECT_EQ(row.rescue, Rescue::kOff);
  EXPECT_EQ(row.user_field, "user_id");
  EXPECT_EQ(row.max_tokens_limit, 393216);
  EXPECT_EQ(row.max_stop, 16);
  const ProviderSupport& can = row.supports;
  EXPECT_TRUE(can.json_object && can.strict_tools && can.logprobs && can.images && can.prefix &&
              can.fim && can.stream_usage);
  EXPECT_FALSE(can.json_schema || can.forced_tool_while_thinking || can.parallel_tool_calls ||
               can.developer_role || can.sampling_extras);
}

TEST(ProviderTable, KnowsTheOfficialServicesOtherFormats) {
  const ProviderTable table = ProviderTable::Load("");
  const Provider& anthropic = *table.Find("deepseek-anthropic");
  EXPECT_EQ(anthropic.wire_format, "anthropic");
  EXPECT_EQ(anthropic.base_url, "https://api.deepseek.com/anthropic");
  EXPECT_EQ(anthropic.auth, AuthStyle::kApiKeyHeader);
  EXPECT_EQ(
      anthropic.key_environment,
      (std::vector<std::string>{"DEEPSEEK_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"}));
  EXPECT_EQ(anthropic.prices, "deepseek");
  EXPECT_FALSE(anthropic.supports.json_object || anthropic.supports.fim);
  const Provider& responses = *table.Find("deepseek-responses");
  EXPECT_EQ(responses.wire_format, "responses");
  EXPECT_EQ(responses.base_url, "https://api.deepseek.com");
  EXPECT_EQ(responses.thinking, ThinkingStyle::kReasoningObject);
  EXPECT_TRUE(responses.supports.json_schema);
  EXPECT_EQ(responses.user_field, "user");
  for (const Provider* row : {&anthropic, &responses}) {
    EXPECT_EQ(table.Model(*row, "deepseek-flash").context_tokens, 1048576) << row->name;
  }
}

struct HostCase {
  const char* name;
  const char* base_url;
  const char* key;  // the first environment variable; "": none
  bool key_required;
  ThinkingStyle thinking;
  const char* reasoning_out;
  Rescue rescue;
};

TEST(ProviderTable, KnowsOtherHosts) {
  using T = ThinkingStyle;
  const HostCase cases[] = {
      {"openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", true,
       T::kReasoningObject, "reasoning", Rescue::kParse},
      {"together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", true, T::kReasoningEnabled,
       "reasoning", Rescue::kParse},
      {"fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", true, T::kEffort,
       "reasoning_content", Rescue::kParse},
      {"deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", true, T::kEffort,
       "reasoning_content", Rescue::kParse},
      {"morph", "https://api.morphllm.com/v1", "MORPH_API_KEY", true, T::kReasoningObject,
       "reasoning_content", Rescue::kParse},
      {"linkai", "https://api.link-ai.tech/v1", "LINKAI_API_KEY", true, T::kNone, "",
       Rescue::kParse},
      {"nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", true,
       T::kChatTemplateKwargs, "reasoning_content", Rescue::kParse},
      {"vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", false, T::kChatTemplateKwargs,
       "reasoning", Rescue::kParse},
      {"sglang", "http://127.0.0.1:30000/v1", "", false, T::kChatTemplateKwargs,
       "reasoning_content", Rescue::kParse},
      {"llama-server", "http://127.0.0.1:9931/v1", "LLAMA_API_KEY", false, T::kEffort,
       "reasoning_content", Rescue::kParse},
      {"litellm", "http://127.0.0.1:4000/v1", "LITELLM_API_KEY", false, T::kEffort,
       "reasoning_content", Rescue::kParse},
      {"custom", "", "", false, T::kThinkingObject, "reasoning_content", Rescue::kParse},
  };
  const ProviderTable table = ProviderTable::Load("");
  for (const HostCase& c : cases) {
    const Provider* row = table.Find(c.name);
    ASSERT_NE(row, nullptr) << c.name;
    EXPECT_EQ(row->base_url, c.base_url);
    EXPECT_EQ(row->key_environment.empty() ? "" : row->key_environment[0], c.key) << c.name;
    EXPECT_EQ(row->key_required, c.key_required) << c.name;
    EXPECT_EQ(row->thinking, c.thinking) << c.name;
    EXPECT_EQ(row->reasoning_out, c.reasoning_out) << c.name;
    EXPECT_EQ(row->rescue, c.rescue) << c.name;
    EXPECT_EQ(row->auth, AuthStyle::kBearer) << c.name;
    EXPECT_EQ(row->wire_format, "openai") << c.name;
  }
  EXPECT_EQ(table.Find("deepinfra")->key_environment[1], "DEEPINFRA_TOKEN");
  EXPECT_EQ(table.Find("openrouter")->cost_field, "cost");
  EXPECT_EQ(table.Find("openrouter")->max_stop, 4);
}

TEST(ProviderTable, SpellsEffortsAsTheServiceDoes) {
  const ProviderTable table = ProviderTable::Load("");
  EXPECT_EQ(table.Find("fireworks")->EffortName("max"), "xhigh");
  EXPECT_EQ(table.Find("fireworks")->EffortName("high"), "high");
  EXPECT_EQ(table.Find("together")->EffortName("low"), "high");
  EXPECT_EQ(table.Find("deepseek")->EffortName("max"), "max");
}

struct ModelCase {
  const char* provider;
  const char* model;
  const char* family;
  int64_t context_tokens;
  int32_t concurrency;
  bool images;
  const char* price_id;
};

TEST(ProviderTable, KnowsModels) {
  const ModelCase cases[] = {
      {"deepseek", "deepseek-flash", "deepseek-v4.1", 1048576, 2500, true, ""},
      {"deepseek", "deepseek-v4-flash", "deepseek-v4.1", 1048576, 2500, true, "deepseek-flash"},
      {"deepseek", "deepseek-v4-flash-vision-exp", "deepseek-v4.1", 1048576, 2500, true,
       "deepseek-flash"},
      {"deepseek", "deepseek-v4-pro", "deepseek-v4", 1048576, 500, false, ""},
      {"deepseek", "deepseek-pro-next", "deepseek-v4", 1048576, 0, false, ""},
      {"openrouter", "deepseek/deepseek-v4.1-flash", "deepseek-v4.1", 1048576, 0, true, ""},
      {"fireworks", "accounts/fireworks/models/deepseek-v4p1-flash", "deepseek-v4.1", 1048576, 0,
       true, ""},
      {"together", "deepseek-ai/deepseek-v4-pro", "deepseek-v4", 512000, 0, false, ""},
      {"vllm", "deepseek-ai/DeepSeek-V4-Pro", "deepseek-v4", 1048576, 0, false, ""},
      {"custom", "deepseekv4-pro", "deepseek-v4", 1048576, 0, false, ""},
      {"openrouter", "deepseek/deepseek-r1", "deepseek-r1", 0, 0, false, ""},
      {"openrouter", "somebody/else", "", 0, 0, false, ""},
  };
  const ProviderTable table = ProviderTable::Load("");
  for (const ModelCase& c : cases) {
    const ModelEntry& entry = table.Model(*table.Find(c.provider), c.model);
    EXPECT_EQ(entry.family, c.family) << c.model;
    EXPECT_EQ(entry.context_tokens, c.context_tokens) << c.model;
    EXPECT_EQ(entry.max_output_tokens, c.context_tokens == 0 ? 0 : 393216) << c.model;
    EXPECT_EQ(entry.concurrency, c.concurrency) << c.model;
    EXPECT_EQ(entry.images, c.images) << c.model;
    EXPECT_EQ(entry.price_id, c.price_id) << c.model;
    EXPECT_FALSE(entry.refused) << c.model;
  }
}

TEST(ProviderTable, MatchesPatternsWithStars) {
  struct {
    const char* pattern;
    const char* model;
    bool matches;
  } cases[] = {
      {"abc", "abc", true},       {"abc", "ABC", true},  {"abc", "abcd", false},
      {"abc", "xabc", false},     {"*", "", true},       {"*", "x", true},
      {"a*", "a", true},          {"a*c", "abbc", true}, {"a*c", "abcb", false},
      {"a*b*c", "a-b-b-c", true}, {"*ab*", "aab", true}, {"*ab*", "aa", false},
      {"a**b", "ab", true},       {"a.c", "abc", false}, {"*aab", "aaaab", true},
  };
  for (const auto& c : cases) {
    const ProviderTable table =
        ProviderTable::Load(std::string(R"({"models": [{"provider": "vllm", "pattern": ")") +
                            c.pattern + R"(", "family": "found"}]})");
    EXPECT_EQ(table.Model(*table.Find("vllm"), c.model).family == "found", c.matches)
        << c.pattern << " " << c.model;
  }
}

TEST(ProviderTable, MatchesLongPatternsInBoundedTime) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  const ProviderTable table = ProviderTable::Load(
      R"({"models": [{"provider": "vllm", "pattern": ")" + pattern + R"(b", "family": "found"}]})");
  EXPECT_EQ(table.Model(*table.Find("vllm"), std::string(4000, 'a')).family, "");
}

TEST(ProviderTable, OverridesFieldByField) {
  const ProviderTable table = ProviderTable::Load(R"({
    "comment": "ours",
    "providers": [{"name": "deepseek", "comment": "a proxy", "base_url": "https://proxy.example/v1/",
                   "supports": {"logprobs": false}, "headers": {"X-Team": "a b"}}],
    "models": [{"provider": "deepseek", "pattern": "deepseek-flash", "context_tokens": 65536}]})");
  const Provider& row = *table.Find("deepseek");
  EXPECT_EQ(row.base_url, "https://proxy.example/v1");
  EXPECT_EQ(row.beta_url, "https://api.deepseek.com/beta");
  EXPECT_FALSE(row.supports.logprobs);
  EXPECT_TRUE(row.supports.fim);
  ASSERT_EQ(row.headers.size(), 1u);
  EXPECT_EQ(row.headers[0], (std::pair<std::string, std::string>{"X-Team", "a b"}));
  const ModelEntry& entry = table.Model(row, "deepseek-flash");
  EXPECT_EQ(entry.context_tokens, 65536);
  EXPECT_EQ(entry.max_output_tokens, 393216);
  EXPECT_EQ(entry.family, "deepseek-v4.1");
  EXPECT_EQ(table.Model(*table.Find("deepseek-anthropic"), "deepseek-flash").context_tokens, 65536);
}

TEST(ProviderTable, StartsNewRowsFromAnother) {
  const ProviderTable table = ProviderTable::Load(R"({"providers": [
    {"name": "farm", "like": "vllm", "base_url": "http://10.0.0.1:8000/v1"},
    {"name": "barn", "like": "farm", "key_required": true, "key_environment": ["BARN_KEY"]},
    {"name": "plain", "base_url": "https://plain.example"}]})");
  EXPECT_EQ(table.Find("farm")->thinking, ThinkingStyle::kChatTemplateKwargs);
  EXPECT_FALSE(table.Find("farm")->key_required);
  EXPECT_EQ(table.Find("barn")->base_url, "http://10.0.0.1:8000/v1");
  EXPECT_TRUE(table.Find("barn")->key_required);
  EXPECT_EQ(table.Find("plain")->reasoning_in, table.Find("custom")->reasoning_in);
  EXPECT_NE(table.Names().find("custom, farm, barn, plain"), std::string::npos);
}

TEST(ProviderTable, LeavesTheResponsesEndpointToTheRowThatNamesIt) {
  const ProviderTable table = ProviderTable::Load(R"({"providers": [
    {"name": "proxy", "like": "deepseek", "base_url": "https://proxy.example"},
    {"name": "both", "like": "deepseek", "responses": "later"},
    {"name": "later", "like": "deepseek-responses"}]})");
  EXPECT_EQ(table.Find("deepseek")->responses, "deepseek-responses");
  EXPECT_EQ(table.Find("proxy")->responses, "");
  EXPECT_EQ(table.Find("proxy")->forwarded, table.Find("deepseek")->forwarded);
  EXPECT_TRUE(table.Find("proxy")->supports.latest_reminder);
  EXPECT_EQ(table.Find("both")->responses, "later");
}

TEST(ProviderTable, PrefersUserRowsAndProviderRows) {
  const ProviderTable table = ProviderTable::Load(R"({"models": [
    {"provider": "*", "pattern": "*", "family": "any"},
    {"provider": "deepseek", "pattern": "deepseek-v4-*", "family": "mine"},
    {"provider": "deepseek-responses", "pattern": "*", "family": "own"}]})");
  const auto family = [&](const char* provider, const char* model) {
    return table.Model(*table.Find(provider), model).family;
  };
  EXPECT_EQ(family("deepseek", "deepseek-v4-pro"), "mine");
  EXPECT_EQ(family("deepseek", "deepseek-flash"), "deepseek-v4.1");
  EXPECT_EQ(family("deepseek", "other"), "any");
  EXPECT_EQ(family("vllm", "deepseek-v4-pro"), "any");
  EXPECT_EQ(family("deepseek-responses", "deepseek-v4-pro"), "own");
  EXPECT_EQ(family("deepseek-anthropic", "deepseek-v4-pro"), "mine");
}

TEST(ProviderTable, TakesARefusalBack) {
  const ProviderTable table = ProviderTable::Load(
      R"({"models": [{"provider": "deepseek", "pattern": "deepseek-chat", "refused": false}]})");
  EXPECT_FALSE(table.Model(*table.Find("deepseek"), "deepseek-chat").refused);
}

TEST(ProviderTable, NamesRowAndFieldOfWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {ProviderError(R"("bas_url": "x")"), "providers[mine].bas_url: unknown field"},
      {ProviderError(R"("base_url": 3)"), "providers[mine].base_url: expected a string, found a"},
      {ProviderError(R"("supports": {"fimm": true})"),
       "providers[mine].supports.fimm: unknown field"},
      {ProviderError(R"("supports": {"fim": 1})"),
       "providers[mine].supports.fim: expected true or false"},
      {ProviderError(R"("supports": [])"), "providers[mine].supports: expected an object"},
      {ProviderError(R"("thinking": "on")"),
       "providers[mine].thinking: unknown value \"on\"; it is one of thinking_object, effort, "},
      {ProviderError(R"("wire_format": "grpc")"), "providers[mine].wire_format: unknown value"},
      {ProviderError(R"("auth": "basic")"), "providers[mine].auth: unknown value"},
      {ProviderError(R"("rescue": true)"), "providers[mine].rescue: expected a string"},
      {ProviderError(R"("max_stop": -1)"), "providers[mine].max_stop: must be between 0 and"},
      {ProviderError(R"("max_stop": 1.5)"), "providers[mine].max_stop: expected an integer"},
      {ProviderError(R"("concurrency": 99999999999999999999)"),
       "providers[mine].concurrency: must be between"},
      {ProviderError(R"("key_environment": "A")"),
       "providers[mine].key_environment: expected a list"},
      {ProviderError(R"("key_environment": [""])"),
       "providers[mine].key_environment: expected a list of strings"},
      {ProviderError(R"("headers": {"A": "b\r\nC: d"})"), "providers[mine].headers.A: a header"},
      {ProviderError(R"("headers": {"A B": "c"})"), "providers[mine].headers.A B: not a header"},
      {ProviderError(R"("headers": {"A": 1})"), "providers[mine].headers.A: expected a string"},
      {ProviderError(R"("efforts": {"huge": "max"})"),
       "providers[mine].efforts.huge: unknown effort"},
      {ProviderError(R"("models_path": "models")"), "providers[mine].models_path: expected a path"},
      {ProviderError(R"("responses": "none-such")"),
       "providers[mine].responses: unknown provider \"none-such\""},
      {ProviderError(R"("forwarded": "store")"), "providers[mine].forwarded: expected a list"},
      {ProviderError(R"("like": "none-such")"),
       "providers[mine].like: unknown provider \"none-such\""},
      {LoadError(R"({"providers": [{"name": "vllm", "like": "sglang"}]})"),
       "providers[vllm].like: only a new"},
      {LoadError(R"({"providers": [{"name": "a"}, {"name": "b"}, {"name": "a"}]})"),
       "providers[a]: there is an earlier row"},
      {LoadError(R"({"providers": [{"name": "a"}, {}]})"), "providers[1].name: is missing"},
      {LoadError(R"({"providers": [{"name": "a:b"}]})"), "providers[0].name: letters"},
      {LoadError(R"({"providers": [7]})"), "providers[0]: expected an object"},
      {LoadError(R"({"providers": {}})"), "providers: expected a list"},
      {LoadError(R"({"provider": []})"), "provider: unknown field"},
      {LoadError("[]"), "providers file: expected an object, found a list"},
      {LoadError("{"), "providers file: "},
      {ModelError(R"("context": 1)"), "models[vllm:a*].context: unknown field"},
      {ModelError(R"("context_tokens": "1M")"), "models[vllm:a*].context_tokens: expected an int"},
      {ModelError(R"("instead_with": "x")"), "models[vllm:a*].instead_with: expected an object"},
      {LoadError(R"({"models": [{"provider": "x", "pattern": "y"}]})"),
       "models[0].provider: unknown provider \"x\""},
      {LoadError(R"({"models": [{"provider": "vllm"}]})"), "models[0].pattern: is missing"},
      {LoadError(R"({"models": [{"provider": "vllm", "pattern": "a"},
                                {"provider": "vllm", "pattern": "a"}]})"),
       "models[vllm:a]: there is an earlier row"},
  };
  for (const auto& [error, expected] : cases) {
    EXPECT_EQ(error.substr(0, expected.size()), expected) << error;
  }
}

TEST(ProviderTable, RefusesUrlsThatAreNone) {
  for (const char* url : {"api.deepseek.com", "ftp://a", "https://", "http:///a", "https://a b",
                          "https://a?key=1", "https://user:pw@a", "https://a\\n", "file:///etc"}) {
    EXPECT_NE(
        ProviderError(std::string("\"base_url\": \"") + url + "\"").find("base_url: expected"),
        std::string::npos)
        << url;
  }
  EXPECT_EQ(ProviderError(R"("base_url": "")"), "no error");
  EXPECT_EQ(ProviderError(R"("base_url": "http://[::1]:8000/v1")"), "no error");
}

TEST(ProviderTable, TreatsNullAsAbsent) {
  const ProviderTable table =
      ProviderTable::Load(R"({"providers": [{"name": "vllm", "base_url": null}], "models": null})");
  EXPECT_EQ(table.Find("vllm")->base_url, "http://127.0.0.1:8000/v1");
}

}  // namespace
}  // namespace finback
