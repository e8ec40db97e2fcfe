// The endpoints that an engine's options make of the tables.
#include "core/remote/client.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace finback {
namespace {

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    options_.model = "deepseek:deepseek-v4-pro";
    options_.service.api_key = "sk-test";
  }

  ServiceTarget Target() const { return Client(options_).targets().at(0); }

  EngineOptions options_;
};

TEST_F(ClientTest, HasAResponsesEndpointBesideTheRowThatNamesOne) {
  options_.service.base_url = "https://proxy.example/";
  options_.service.markup_rescue = MarkupRescue::kParse;
  const ServiceTarget target = Target();
  ASSERT_TRUE(target.responses.has_value());
  EXPECT_EQ(target.main.provider.wire_format, "openai");
  EXPECT_EQ(target.responses->provider.wire_format, "responses");
  EXPECT_TRUE(target.responses->provider.supports.json_schema);
  EXPECT_EQ(target.responses->provider.base_url, "https://proxy.example");
  EXPECT_EQ(target.responses->provider.rescue, Rescue::kParse);
  EXPECT_EQ(target.responses->model, "deepseek-v4-pro");
  EXPECT_EQ(target.responses->key, "sk-test");
}

TEST_F(ClientTest, HasNoneWhereTheAddressSpeaksAnotherFormat) {
  options_.service.base_url = "https://proxy.example";
  for (const char* format : {"anthropic", "responses"}) {
    options_.service.wire_format = format;
    EXPECT_FALSE(Target().responses.has_value()) << format;
    EXPECT_EQ(Target().main.provider.wire_format, format);
  }
  options_.service.wire_format = "openai";
  EXPECT_TRUE(Target().responses.has_value());
}

TEST_F(ClientTest, ReachesAProviderOfAUsersFileByItsRowAlone) {
  options_.service.providers_file =
      FINBACK_SOURCE_DIR "/tests/golden/remote/openai-made-up-provider/providers.json";
  options_.model = "made-up:whale-1";
  const Endpoint endpoint = Target().main;
  EXPECT_EQ(endpoint.provider.base_url, "https://made-up.example/v1");
  EXPECT_EQ(endpoint.entry.max_output_tokens, 1000);
  EXPECT_EQ(endpoint.model, "whale-1");
}

TEST_F(ClientTest, TakesTheAddressOfACallAsTheServices) {
  for (const char* path :
       {"/chat/completions", "/completions/", "/chat/completions//", "/chat/completions \t", ""}) {
    options_.service.base_url = std::string(" https://proxy.example/v1") + path + "\n";
    EXPECT_EQ(Target().main.provider.base_url, "https://proxy.example/v1") << path;
  }
  options_.service.wire_format = "anthropic";
  for (const char* path : {"/v1/messages", "/messages/", "/v1/messages/ ", "/v1/", ""}) {
    options_.service.base_url = std::string("https://proxy.example") + path;
    EXPECT_EQ(Target().main.provider.base_url, "https://proxy.example") << path;
  }
}

TEST_F(ClientTest, RefusesAddressesThatItCannotTakeWithoutShowingLogins) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://proxy.example/v1/messages", "set wire_format to anthropic"},
      {"localhost:8000/v1", "expected http:// or https://"},
      {"https://user:hunter22@proxy.example", "api_key"},
      {"https://proxy.example/v1/chat/completions?api-key=hunter22", "api_key"},
      {"https://proxy.example/models/chat/completions?api-version=hunter22", "such as api-version"},
      {"https://proxy.example/v1/chat/completions#hunter22", "? or #"},
      {"https://proxy.example/v1/responses/", "set wire_format to responses"},
      {"https://proxy.example/v1 /chat/completions", "expected http:// or https://"}};
  for (const auto& [url, words] : cases) {
    options_.service.base_url = url;
    try {
      Target();
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("base_url"), std::string::npos) << text;
      EXPECT_NE(text.find(words), std::string::npos) << text;
      EXPECT_EQ(text.find("hunter22"), std::string::npos) << text;
    }
  }
}

// Where a key may come from: the option, or the service's variable.
class KeyTest : public ClientTest {
 protected:
  ~KeyTest() override { unsetenv("DEEPSEEK_API_KEY"); }

  void Put(const std::string& key, bool variable) {
    options_.service.api_key = variable ? "" : key;
    variable ? setenv("DEEPSEEK_API_KEY", key.c_str(), 1) : unsetenv("DEEPSEEK_API_KEY");
  }

  std::string Problem() const {
    try {
      Target();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
};

TEST_F(KeyTest, IsTakenAsPeoplePasteIt) {
  for (const bool variable : {false, true}) {
    for (const char* key : {"sk-test\n", "sk-test\r\n", "\r\n sk-test\t", "\"sk-test\"",
                            "'sk-test' ", "Bearer sk-test", "BEARER\tsk-test\n",
                            "\"Bearer sk-test\"", "Bearer 'sk-test'", "\"'sk-test'\""}) {
      Put(key, variable);
      EXPECT_EQ(Target().main.key, "sk-test") << key;
    }
    Put("bearer-of-news", variable);
    EXPECT_EQ(Target().main.key, "bearer-of-news");
  }
}

TEST_F(KeyTest, ThatNoHeaderCanHaveIsRefusedWithoutShowingIt) {
  const std::pair<const char*, const char*> rows[] = {
      {"sk test", "a blank at byte 3 of 7"},
      {"sk-\ntest", "a line end at byte 4 of 8"},
      {"sk-\x01test", "a control character at byte 4 of 8"},
      {"sk-\xC3\xA9test", "a letter beyond ASCII at byte 4 of 9"},
      {"\xE2\x80\x9Csk-test\xE2\x80\x9D", "a letter beyond ASCII at byte 1 of 13"},
      {"\xEF\xBB\xBFsk-test", "a letter beyond ASCII at byte 1 of 10"},
      {"export KEY=sk-test", "a blank at byte 7 of 18"},
      {"Bearer Bearer sk test", "a blank at byte 3 of 7"}};
  for (const bool variable : {false, true}) {
    for (const auto& [key, words] : rows) {
      Put(key, variable);
      const std::string problem = Problem();
      EXPECT_TRUE(
          problem.starts_with(variable ? "the variable DEEPSEEK_API_KEY: " : "option api_key: "))
          << problem;
      EXPECT_NE(problem.find(words), std::string::npos) << problem;
      EXPECT_NE(problem.find("set it again"), std::string::npos) << problem;
      EXPECT_EQ(problem.find("test"), std::string::npos) << problem;
    }
  }
}

TEST_F(KeyTest, ThatIsEmptyIsSaidToBeMissing) {
  for (const char* key : {"", "\n", " \t", "\"\"", "''", "Bearer ", "\"Bearer\""}) {
    Put(key, true);
    EXPECT_EQ(Problem(),
              "deepseek: no key: set the option api_key or the variable DEEPSEEK_API_KEY; there is "
              "no key in DEEPSEEK_API_KEY")
        << key;
  }
  unsetenv("DEEPSEEK_API_KEY");
  EXPECT_EQ(Problem(), "deepseek: no key: set the option api_key or the variable DEEPSEEK_API_KEY");
}

TEST_F(ClientTest, KnowsTheSecretsOfProxiesAndHeaders) {
  options_.service.proxy = "http://user:pass%40word@127.0.0.1:3128";
  options_.service.http_headers = R"({"Authorization": "Basic aHVudGVyMjI6"})";
  const Client client(options_);
  for (const char* secret : {"pass%40word", "pass@word", "dXNlcjpwYXNzQHdvcmQ=", "aHVudGVyMjI6"}) {
    const std::string text = Redact(std::string("seen: ") + secret + ".", client.secrets());
    EXPECT_EQ(text, "seen: [redacted].");
  }
}

}  // namespace
}  // namespace finback
