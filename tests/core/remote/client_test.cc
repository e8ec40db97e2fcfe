// The endpoints that an engine's options make of the tables.
#include "core/remote/client.h"

#include <gtest/gtest.h>

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
  for (const char* path : {"/chat/completions", "/completions/", "/chat/completions//", ""}) {
    options_.service.base_url = std::string(" https://proxy.example/v1") + path + "\n";
    EXPECT_EQ(Target().main.provider.base_url, "https://proxy.example/v1") << path;
  }
  options_.service.wire_format = "anthropic";
  for (const char* path : {"/v1/messages", "/messages/"}) {
    options_.service.base_url = std::string("https://proxy.example") + path;
    EXPECT_EQ(Target().main.provider.base_url, "https://proxy.example") << path;
  }
}

TEST_F(ClientTest, RefusesAddressesThatItCannotTakeWithoutShowingLogins) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://proxy.example/v1/messages", "set wire_format to anthropic"},
      {"localhost:8000/v1", "expected http:// or https://"},
      {"https://user:hunter22@proxy.example", "api_key"},
      {"https://proxy.example/v1/chat/completions?api-key=hunter22", "api_key"}};
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

TEST_F(ClientTest, TidiesKeysAsPeoplePasteThem) {
  for (const char* key :
       {"sk-test\n", "\r\n sk-test\t", "\"sk-test\"", "Bearer sk-test", "'sk-test' "}) {
    options_.service.api_key = key;
    EXPECT_EQ(Target().main.key, "sk-test") << key;
  }
  for (const char* key : {"sk test", "sk-\ntest", "sk-\x01test", "sk-\xC3\xA9test"}) {
    options_.service.api_key = key;
    try {
      Target();
      ADD_FAILURE() << key;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string_view(error.what()).starts_with("option api_key: ")) << error.what();
    }
  }
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
