#include "core/remote/catalog/model_name.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

class ModelName : public testing::Test {
 protected:
  std::string Failure(std::string_view names, RefusedIds refused = RefusedIds::kRefuse) const {
    try {
      ResolveModels(names, table_, refused);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      return error.what();
    }
    return "no error";
  }

  const ProviderTable table_ = ProviderTable::Load("");
};

TEST_F(ModelName, SplitsAtTheFirstColon) {
  const ModelTarget target =
      ResolveModel("openrouter:deepseek/deepseek-v4-pro:free", table_, RefusedIds::kRefuse);
  EXPECT_EQ(target.provider->name, "openrouter");
  EXPECT_EQ(target.model, "deepseek/deepseek-v4-pro:free");
  EXPECT_EQ(target.entry->family, "deepseek-v4");
  EXPECT_EQ(target.with, "");
  EXPECT_EQ(target.notice, "");
}

TEST_F(ModelName, ReadsAChainInOrder) {
  const std::vector<ModelTarget> chain =
      ResolveModels(" deepseek:deepseek-v4-pro , openrouter:deepseek/deepseek-v4-pro,vllm:x",
                    table_, RefusedIds::kRefuse);
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(chain[0].provider->name, "deepseek");
  EXPECT_EQ(chain[1].model, "deepseek/deepseek-v4-pro");
  EXPECT_EQ(chain[2].model, "x");
  EXPECT_EQ(chain[2].entry->family, "");
}

TEST_F(ModelName, CallsDeepSeeksIdsWhatTheHostCallsThem) {
  EXPECT_EQ(ResolveModel("openrouter:deepseek-flash", table_, RefusedIds::kRefuse).model,
            "deepseek/deepseek-v4.1-flash");
  const ModelTarget target = ResolveModel("together:deepseek-v4-pro", table_, RefusedIds::kRefuse);
  EXPECT_EQ(target.model, "deepseek-ai/DeepSeek-V4-Pro");
  EXPECT_EQ(target.entry->context_tokens, 512000);
}

TEST_F(ModelName, ListsTheKnownProvidersWhenOneIsUnknown) {
  const std::string error = Failure("deepsek:deepseek-flash");
  EXPECT_NE(error.find("unknown provider \"deepsek\"; known are deepseek, deepseek-anthropic, "),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("llama-server, litellm, custom"), std::string::npos) << error;
}

struct RefusedCase {
  const char* name;
  const char* error;  // what it must say
  const char* model;  // what it is translated to
  const char* with;
};

TEST_F(ModelName, RefusesOrTranslatesIdsThatAreGone) {
  const RefusedCase cases[] = {
      {"deepseek:deepseek-chat",
       "retired on 2026-07-24 15:59 UTC; use \"deepseek-flash\" with {\"thinking\": {\"type\": "
       "\"disabled\"}}",
       "deepseek-flash", R"({"thinking": {"type": "disabled"}})"},
      {"deepseek:deepseek-reasoner",
       "retired on 2026-07-24 15:59 UTC; use \"deepseek-flash\" with {\"thinking\": {\"type\": "
       "\"enabled\"}}",
       "deepseek-flash", R"({"thinking": {"type": "enabled"}})"},
      {"deepseek-responses:DeepSeek-Chat", "retired on 2026-07-24", "deepseek-flash",
       R"({"thinking": {"type": "disabled"}})"},
      {"deepseek:deepseek-v4-pro-max",
       "use \"deepseek-v4-pro\" with {\"reasoning_effort\": \"max\"}", "deepseek-v4-pro",
       R"({"reasoning_effort": "max"})"},
      {"deepseek-anthropic:claude-opus-4-7", "use \"deepseek-v4-pro\"", "deepseek-v4-pro", ""},
      {"deepseek-anthropic:claude-sonnet", "use \"deepseek-flash\"", "deepseek-flash", ""},
  };
  for (const RefusedCase& c : cases) {
    EXPECT_NE(Failure(c.name).find(c.error), std::string::npos) << Failure(c.name);
    const ModelTarget target = ResolveModel(c.name, table_, RefusedIds::kTranslate);
    EXPECT_EQ(target.model, c.model) << c.name;
    EXPECT_EQ(target.with, c.with) << c.name;
    EXPECT_NE(target.notice.find(c.name), std::string::npos) << target.notice;
    EXPECT_FALSE(target.entry->refused) << c.name;
    EXPECT_EQ(target.entry->context_tokens, 1048576) << c.name;
  }
}

TEST_F(ModelName, LeavesTheSameIdsOfOtherHostsAlone) {
  EXPECT_EQ(Failure("openrouter:deepseek/deepseek-chat"), "no error");
  EXPECT_EQ(Failure("custom:deepseek-chat"), "no error");
}

TEST_F(ModelName, NeverTranslatesIntoAnotherRefusedId) {
  const ProviderTable table = ProviderTable::Load(
      R"({"models": [{"provider": "vllm", "pattern": "a", "refused": true, "instead": "b"},
                     {"provider": "vllm", "pattern": "b", "refused": true, "instead": "a"},
                     {"provider": "vllm", "pattern": "c", "refused": true}]})");
  for (const char* name : {"vllm:a", "vllm:b", "vllm:c"}) {
    EXPECT_THROW(ResolveModel(name, table, RefusedIds::kTranslate), Error) << name;
  }
}

TEST_F(ModelName, RefusesWhatIsNoName) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a name is missing"},
      {"deepseek", "expected PROVIDER:MODEL"},
      {"deepseek:", "no model after the colon"},
      {":deepseek-flash", "unknown provider \"\""},
      {"deepseek:deepseek-flash,", "a name is missing"},
      {"deepseek:deepseek-flash,,vllm:x", "a name is missing"},
      {"deepseek:a\nb", "no model after the colon"},
      {"deepseek:a\xFF", "no model after the colon"},
      {"vllm:x,vllm:x", "is there twice"},
      {"openrouter:deepseek-flash,openrouter:deepseek/deepseek-v4.1-flash", "is there twice"},
  };
  for (const auto& [names, error] : cases) {
    EXPECT_NE(Failure(names).find(error), std::string::npos) << names << ": " << Failure(names);
  }
}

TEST_F(ModelName, TellsServicesFromFolders) {
  for (const char* name : {"deepseek:deepseek-flash", "no-such:x", " vllm:/models/a",
                           "openrouter:deepseek/deepseek-v4-pro,vllm:x"}) {
    EXPECT_TRUE(NamesService(name)) << name;
  }
  for (const char* name : {"", "/models/a:b", "./a:b", "models/deepseek:v4", "krill", ":x"}) {
    EXPECT_FALSE(NamesService(name)) << name;
  }
}

}  // namespace
}  // namespace finback
