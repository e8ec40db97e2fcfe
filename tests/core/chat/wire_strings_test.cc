#include "core/chat/wire_strings.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <string>

namespace finback {
namespace {

std::string Sha256(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EXPECT_EQ(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr), 1);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

TEST(WireStrings, EffortTextsAreThePublishedOnes) {
  EXPECT_EQ(wire::kEffortMax.size(), 476u);
  EXPECT_EQ(Sha256(wire::kJsonObject),
            "a786ffd2d77d3105d22f8107d57b02766476a65a63fb1e7d8c70c95ec164929c");
  EXPECT_EQ(Sha256(wire::kEffortMax),
            "f7a24f3b3050d4a83781e9b755b316aae2ec1d9dc87562541d90bcb04d7350f7");
  EXPECT_EQ(wire::kEffortBeyondMax.size(), 528u);
  EXPECT_EQ(Sha256(wire::kEffortBeyondMax),
            "53fb31b8392ec5b4a926481943efc67636748f137c1a49d493a7af4d4fa55d2c");
}

TEST(WireStrings, ToolsSectionWithoutSchemasIsThePublishedOne) {
  const std::string section = std::string(wire::kToolsBefore) + std::string(wire::kToolsAfter);
  EXPECT_EQ(section.size(), 989u);
  EXPECT_EQ(Sha256(section), "c7d3159308f7d076bee8974ece110fda1f92f6e577306e602ba2b466b4dcd904");
}

TEST(WireStrings, MarkersAreTheBytesOfTheVocabulary) {
  EXPECT_EQ(wire::kBos,
            "<\xEF\xBD\x9C"
            "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>");
  EXPECT_EQ(wire::kEos,
            "<\xEF\xBD\x9C"
            "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>");
  EXPECT_EQ(wire::kUser, "<\xEF\xBD\x9CUser\xEF\xBD\x9C>");
  EXPECT_EQ(wire::kAssistant,
            "<\xEF\xBD\x9C"
            "Assistant\xEF\xBD\x9C>");
  EXPECT_EQ(wire::kLatestReminder, "<\xEF\xBD\x9Clatest_reminder\xEF\xBD\x9C>");
  EXPECT_EQ(wire::kDsml,
            "\xEF\xBD\x9C"
            "DSML\xEF\xBD\x9C");
  EXPECT_EQ(wire::kToolCallsMarker,
            "\n\n<\xEF\xBD\x9C"
            "DSML\xEF\xBD\x9Ctool_calls");
}

TEST(WireStrings, ResponseFormatEndsBeforeTheSchema) {
  EXPECT_EQ(wire::kResponseFormat,
            "## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n");
}

}  // namespace
}  // namespace finback
