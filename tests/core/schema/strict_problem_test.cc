#include "core/schema/strict_problem.h"

#include <gtest/gtest.h>

#include <string>

namespace finback {
namespace {

Json Parse(const std::string& text) { return ParseJson(text, "test"); }

std::string Strict(const std::string& schema) { return StrictProblem(Parse(schema)); }

std::string StrictMember(const std::string& member) {
  return Strict(R"({"type": "object", "properties": {"a": )" + member +
                R"(}, "required": ["a"], "additionalProperties": false})");
}

TEST(StrictProblem, TakesWhatTheGuideLists) {
  const char* kMembers[] = {
      R"({"type": "string", "pattern": "^a", "description": "x"})",
      R"({"type": "string", "format": "email"})",
      R"({"type": "string", "format": "hostname"})",
      R"({"type": "string", "format": "ipv4"})",
      R"({"type": "string", "format": "ipv6"})",
      R"({"type": "string", "format": "uuid"})",
      R"({"type": "number", "const": 1, "default": 1, "minimum": 0, "maximum": 2})",
      R"({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9, "multipleOf": 2})",
      R"({"type": "boolean"})",
      R"({"type": "array", "items": {"type": "string"}})",
      R"({"type": "string", "enum": ["a", "b"]})",
      R"({"enum": ["a", "b"]})",
      R"({"anyOf": [{"type": "string"}, {"type": "integer"}]})",
      R"({"$ref": "#/$def/x"})",
      R"({"type": "object", "properties": {}, "additionalProperties": false})",
  };
  for (const char* member : kMembers) EXPECT_EQ(StrictMember(member), "") << member;
  EXPECT_EQ(Strict(R"({"type": "object", "additionalProperties": false,
      "$defs": {"x": {"type": "integer"}}, "$def": {"y": {"type": "string"}}})"),
            "");
}

TEST(StrictProblem, NamesWhatTheGuideDoesNotList) {
  struct {
    const char *member, *problem;
  } kRows[] = {
      {R"({"type": "string", "minLength": 1})",
       ".properties.a.minLength: not known in strict mode"},
      {R"({"type": "string", "maxLength": 1})",
       ".properties.a.maxLength: not known in strict mode"},
      {R"({"type": "array", "items": {"type": "string"}, "minItems": 1})",
       ".properties.a.minItems: not known in strict mode"},
      {R"({"type": "array", "items": {"type": "string"}, "maxItems": 1})",
       ".properties.a.maxItems: not known in strict mode"},
      {R"({"type": "string", "minimum": 1})",
       ".properties.a.minimum: not known in strict mode for this type"},
      {R"({"type": "string", "format": "date"})",
       ".properties.a.format: strict mode knows email, hostname, ipv4, ipv6 and uuid"},
      {R"({"type": "null"})",
       ".properties.a.type: strict mode knows object, string, number, integer, boolean and array"},
      {R"({"type": ["string", "null"]})",
       ".properties.a.type: strict mode knows object, string, number, integer, boolean and array"},
      {R"({})", ".properties.a.type: is missing"},
      {R"("x")", ".properties.a: must be an object"},
      {R"({"oneOf": [{"type": "string"}], "type": "string"})",
       ".properties.a.oneOf: not known in strict mode"},
      {R"({"anyOf": [{"type": "string"}, {"type": "object"}]})",
       ".properties.a.anyOf[1].additionalProperties: must be false in strict mode"},
      {R"({"type": "array", "items": {"type": "string", "minLength": 2}})",
       ".properties.a.items.minLength: not known in strict mode"},
      {R"({"type": "object", "properties": {"b": {"type": "string"}}, "required": [],
           "additionalProperties": false})",
       ".properties.a.required: must list \"b\" in strict mode"},
      {R"({"type": "object", "additionalProperties": true})",
       ".properties.a.additionalProperties: must be false in strict mode"},
  };
  for (const auto& row : kRows) EXPECT_EQ(StrictMember(row.member), row.problem) << row.member;
  EXPECT_EQ(Strict(R"({"type": "array", "items": {"type": "string"}})"),
            ".type: must be \"object\"");
  EXPECT_EQ(Strict("true"), ".type: must be \"object\"");
  EXPECT_EQ(Strict(R"({"type": "object", "additionalProperties": false, "$defs": {"x": {}}})"),
            ".$defs.x.type: is missing");
}

}  // namespace
}  // namespace finback
