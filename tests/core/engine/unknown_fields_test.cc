#include "core/engine/unknown_fields.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/status.h"

namespace finback {
namespace {

Request Unknown(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) fields += Format("\"x%d\": 1, ", i);
  return ParseCompletionRequest("{" + fields + R"("prompt": "a"})");
}

TEST(UnknownFields, AreNamedOnceAndLogged) {
  std::string log;
  EngineOptions options;
  options.log = [&log](LogLevel level, const char* message) {
    EXPECT_EQ(level, LogLevel::kWarning);
    log += message;
  };
  const UnknownFieldsRule rule(options);
  EXPECT_EQ(rule.Judge(Unknown(0)), "");
  EXPECT_EQ(log, "");
  EXPECT_EQ(rule.Judge(Unknown(2)),
            R"({"code": "unknown_fields", "message": "unknown fields have no effect: x0, x1"})");
  EXPECT_EQ(log, "unknown fields have no effect: x0, x1");
  EXPECT_NE(rule.Judge(Unknown(20)).find("x15 and 4 more"), std::string::npos);
}

TEST(UnknownFields, AreRefusedWhereAskedFor) {
  EngineOptions options;
  options.unknown_fields = UnknownFields::kRefuse;
  const UnknownFieldsRule rule(options);
  EXPECT_EQ(rule.Judge(Unknown(0)), "");
  try {
    rule.Judge(Unknown(2));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest);
    EXPECT_STREQ(error.what(), "x0: unknown field");
  }
}

}  // namespace
}  // namespace finback
