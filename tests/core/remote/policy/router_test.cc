#include "core/remote/policy/router.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace finback {
namespace {

using Kind = FailureKind;
using Indexes = std::vector<size_t>;

constexpr char kChain[] = "deepseek:deepseek-v4-pro,together:deepseek-v4-pro,vllm:unknown";

class Routing : public testing::Test {
 protected:
  Router Make(std::string_view rules, std::string_view chain = kChain) const {
    return Router(ResolveModels(chain, table_, RefusedIds::kRefuse), rules, table_,
                  RefusedIds::kRefuse, [this] { return now_ms_; });
  }
  std::string MakeError(const std::string& rules) const {
    try {
      Make(rules);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << rules;
      return error.what();
    }
    return "no error";
  }
  std::string WhenError(const std::string& condition) const {
    return MakeError(R"({"rules": [{"use": ["vllm:x"], "when": {)" + condition + "}}]}");
  }
  // Whether the rule with that condition is the one for the request.
  bool Fits(const std::string& condition, const Request& request) const {
    const Router router =
        Make(R"({"rules": [{"when": {)" + condition + R"(}, "use": ["sglang:chosen"]}]})");
    const Indexes order = router.Order(request);
    return router.targets()[order[0]].model == "chosen";
  }
  static Request Chat(const std::string& fields, const std::string& text = "hello") {
    return ParseChatRequest(R"({"messages": [{"role": "system", "content": "Be kind."},
                                {"role": "user", "content": ")" +
                            text + "\"}]" + fields + "}");
  }

  const ProviderTable table_ = ProviderTable::Load("");
  int64_t now_ms_ = 1000;
};

TEST_F(Routing, FollowsTheChainWithoutRules) {
  const Router router = Make("");
  ASSERT_EQ(router.targets().size(), 3u);
  EXPECT_EQ(router.Order(Chat("")), (Indexes{0, 1, 2}));
}

TEST_F(Routing, TakesTheFirstRuleThatFits) {
  const Router router = Make(R"({"comment": "x", "rules": [
    {"when": {"thinking": false}, "use": ["vllm:small", "deepseek:deepseek-v4-pro"]},
    {"when": {"thinking": false, "tools": true}, "use": ["vllm:never"]},
    {"comment": "y", "when": {"effort": "max"}, "use": "openrouter:deepseek-v4-pro"}]})");
  EXPECT_EQ(router.targets().size(), 6u);
  EXPECT_EQ(router.Order(Chat(R"(, "thinking": {"type": "disabled"})")), (Indexes{3, 0}));
  EXPECT_EQ(router.Order(Chat(R"(, "reasoning_effort": "max")")), (Indexes{5}));
  EXPECT_EQ(router.Order(Chat("")), (Indexes{0, 1, 2}));
  const Router always = Make(R"({"rules": [{"use": ["vllm:small"]}]})");
  EXPECT_EQ(always.Order(Chat("")), (Indexes{3}));
}

TEST_F(Routing, CountsCharactersOfTheConversation) {
  // "Be kind." and four characters in nine bytes.
  const Request request = Chat("", "h\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x90\x8B");
  EXPECT_TRUE(Fits(R"("min_characters": 12)", request));
  EXPECT_FALSE(Fits(R"("min_characters": 13)", request));
  EXPECT_TRUE(Fits(R"("max_characters": 12)", request));
  EXPECT_FALSE(Fits(R"("max_characters": 11)", request));
  EXPECT_TRUE(Fits(R"("min_characters": 12, "max_characters": 12)", request));
  const Request completion = ParseCompletionRequest(R"({"prompt": "abc"})");
  EXPECT_TRUE(Fits(R"("min_characters": 3, "max_characters": 3)", completion));
}

TEST_F(Routing, SeesTools) {
  const Request plain = Chat("");
  const Request tools = Chat(R"(, "tools": [{"type": "function", "function": {"name": "f"}}])");
  EXPECT_TRUE(Fits(R"("tools": true)", tools));
  EXPECT_FALSE(Fits(R"("tools": true)", plain));
  EXPECT_TRUE(Fits(R"("tools": false)", plain));
  EXPECT_FALSE(Fits(R"("tools": false)", tools));
}

TEST_F(Routing, FindsKeywordsInWhatTheUserSays) {
  const Request request = Chat("", "Please prove the THEOREM.");
  EXPECT_TRUE(Fits(R"("keywords": ["theorem"])", request));
  EXPECT_TRUE(Fits(R"("keywords": ["nothing", "Prove"])", request));
  EXPECT_FALSE(Fits(R"("keywords": ["be kind"])", request));
  EXPECT_FALSE(Fits(R"("keywords": ["theorems"])", request));
  EXPECT_TRUE(Fits(R"("keywords": "abc")", ParseCompletionRequest(R"({"prompt": "xABCx"})")));
}

TEST_F(Routing, SeesEffortAndThinking) {
  const Request plain = Chat("");
  const Request low = Chat(R"(, "reasoning_effort": "low")");
  const Request off = Chat(R"(, "thinking": {"type": "disabled"})");
  EXPECT_TRUE(Fits(R"("effort": "high")", plain));
  EXPECT_TRUE(Fits(R"("effort": ["low", "max"])", low));
  EXPECT_FALSE(Fits(R"("effort": ["high", "max"])", low));
  EXPECT_FALSE(Fits(R"("effort": ["low", "high", "max"])", off));
  EXPECT_TRUE(Fits(R"("thinking": true)", plain));
  EXPECT_FALSE(Fits(R"("thinking": true)", off));
  EXPECT_TRUE(Fits(R"("thinking": false)", off));
}

TEST_F(Routing, TriesTheNextTargetAfterFailuresOfTheService) {
  const Router router = Make("");
  for (const Kind kind :
       {Kind::kQuota, Kind::kRateLimit, Kind::kServer, Kind::kOverloaded, Kind::kResource,
        Kind::kTransport, Kind::kTimeout, Kind::kEmptyResponse, Kind::kContextOverflow}) {
    EXPECT_TRUE(router.TryNext(MakeFailure(kind, ""))) << FailureName(kind);
  }
  for (const Kind kind : {Kind::kInvalidRequest, Kind::kReasoningChain, Kind::kContentRisk,
                          Kind::kAuthentication, Kind::kSchema, Kind::kBudget, Kind::kCancelled}) {
    EXPECT_FALSE(router.TryNext(MakeFailure(kind, ""))) << FailureName(kind);
    EXPECT_EQ(router.Next({0, 1, 2}, 0, MakeFailure(kind, "")), 3u) << FailureName(kind);
  }
}

TEST_F(Routing, EscalatesOnWhatTheFileSays) {
  const Router router = Make(R"({"escalate": ["authentication", "content_risk"]})");
  EXPECT_TRUE(router.TryNext(MakeFailure(Kind::kAuthentication, "")));
  EXPECT_TRUE(router.TryNext(MakeFailure(Kind::kContentRisk, "")));
  EXPECT_FALSE(router.TryNext(MakeFailure(Kind::kQuota, "")));
  EXPECT_FALSE(Make(R"({"escalate": []})").TryNext(MakeFailure(Kind::kQuota, "")));
}

TEST_F(Routing, GoesThroughTheOrderAndEnds) {
  const Router router = Make("");
  const Failure failure = MakeFailure(Kind::kServer, "");
  EXPECT_EQ(router.Next({2, 0}, 0, failure), 1u);
  EXPECT_EQ(router.Next({2, 0}, 1, failure), 2u);
  EXPECT_EQ(router.Next({2, 0}, 7, failure), 2u);
  EXPECT_EQ(router.Next({}, 0, failure), 0u);
}

TEST_F(Routing, SeeksALongerContextAfterAnOverflow) {
  // 512000, 512000 by another name, unknown, 1048576 tokens.
  const Router router = Make("",
                             "together:deepseek-ai/DeepSeek-V4-Pro,together:DEEPSEEK-AI/"
                             "DeepSeek-V4-Pro,vllm:unknown,deepseek:deepseek-v4-pro");
  Failure failure = MakeFailure(Kind::kContextOverflow, "");
  EXPECT_EQ(router.Next({0, 1, 2, 3}, 0, failure), 2u);
  EXPECT_EQ(router.Next({0, 1, 3}, 0, failure), 2u);
  EXPECT_EQ(router.Next({3, 0}, 0, failure), 2u);
  failure.limit = 2'000'000;  // what the service says of itself
  EXPECT_EQ(router.Next({0, 3}, 0, failure), 2u);
  failure.limit = 65'536;
  EXPECT_EQ(router.Next({0, 1}, 0, failure), 1u);
}

TEST_F(Routing, LeavesAnAccountThatIsUsedUp) {
  const Router router = Make("", "deepseek:deepseek-v4-pro,deepseek:deepseek-flash,vllm:x");
  EXPECT_EQ(router.Next({0, 1, 2}, 0, MakeFailure(Kind::kQuota, "")), 2u);
  EXPECT_EQ(router.Next({0, 1, 2}, 0, MakeFailure(Kind::kServer, "")), 1u);
}

TEST_F(Routing, RestsTargetsTwiceAsLongEachTime) {
  Router router = Make("");
  const Failure failure = MakeFailure(Kind::kOverloaded, "");
  const int64_t lengths[] = {30'000, 60'000, 120'000, 240'000, 480'000, 600'000, 600'000};
  int32_t failures = 0;
  for (const int64_t length_ms : lengths) {
    router.ReportFailure(0, failure);
    EXPECT_EQ(router.HealthOf(0).failures, ++failures);
    EXPECT_EQ(router.HealthOf(0).resting_ms, length_ms);
    EXPECT_EQ(router.Order(Chat("")), (Indexes{1, 2, 0}));
    now_ms_ += length_ms - 1;
    EXPECT_EQ(router.Order(Chat("")), (Indexes{1, 2, 0}));
    now_ms_ += 1;
    EXPECT_EQ(router.Order(Chat("")), (Indexes{0, 1, 2}));
  }
  router.ReportSuccess(0);
  EXPECT_EQ(router.HealthOf(0).failures, 0);
  router.ReportFailure(0, failure);
  EXPECT_EQ(router.HealthOf(0).resting_ms, 30'000);
}

TEST_F(Routing, CountsFailuresOfOneBurstOnce) {
  Router router = Make("");
  for (int i = 0; i < 50; ++i) router.ReportFailure(0, MakeFailure(Kind::kRateLimit, ""));
  EXPECT_EQ(router.HealthOf(0).failures, 1);
  EXPECT_EQ(router.HealthOf(0).resting_ms, 30'000);
}

TEST_F(Routing, RestsAsLongAsTheServiceAsks) {
  Router router = Make("");
  Failure failure = MakeFailure(Kind::kRateLimit, "");
  failure.retry_after_ms = 90'000;
  router.ReportFailure(0, failure);
  EXPECT_EQ(router.HealthOf(0).resting_ms, 90'000);
  failure.retry_after_ms = 3'600'000;
  router.ReportFailure(0, failure);
  EXPECT_EQ(router.HealthOf(0).resting_ms, 600'000);
}

TEST_F(Routing, NeverRestsATargetForTheRequestsFault) {
  Router router = Make("");
  for (const Kind kind :
       {Kind::kInvalidRequest, Kind::kReasoningChain, Kind::kContextOverflow, Kind::kContentRisk,
        Kind::kSchema, Kind::kBudget, Kind::kCancelled, Kind::kEmptyResponse}) {
    router.ReportFailure(0, MakeFailure(kind, ""));
    EXPECT_EQ(router.HealthOf(0).resting_ms, 0) << FailureName(kind);
  }
}

TEST_F(Routing, TriesTheTargetThatRestsShortestWhenAllRest) {
  Router router = Make("");
  router.ReportFailure(0, MakeFailure(Kind::kServer, ""));
  now_ms_ += 10;
  router.ReportFailure(2, MakeFailure(Kind::kServer, ""));
  now_ms_ += 10;
  router.ReportFailure(1, MakeFailure(Kind::kServer, ""));
  EXPECT_EQ(router.Order(Chat("")), (Indexes{0, 2, 1}));
}

TEST_F(Routing, TakesCoolDownsFromTheFile) {
  Router router = Make(R"({"cool_down_ms": 10, "most_cool_down_ms": 15})");
  router.ReportFailure(0, MakeFailure(Kind::kServer, ""));
  EXPECT_EQ(router.HealthOf(0).resting_ms, 10);
  now_ms_ += 10;
  router.ReportFailure(0, MakeFailure(Kind::kServer, ""));
  EXPECT_EQ(router.HealthOf(0).resting_ms, 15);
}

TEST_F(Routing, NamesThePathOfWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {MakeError("{"), "routing file: "},
      {MakeError("[]"), "routing file: expected an object, found a list"},
      {MakeError(R"({"rule": []})"), "rule: unknown field"},
      {MakeError(R"({"rules": {}})"), "rules: expected a list"},
      {MakeError(R"({"rules": [1]})"), "rules[0]: expected an object"},
      {MakeError(R"({"rules": [{}]})"), "rules[0].use: is missing"},
      {MakeError(R"({"rules": [{"use": []}]})"), "rules[0].use: must not be empty"},
      {MakeError(R"({"rules": [{"use": [1]}]})"), "rules[0].use[0]: expected a string"},
      {MakeError(R"({"rules": [{"use": {}}]})"), "rules[0].use: expected a list of strings"},
      {MakeError(R"({"rules": [{"use": ["x:y"]}]})"),
       "rules[0].use: model \"x:y\": unknown provider \"x\"; known are deepseek, "},
      {MakeError(R"({"rules": [{"use": ["deepseek:deepseek-chat"]}]})"),
       "rules[0].use: model \"deepseek:deepseek-chat\": retired on"},
      {MakeError(R"({"rules": [{"use": ["vllm:x", "vllm:x"]}]})"), "rules[0].use: a model is"},
      {MakeError(R"({"rules": [{"use": ["vllm:x"]}, {"use": ["vllm:x"], "if": {}}]})"),
       "rules[1].if: unknown field"},
      {WhenError(R"("length": 3)"), "rules[0].when.length: unknown field"},
      {WhenError(R"("tools": "yes")"), "rules[0].when.tools: expected true or false"},
      {WhenError(R"("min_characters": -1)"), "rules[0].when.min_characters: must be between"},
      {WhenError(R"("min_characters": 5, "max_characters": 4)"),
       "rules[0].when.max_characters: less than min_characters"},
      {WhenError(R"("effort": "huge")"), "rules[0].when.effort: unknown effort \"huge\""},
      {WhenError(R"("effort": 3)"), "rules[0].when.effort: expected a list of strings"},
      {WhenError(R"("keywords": [])"), "rules[0].when.keywords: must not be empty"},
      {WhenError(R"("keywords": [""])"), "rules[0].when.keywords: must not be empty"},
      {MakeError(R"({"escalate": ["weather"]})"), "escalate: unknown failure \"weather\""},
      {MakeError(R"({"escalate": ["cancelled"]})"), "escalate: \"cancelled\" is no reason"},
      {MakeError(R"({"escalate": ["budget"]})"), "escalate: \"budget\" is no reason"},
      {MakeError(R"({"escalate": "quota"})"), "escalate: expected a list"},
      {MakeError(R"({"cool_down_ms": 1.5})"), "cool_down_ms: expected an integer"},
      {MakeError(R"({"cool_down_ms": -1})"), "cool_down_ms: must be between"},
  };
  for (const auto& [error, expected] : cases) {
    EXPECT_EQ(error.substr(0, expected.size()), expected) << error;
  }
}

TEST_F(Routing, IsSharedByThreads) {
  Router router = Make("");
  const Request request = Chat("");
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 200; ++n) {
        router.ReportFailure(i, MakeFailure(Kind::kServer, ""));
        EXPECT_EQ(router.Order(request).size(), 3u);
        router.ReportSuccess(i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(router.HealthOf(i).resting_ms, 0);
}

}  // namespace
}  // namespace finback
