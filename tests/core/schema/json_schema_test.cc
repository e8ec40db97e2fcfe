#include "core/schema/json_schema.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace finback {
namespace {

Json Parse(const std::string& text) { return ParseJson(text, "test"); }

std::string Problem(const std::string& schema, const std::string& value) {
  return JsonSchema(Parse(schema)).Problem(Parse(value));
}

// The error that compiling raises.
std::string Refusal(const std::string& schema) {
  try {
    JsonSchema compiled(Parse(schema));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest) << schema;
    return error.what();
  }
  return "no error";
}

struct Case {
  const char *schema, *fits, *fails;  // a value each; fails may be "" for none
};

// Values by the text of the specification, not by what some implementation does.
constexpr Case kCases[] = {
    {"true", "3", ""},
    {"{}", "null", ""},
    {R"({"type": "string"})", R"("a")", "1"},
    {R"({"type": "integer"})", "3", "3.5"},
    {R"({"type": "integer"})", "3.0", R"("3")"},
    {R"({"type": "integer"})", "123456789012345678901234567890", "true"},
    {R"({"type": "number"})", "3", R"("3")"},
    {R"({"type": "number"})", "1e300", "null"},
    {R"({"type": "boolean"})", "false", "0"},
    {R"({"type": "null"})", "null", "false"},
    {R"({"type": "array"})", "[]", "{}"},
    {R"({"type": "object"})", "{}", "[]"},
    {R"({"type": ["string", "null"]})", "null", "1"},
    {R"({"enum": ["a", 1, null, [1, 2], {"k": true}]})", "[1, 2]", "[2, 1]"},
    {R"({"enum": ["a", 1, {"k": true, "l": 0}]})", R"({"l": 0, "k": true})", R"({"k": true})"},
    {R"({"enum": [1]})", "1.0", "true"},
    {R"({"enum": []})", "", "1"},
    {R"({"const": "x"})", R"("x")", R"("y")"},
    {R"({"const": null})", "null", "0"},
    {R"({"const": 9007199254740993})", "9007199254740993", "9007199254740992"},
    {R"({"const": [{}]})", "[{}]", "[[]]"},
    {R"({"multipleOf": 3})", "9", "10"},
    {R"({"multipleOf": 3})", "9.0", "9.5"},
    {R"({"multipleOf": 0.1})", "0.3", "0.35"},
    {R"({"multipleOf": 0.01})", R"("text")", "1.005"},
    {R"({"maximum": 3})", "3", "3.5"},
    {R"({"exclusiveMaximum": 3})", "2.9", "3"},
    {R"({"minimum": -1})", "-1", "-2"},
    {R"({"exclusiveMinimum": 0})", "0.001", "0"},
    {R"({"minimum": 1})", R"("0")", "0"},
    {R"({"maxLength": 2})", "\"\xC3\xA4\xF0\x9F\x90\x8B\"", R"("abc")"},
    {R"({"minLength": 2})", R"("ab")", "\"\xF0\x9F\x90\x8B\""},
    {R"({"minLength": 2})", "1", R"("")"},
    {R"({"pattern": "^a+$"})", R"("aa")", R"("aab")"},
    {R"({"pattern": "b"})", R"("abc")", R"("ac")"},
    {R"({"pattern": "^a$"})", R"("a")", R"("a\n")"},
    {R"({"pattern": "^\\d{3}$"})", R"("123")", "\"\xD9\xA1\xD9\xA2\xD9\xA3\""},
    {R"({"pattern": "^\\u00e4.$"})", "\"\xC3\xA4\xF0\x9F\x90\x8B\"", R"("a")"},
    {R"({"pattern": "^\\p{L}+$"})", "\"\xC3\xA4\"", R"("1")"},
    {R"({"pattern": "a|b"})", R"("xb")", R"("x")"},
    {R"({"pattern": "^(?<y>\\d{4})-\\k<y>$"})", R"("2024-2024")", R"("2024-2025")"},
    {R"({"pattern": "a"})", "1", R"("b")"},
    {R"({"items": {"type": "integer"}})", "[1, 2]", R"([1, "2"])"},
    {R"({"items": {"type": "integer"}})", R"("no list")", "[1.5]"},
    {R"({"items": false})", "[]", "[1]"},
    {R"({"items": [{"type": "integer"}, {"type": "string"}]})", R"([1, "a", null])", R"(["a", 1])"},
    {R"({"items": [{"type": "integer"}], "additionalItems": false})", "[1]", "[1, 2]"},
    {R"({"items": [true], "additionalItems": {"type": "null"}})", "[1, null]", "[1, 2]"},
    {R"({"prefixItems": [{"type": "integer"}, {"type": "string"}]})", R"([1, "a", 5])", "[1, 2]"},
    {R"({"prefixItems": [true], "items": false})", "[1]", "[1, 2]"},
    {R"({"prefixItems": [true], "items": {"type": "string"}})", R"([1, "a"])", "[1, 2]"},
    {R"({"maxItems": 1})", "[1]", "[1, 2]"},
    {R"({"minItems": 1})", "[1]", "[]"},
    {R"({"uniqueItems": true})", "[1, 2, \"1\", [1], [2]]", "[1, 2, 1.0]"},
    {R"({"uniqueItems": true})", "[0, false, null]", R"([{"a": 1, "b": 2}, {"b": 2, "a": 1}])"},
    {R"({"uniqueItems": false})", "[1, 1]", ""},
    {R"({"contains": {"minimum": 5}})", "[1, 5]", "[1, 2]"},
    {R"({"contains": true})", "[1]", "[]"},
    {R"({"maxProperties": 1})", R"({"a": 1})", R"({"a": 1, "b": 2})"},
    {R"({"minProperties": 1})", R"({"a": 1})", "{}"},
    {R"({"required": ["a", "b"]})", R"({"a": 1, "b": null})", R"({"a": 1})"},
    {R"({"required": ["a"]})", "[]", "{}"},
    {R"({"properties": {"a": {"type": "integer"}}})", R"({"a": 1, "b": "x"})", R"({"a": "x"})"},
    {R"({"properties": {"a": false}})", R"({"b": 1})", R"({"a": 1})"},
    {R"({"patternProperties": {"^n_": {"type": "integer"}}})", R"({"n_a": 1, "s": "x"})",
     R"({"n_a": "x"})"},
    {R"({"properties": {"a": true}, "patternProperties": {"^b": true},
         "additionalProperties": false})",
     R"({"a": 1, "b1": 2})", R"({"a": 1, "c": 2})"},
    {R"({"properties": {"n_a": {"minimum": 5}}, "patternProperties": {"^n": {"maximum": 7}}})",
     R"({"n_a": 6})", R"({"n_a": 8})"},
    {R"({"additionalProperties": {"type": "number"}})", R"({"a": 1})", R"({"a": "x"})"},
    {R"({"additionalProperties": false})", "{}", R"({"a": 1})"},
    {R"({"propertyNames": {"pattern": "^[a-z]+$"}})", R"({"abc": 1})", R"({"A": 1})"},
    {R"({"propertyNames": {"maxLength": 2}})", R"({"ab": 1})", R"({"abc": 1})"},
    {R"({"dependencies": {"a": ["b"]}})", R"({"b": 1})", R"({"a": 1})"},
    {R"({"dependencies": {"a": {"required": ["b"]}}})", R"({"a": 1, "b": 1})", R"({"a": 1})"},
    {R"({"dependentRequired": {"a": ["b"]}})", R"({"a": 1, "b": 1})", R"({"a": 1})"},
    {R"({"dependentSchemas": {"a": {"maxProperties": 1}}})", R"({"a": 1})", R"({"a": 1, "b": 1})"},
    {R"({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}})", R"("ab")",
     R"("a")"},
    {R"({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}})", "2", "1"},
    {R"({"if": {"type": "string"}})", "1", ""},
    {R"({"then": {"type": "string"}})", "1", ""},
    {R"({"allOf": [{"minimum": 1}, {"maximum": 3}]})", "2", "4"},
    {R"({"anyOf": [{"type": "integer"}, {"type": "null"}]})", "null", R"("x")"},
    {R"({"anyOf": [false, {"minimum": 2}]})", "2", "1"},
    {R"({"oneOf": [{"minimum": 1}, {"maximum": 3}]})", "4", "2"},
    {R"({"oneOf": [{"type": "string"}, {"type": "null"}]})", "null", "1"},
    {R"({"not": {"type": "string"}})", "1", R"("a")"},
    {R"({"format": "date"})", R"("2024-02-29")", R"("2023-02-29")"},
    {R"({"format": "date"})", R"("1999-12-31")", R"("2024-13-01")"},
    {R"({"format": "time"})", R"("23:59:60Z")", R"("24:00:00Z")"},
    {R"({"format": "time"})", R"("12:30:00.5+02:00")", R"("12:30")"},
    {R"({"format": "date-time"})", R"("2024-05-01T12:00:00Z")", R"("2024-05-01")"},
    {R"({"format": "date-time"})", R"("2024-05-01T12:00:00")", R"("2024-05-01T25:00:00Z")"},
    {R"({"format": "email"})", R"("a.b+c@example.org")", R"("a b@example.org")"},
    {R"({"format": "email"})", R"("x@y")", R"("@y")"},
    {R"({"format": "hostname"})", R"("a-b.example")", R"("-a.example")"},
    {R"({"format": "ipv4"})", R"("127.0.0.1")", R"("256.0.0.1")"},
    {R"({"format": "ipv6"})", R"("::1")", R"("1::2::3")"},
    {R"({"format": "uuid"})", R"("123e4567-e89b-12d3-a456-426614174000")", R"("123e4567")"},
    {R"({"format": "uri"})", R"("https://example.org/a?b#c")", R"("no uri")"},
    {R"({"format": "int32"})", "5", ""},
    {R"({"format": "date"})", "5", ""},
    {R"({"format": "made-up"})", R"("anything")", ""},
    {R"({"title": 5, "description": [], "default": "x", "examples": 1, "$comment": 2, "x-y": {},
         "discriminator": {"propertyName": "k"}, "readOnly": true, "nullable": true})",
     "1", ""},
    {R"({"$id": "https://example.org/root.json", "$schema": "http://json-schema.org/draft-07/schema#",
         "$ref": "#/definitions/a", "definitions": {"a": {"type": "integer"}}})",
     "1", R"("x")"},
    {R"({"$defs": {"a": {"type": "integer"}}, "items": {"$ref": "#/$defs/a", "minimum": 2}})",
     "[2]", "[1]"},
    {R"({"$defs": {"a/b~c": {"type": "integer"}}, "$ref": "#/$defs/a~1b~0c"})", "1", R"("x")"},
    {R"({"$defs": {"a b": {"type": "integer"}}, "$ref": "#/$defs/a%20b"})", "1", R"("x")"},
    {R"({"allOf": [{"type": "integer"}], "items": {"$ref": "#/allOf/0"}})", "1", "[]"},
    // A tree, and a list: recursion through members is no cycle.
    {R"({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
         "required": ["next"]})",
     R"({"next": {"next": null}})", R"({"next": {"next": 5}})"},
    {R"({"$defs": {"t": {"type": "object", "propertyNames": {"maxLength": 3},
         "additionalProperties": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"})",
     R"({"abc": {"def": {}}})", R"({"abc": {"defg": {}}})"},
};

TEST(JsonSchema, JudgesByTheSpecification) {
  for (const Case& row : kCases) {
    if (*row.fits != '\0') {
      EXPECT_EQ(Problem(row.schema, row.fits), "") << row.schema << " with " << row.fits;
    }
    if (*row.fails != '\0') {
      EXPECT_NE(Problem(row.schema, row.fails), "") << row.schema << " with " << row.fails;
    }
  }
}

// As pydantic writes a model with an optional, a literal, a nested model, a list and a map.
constexpr char kPydantic[] = R"({
  "$defs": {
    "Item": {"properties": {
        "name": {"maxLength": 10, "title": "Name", "type": "string"},
        "price": {"exclusiveMinimum": 0, "title": "Price", "type": "number"},
        "kind": {"const": "item", "default": "item", "title": "Kind", "type": "string"}},
      "required": ["name", "price"], "title": "Item", "type": "object"},
    "Color": {"enum": ["red", "blue"], "title": "Color", "type": "string"}},
  "additionalProperties": false,
  "properties": {
    "id": {"format": "uuid", "title": "Id", "type": "string"},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "Note"},
    "color": {"$ref": "#/$defs/Color", "description": "of the box"},
    "items": {"items": {"$ref": "#/$defs/Item"}, "minItems": 1, "title": "Items", "type": "array"},
    "pair": {"maxItems": 2, "minItems": 2, "prefixItems": [{"type": "integer"}, {"type": "string"}],
      "title": "Pair", "type": "array"},
    "tags": {"items": {"type": "string"}, "title": "Tags", "type": "array", "uniqueItems": true},
    "counts": {"additionalProperties": {"type": "integer"}, "title": "Counts", "type": "object"}},
  "required": ["id", "color", "items"], "title": "Box", "type": "object"})";

TEST(JsonSchema, JudgesWhatModelClassesEmit) {
  const std::string id = R"("id": "123e4567-e89b-12d3-a456-426614174000", )";
  EXPECT_EQ(Problem(kPydantic, "{" + id + R"("color": "red", "note": null, "pair": [1, "a"],
      "items": [{"name": "a", "price": 1.5}], "tags": ["x", "y"], "counts": {"z": 1}})"),
            "");
  EXPECT_EQ(Problem(kPydantic, "{" + id + R"("color": "green", "items": [{"name": "a"}]})"),
            "$.color: expected one of \"red\", \"blue\", found a string \"green\"; "
            "$.items[0]: expected a member \"price\", found none");
  EXPECT_EQ(Problem(kPydantic, "{" + id + R"("color": "red", "items": [], "more": 1})"),
            "$.items: expected at least 1 item, found 0; "
            "$.more: expected no member of this name, found 1");
  EXPECT_EQ(Problem(kPydantic, "{" + id + R"("color": "red", "note": 5,
      "items": [{"name": "a", "price": 0, "kind": "box"}]})"),
            "$.items[0].kind: expected a string \"item\", found a string \"box\"; "
            "$.items[0].price: expected a number above 0, found 0; "
            "$.note: expected a string or null, found 5");
}

TEST(JsonSchema, NamesPathExpectedAndFound) {
  struct {
    const char *schema, *value, *problem;
  } kRows[] = {
      {R"({"type": "integer"})", R"("12")", "$: expected an integer, found a string \"12\""},
      {R"({"properties": {"a b": {"type": "string"}}})", R"({"a b": [1]})",
       "$[\"a b\"]: expected a string, found a list"},
      {R"({"items": {"items": {"maximum": 1}}})", "[[0], [0, 2]]",
       "$[1][1]: expected a number of at most 1, found 2"},
      {R"({"minimum": 1.5})", "1", "$: expected a number of at least 1.5, found 1"},
      {R"({"exclusiveMaximum": 3})", "3", "$: expected a number below 3, found 3"},
      {R"({"multipleOf": 2})", "3", "$: expected a multiple of 2, found 3"},
      {R"({"minLength": 3})", R"("a")", "$: expected at least 3 characters, found 1"},
      {R"({"maxItems": 1})", "[1,2,3]", "$: expected at most 1 item, found 3"},
      {R"({"pattern": "^x"})", R"("y")",
       "$: expected a string that matches \"^x\", found a string \"y\""},
      {R"({"format": "ipv4"})", R"("y")",
       "$: expected a string of format \"ipv4\", found a string \"y\""},
      {R"({"uniqueItems": true})", "[1, 2, 1]",
       "$: expected items that differ, found [2] equal to [0]"},
      {R"({"const": true})", "null", "$: expected true, found null"},
      {"false", "{}", "$: expected nothing, found an empty object"},
      {R"({"dependencies": {"a": ["b"]}})", R"({"a": 1})",
       "$: expected a member \"b\", found none"},
      // The alternative that was meant is the one that went wrong deepest.
      {R"({"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "integer"}}, "type": "object"}]})",
       R"({"a": "x"})", "$.a: expected an integer, found a string \"x\""},
      {R"({"oneOf": [{"const": 1}, {"const": 2}, {"type": "string"}]})", "3",
       "$: expected 1 or 2 or a string, found 3"},
      {R"({"oneOf": [{"type": "integer"}, {"minimum": 0}]})", "3",
       "$: expected what fits exactly one alternative, found 3 that fits several"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Problem(row.schema, row.value), row.problem);
}

TEST(JsonSchema, ReportsTheFirstThreeProblemsOnOneLine) {
  const std::string problem = Problem(R"({"items": {"type": "string"}})", "[1, 2, 3, 4, 5]");
  EXPECT_EQ(problem,
            "$[0]: expected a string, found 1; $[1]: expected a string, found 2; "
            "$[2]: expected a string, found 3");
}

TEST(JsonSchema, KeepsMessagesShortAndOnOneLineWhateverTheValue) {
  const std::string long_text(100000, 'x');
  const std::string value = R"({"\n\u0000)" + long_text + R"(": "a\nb)" + long_text + "\"}";
  const std::string problem = Problem(R"({"additionalProperties": {"type": "null"}})", value);
  EXPECT_LT(problem.size(), 400u);
  EXPECT_EQ(problem.find('\n'), std::string::npos);
}

TEST(JsonSchema, NamesTheSubschemaThatIsNone) {
  struct {
    const char *schema, *error;
  } kRows[] = {
      {"[]", ": expected a schema, found a list"},
      {R"({"type": "text"})", ".type: unknown type \"text\""},
      {R"({"type": []})", ".type: must not be empty"},
      {R"({"type": 5})", ".type: expected a type or a list of types, found a number"},
      {R"({"properties": []})", ".properties: expected an object of schemas, found a list"},
      {R"({"properties": {"a": {"items": 5}}})",
       ".properties.a.items: expected a schema, found a number"},
      {R"({"anyOf": []})", ".anyOf: must not be empty"},
      {R"({"allOf": {"type": "object"}})", ".allOf: expected a list of schemas, found an object"},
      {R"({"anyOf": [{}, {"minLength": -1}]})",
       ".anyOf[1].minLength: expected an integer from 0 on, found a number"},
      {R"({"maxItems": 1.5})", ".maxItems: expected an integer from 0 on, found a number"},
      {R"({"multipleOf": 0})", ".multipleOf: expected a number above 0, found a number"},
      {R"({"exclusiveMinimum": true})", ".exclusiveMinimum: expected a number, found a boolean"},
      {R"({"enum": "a"})", ".enum: expected a list of values, found a string"},
      {R"({"required": [1]})", ".required: expected a list of names, found a number"},
      {R"({"uniqueItems": "true"})", ".uniqueItems: expected a boolean, found a string"},
      {R"({"format": ""})", ".format: expected a name, found a string"},
      {R"({"pattern": "a)(b"})", ".pattern: unmatched closing parenthesis at byte 1"},
      {R"({"patternProperties": {"(": true}})",
       ".patternProperties.(: missing closing parenthesis at byte 1"},
      {R"({"pattern": "(*LIMIT_MATCH=1)a"})", ".pattern: control verbs are not supported"},
      {R"({"pattern": "a\u0000b"})", ".pattern: a NUL is not supported here"},
      {R"({"properties": {"a\u0000b": true}})", ".properties.a?b: a NUL is not supported here"},
      {R"({"$ref": 5})", ".$ref: expected a string, found a number"},
      {R"({"$ref": "https://example.org/s.json#/a"})",
       ".$ref: only references inside the schema are followed, got "
       "\"https://example.org/s.json#/a\""},
      {R"({"$ref": "other.json"})",
       ".$ref: only references inside the schema are followed, got \"other.json\""},
      {R"({"$ref": "#name"})", ".$ref: expected \"#/...\", got \"#name\""},
      {R"({"$ref": "#/$defs/none"})", ".$ref: nothing is at \"#/$defs/none\""},
      {R"({"$ref": "#/enum/7", "enum": [1]})", ".$ref: nothing is at \"#/enum/7\""},
      {R"({"$ref": "#/enum/0", "enum": [1]})", ".$ref: expected a schema, found a number"},
      {R"({"unevaluatedProperties": false})", ".unevaluatedProperties: is not supported"},
      {R"({"contains": true, "minContains": 2})", ".minContains: is not supported"},
      {R"({"$dynamicRef": "#a"})", ".$dynamicRef: is not supported"},
      {R"({"dependencies": {"a": 5}})", ".dependencies.a: expected a schema, found a number"},
      {R"({"dependencies": {"a": ["b"]}, "dependentRequired": {"a": ["c"]}})",
       ".dependentRequired.a: is given twice"},
  };
  for (const auto& row : kRows) {
    EXPECT_TRUE(Refusal(row.schema).starts_with(std::string(JsonSchema::kRequestPath) + row.error))
        << row.schema << "\n"
        << Refusal(row.schema);
  }
}

TEST(JsonSchema, NamesThePathThatItIsGiven) {
  try {
    JsonSchema schema(Parse(R"({"type": "x"})"), "tools[0].function.parameters");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "tools[0].function.parameters.type: unknown type \"x\"");
  }
}

TEST(JsonSchema, RefusesReferencesThatNeverEnd) {
  const char* kEndless[] = {
      R"({"$ref": "#"})",
      R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})",
      R"({"anyOf": [{"type": "null"}, {"not": {"$ref": "#"}}]})",
      R"({"if": true, "then": {"$ref": "#"}})",
      R"({"dependencies": {"a": {"$ref": "#"}}})",
  };
  for (const char* schema : kEndless) {
    EXPECT_NE(Refusal(schema).find("refers to itself for the same value"), std::string::npos)
        << schema << "\n"
        << Refusal(schema);
  }
}

std::string Repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(JsonSchema, SurvivesChainsOfManyDefinitions) {
  // Each definition refers to the next, for the same value and for a member's.
  for (const char* link :
       {R"({"$ref": "#/$defs/)", R"({"additionalProperties": {"$ref": "#/$defs/)"}) {
    const bool member = std::string(link).find("additional") != std::string::npos;
    std::string schema = R"({"$defs": {)";
    for (int i = 0; i < 2000; ++i) {
      schema += "\"" + std::to_string(i) + "\": " + link + std::to_string(i + 1) + "\"}" +
                (member ? "}" : "") + ", ";
    }
    schema += R"("2000": {"type": "null"}}, "$ref": "#/$defs/0"})";
    const JsonSchema compiled(Parse(schema));
    if (member) {
      const std::string deep = Repeated("{\"a\":", 70) + "{}" + Repeated("}", 70);
      EXPECT_EQ(compiled.Problem(Parse(deep)), "");
    } else {
      EXPECT_THROW(compiled.Problem(Parse("null")), Error);  // nests deeper than is judged
    }
  }
}

TEST(JsonSchema, RefusesTooManySubschemas) {
  std::string schema = "{\"anyOf\": [";
  for (int i = 0; i < 6000; ++i) schema += i == 0 ? "{}" : ", {}";
  EXPECT_NE(Refusal(schema + "]}").find("has more than 5000 subschemas"), std::string::npos);
}

TEST(JsonSchema, RefusesTooManyOrTooLongPatterns) {
  std::string schema = "{\"patternProperties\": {";
  for (int i = 0; i < 600; ++i) {
    schema += (i == 0 ? "\"p" : ", \"p") + std::to_string(i) + "\": true";
  }
  EXPECT_NE(Refusal(schema + "}}").find("has more than 500 patterns"), std::string::npos);
  EXPECT_NE(Refusal("{\"pattern\": \"" + std::string(5000, 'a') + "\"}").find("4096 bytes"),
            std::string::npos);
  EXPECT_NE(Refusal("{\"pattern\": \"" + Repeated("(", 60) + Repeated(")", 60) + "\"}")
                .find("parentheses are too deeply nested"),
            std::string::npos);
  EXPECT_NE(Refusal(R"({"pattern": "((a{1000}){1000}){1000}"})").find("too large"),
            std::string::npos);
}

// What must end soon, and how: by an Error that names the schema.
void ExpectBounded(const std::string& schema, const std::string& value) {
  const JsonSchema compiled(Parse(schema));
  const auto begin = std::chrono::steady_clock::now();
  try {
    compiled.Problem(Parse(value));
    ADD_FAILURE() << "judged: " << schema.substr(0, 100);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidRequest);
    EXPECT_TRUE(std::string(error.what()).starts_with(JsonSchema::kRequestPath)) << error.what();
  }
  // A bound on bad complexity, not on speed: without limits these take longer than the universe.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(100));
}

TEST(JsonSchema, BoundsPatternsThatExplode) {
  ExpectBounded(R"({"pattern": "^(a+)+$"})", "\"" + std::string(60, 'a') + "!\"");
  ExpectBounded(R"({"pattern": "(x+x+)+[yz]"})", "\"" + std::string(60, 'x') + "\"");
  ExpectBounded(R"({"patternProperties": {"^(a|a)*$": true}})",
                "{\"" + std::string(60, 'a') + "!\": 1}");
  ExpectBounded(R"({"pattern": "a.*a.*a.*a.*b"})", "\"" + std::string(5000, 'a') + "\"");
}

TEST(JsonSchema, SearchesLongTextsWithSimplePatterns) {
  const std::string text(200000, 'a');
  EXPECT_EQ(Problem(R"({"pattern": "^[a-z]+$"})", "\"" + text + "\""), "");
  EXPECT_EQ(Problem(R"({"pattern": "ab$"})", "\"" + text + "b\""), "");
  EXPECT_NE(Problem(R"({"pattern": "^.*b$"})", "\"" + text + "\""), "");
}

TEST(JsonSchema, BoundsDefinitionsThatMultiply) {
  std::string schema = R"({"$defs": {)";
  for (int i = 0; i < 60; ++i) {
    const std::string next = R"({"$ref": "#/$defs/)" + std::to_string(i + 1) + "\"}";
    schema += "\"" + std::to_string(i) + R"(": {"allOf": [)" + next + ", " + next + "]}, ";
  }
  ExpectBounded(schema + R"("60": {}}, "$ref": "#/$defs/0"})", "1");
}

TEST(JsonSchema, BoundsMembersJudgedTwiceAtEveryLevel) {
  ExpectBounded(
      R"({"allOf": [{"additionalProperties": {"$ref": "#"}}, {"additionalProperties": {"$ref": "#"}}]})",
      Repeated("{\"a\":", 100) + "1" + Repeated("}", 100));
}

TEST(JsonSchema, JudgesAnswersOfRealSizeWithinTheBound) {
  std::string value = "[";
  for (int i = 0; i < 4000; ++i) {
    value += i == 0 ? "{" : ", {";
    for (int j = 0; j < 15; ++j) {
      value += (j == 0 ? "\"m" : ", \"m") + std::to_string(j) + "\": \"text\"";
    }
    value += "}";
  }
  value += "]";
  std::string schema =
      R"({"uniqueItems": false, "items": {"additionalProperties": false, "properties": {)";
  for (int j = 0; j < 15; ++j) {
    schema += (j == 0 ? "\"m" : ", \"m") + std::to_string(j) + "\": {\"type\": \"string\"}";
  }
  EXPECT_EQ(Problem(schema + "}}}", value), "");
}

TEST(JsonSchema, OutlivesTheJsonItWasMadeFrom) {
  auto json = std::make_unique<Json>(Parse(R"({"enum": ["a"], "pattern": "^a$"})"));
  JsonSchema schema(*json);
  json.reset();
  JsonSchema moved = std::move(schema);
  EXPECT_EQ(moved.Problem(Parse(R"("a")")), "");
  EXPECT_NE(moved.Problem(Parse(R"("b")")), "");
}

}  // namespace
}  // namespace finback
