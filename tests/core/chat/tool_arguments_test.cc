#include "core/chat/tool_arguments.h"

#include <gtest/gtest.h>

#include <string>

namespace finback {
namespace {

Json Schema(const std::string& text) { return ParseJson(text, "schema"); }

const Json& CitySchema() {
  static const Json kSchema =
      Schema(R"({"type": "object", "properties": {"city": {"type": "string"}}})");
  return kSchema;
}

struct Row {
  const char* raw;
  const char* text;  // nullptr: invalid, stays as it came
  const char* how;
};

void Check(const Row& row, const Json* schema) {
  const RepairedArguments repaired = RepairArguments(row.raw, schema);
  EXPECT_EQ(repaired.valid, row.text != nullptr) << row.raw;
  EXPECT_EQ(repaired.text, row.text != nullptr ? row.text : row.raw) << row.raw;
  EXPECT_STREQ(repaired.how, row.how) << row.raw;
}

TEST(RepairArguments, KeepsValidObjectsByteForByte) {
  for (const char* raw : {"{}", " {\"city\" :\"Oslo\"}\n", "{\"n\": 1.50, \"n2\": 1e2}",
                          "{\"city\": \"\\u00e9\"}", "{\"a\": {\"arguments\": {}}}"}) {
    Check({raw, raw, ""}, &CitySchema());
    Check({raw, raw, ""}, nullptr);
  }
}

TEST(RepairArguments, AppliesItsRules) {
  const Row rows[] = {
      {"", "{}", "empty"},
      {" \n", "{}", "empty"},
      {"\"\"", "{}", "empty"},
      {"null", "{}", "null"},
      {" null ", "{}", "null"},
      {"\"{\\\"city\\\": \\\"Oslo\\\"}\"", "{\"city\": \"Oslo\"}", "string"},
      {"```json\n{\"city\": \"Oslo\"}\n```", "{\"city\": \"Oslo\"}", "fence"},
      {"```{\"city\": \"Oslo\"}```", "{\"city\": \"Oslo\"}", "fence"},
      {"```json\n{\"city\": \"a ``` b\"}\n```", "{\"city\": \"a ``` b\"}", "fence"},
      {"{\"city\": \"Oslo\"}}", "{\"city\": \"Oslo\"}", "trailing"},
      {"{\"city\": \"Oslo\"} that is all", "{\"city\": \"Oslo\"}", "trailing"},
      {"{\"city\": \"}\"}</tool>", "{\"city\": \"}\"}", "trailing"},
      {"{\"arguments\": {\"city\": \"Oslo\"}}", "{\"city\": \"Oslo\"}", "wrapper"},
      {"{ \"input\" : {\"n\": 1.50} }", "{\"n\": 1.50}", "wrapper"},
      {"{\"arguments\": \"{\\\"city\\\": \\\"Oslo\\\"}\"}", "{\"city\": \"Oslo\"}", "wrapper"},
      {"\"{\\\"input\\\": {}}\"", "{}", "string"},
      {"\xEF\xBB\xBF{\"city\": 1}", "{\"city\": 1}", "mark"},
      {" \xEF\xBB\xBF ```json\n{}\n```", "{}", "mark"},
  };
  for (const Row& row : rows) Check(row, &CitySchema());
}

TEST(RepairArguments, LeavesWhatNoRuleMakesAnObject) {
  for (const char* raw : {"{\"city\": \"Os", "[1]", "3", "true", "\"text\"", "\"[1]\"", "{city: 1}",
                          "Sure! {\"city\": 1}", "```", "```json", "{\"a\": \"\n\"}", "}{", "{",
                          "\"\\\"{}\\\"\"", "\xFF", "{\"a\": \"\\ud800\"}"}) {
    Check({raw, nullptr, ""}, &CitySchema());
  }
}

TEST(RepairArguments, UnwrapsOnlyWhatTheSchemaDoesNotKnow) {
  const char* wrapped = "{\"arguments\": {\"city\": 1}}";
  Check({wrapped, wrapped, ""}, nullptr);
  const Json knows = Schema(R"({"properties": {"arguments": {"type": "object"}}})");
  Check({wrapped, wrapped, ""}, &knows);
  const Json composed = Schema(R"({"anyOf": [{"properties": {"arguments": {}}}]})");
  Check({wrapped, wrapped, ""}, &composed);
  const Json no_arguments = Schema(R"({"type": "object"})");
  Check({wrapped, "{\"city\": 1}", "wrapper"}, &no_arguments);
  const char* more = "{\"arguments\": {\"city\": 1}, \"city\": 2}";
  Check({more, more, ""}, &CitySchema());
  const char* no_object = "{\"arguments\": [1]}";
  Check({no_object, no_object, ""}, &CitySchema());
}

TEST(RepairArguments, UnwrapsOnce) {
  Check({"{\"arguments\": {\"arguments\": {}}}", "{\"arguments\": {}}", "wrapper"}, &CitySchema());
}

TEST(RepairArguments, BearsDeepNesting) {
  const std::string deep(100'000, '{');
  EXPECT_FALSE(RepairArguments(deep, &CitySchema()).valid);
  EXPECT_FALSE(RepairArguments(std::string(100'000, '['), nullptr).valid);
}

}  // namespace
}  // namespace finback
