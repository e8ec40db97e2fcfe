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

}  // namespace
}  // namespace finback
