#include "core/json/json_fields.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr const char* kObject =
    R"({"text": "a\nb", "number": 2.5, "integer": 7, "huge": 99999999999999999999, "flag": true,
        "list": [1, 2], "object": {"inner": 1}, "nothing": null})";

struct Failed {
  Code code = Code::kOk;
  std::string message;
};

Failed Failure(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

JsonSource File() { return {.code = Code::kCheckpoint, .file = "a/config.json"}; }

TEST(JsonFields, NullIsAbsent) {
  const Json json = ParseJson(kObject, "test");
  JsonFields fields(json, "");
  EXPECT_EQ(fields.Find("nothing"), nullptr);
  EXPECT_EQ(fields.Find("other"), nullptr);
  EXPECT_TRUE(fields.Object("nothing").IsAbsent());
  EXPECT_EQ(fields.Object("nothing").Find("inner"), nullptr);
  EXPECT_FALSE(fields.Object("object").IsAbsent());
  EXPECT_EQ(Failure([&] { fields.Require("nothing"); }).message, "nothing: is missing");
}

TEST(JsonFields, ErrorsNameThePathAndTheKindThatWasFound) {
  const Json json = ParseJson(kObject, "test");
  JsonFields fields(json, "messages[2]");
  const struct {
    std::function<void()> call;
    const char* message;
  } rows[] = {
      {[&] { fields.FindObject("list"); }, "messages[2].list: expected an object, found a list"},
      {[&] { fields.FindArray("text"); }, "messages[2].text: expected a list, found a string"},
      {[&] { fields.FindString("flag"); }, "messages[2].flag: expected a string, found a boolean"},
      {[&] { fields.Bool("number", true); },
       "messages[2].number: expected true or false, found a number"},
      {[&] { fields.RequireObject("x"); }, "messages[2].x: is missing"},
      {[&] { fields.RequireArray("x"); }, "messages[2].x: is missing"},
      {[&] { fields.RequireString("x"); }, "messages[2].x: is missing"},
      {[&] { fields.RequireNumber("x", 0, 1); }, "messages[2].x: is missing"},
      {[&] { fields.RequireInteger("x", 0, 1); }, "messages[2].x: is missing"},
      {[&] { fields.RequireNumber("number", 0, 1); },
       "messages[2].number: must be between 0 and 1, got 2.5"},
      {[&] { fields.RequireInteger("number", 0, 1); },
       "messages[2].number: expected an integer, found 2.5"},
      {[&] { fields.RequireInteger("huge", 0, 1); },
       "messages[2].huge: must be between 0 and 1, got 99999999999999999999"},
      {[&] { fields.Within(json.Find("list")->items[0], fields.Path("list", 0)); },
       "messages[2].list[0]: expected an object, found a number"},
      {[&] { fields.Object("object").RejectUnknown(); }, "messages[2].object.inner: unknown field"},
  };
  for (const auto& row : rows) {
    const Failed failed = Failure(row.call);
    EXPECT_EQ(failed.message, row.message);
    EXPECT_EQ(failed.code, Code::kInvalidRequest);
  }
}

TEST(JsonFields, ErrorsOfAFileBeginWithItsNameAndShowTheValue) {
  const Json json = ParseJson(kObject, "test");
  JsonFields fields(json, "", File());
  const struct {
    std::function<void()> call;
    const char* message;
  } rows[] = {
      {[&] { fields.FindObject("list"); },
       "a/config.json: list: expected an object, found a list of 2"},
      {[&] { fields.FindArray("text"); }, "a/config.json: text: expected a list, found \"a\\nb\""},
      {[&] { fields.FindString("flag"); }, "a/config.json: flag: expected a string, found true"},
      {[&] { fields.Object("object").Require("x"); }, "a/config.json: object.x: is missing"},
      {[] { JsonFields(ParseJson("[]", "test"), "", File()); },
       "a/config.json: expected an object, found a list of 0"},
  };
  for (const auto& row : rows) {
    const Failed failed = Failure(row.call);
    EXPECT_EQ(failed.message, row.message);
    EXPECT_EQ(failed.code, Code::kCheckpoint);
  }
}

TEST(JsonFields, TheDocumentItselfIsNamed) {
  const Json list = ParseJson("[]", "test");
  EXPECT_EQ(Failure([&] { JsonFields(list, ""); }).message,
            "request: expected an object, found a list");
  EXPECT_EQ(Failure([&] { JsonFields(list, "", {.document = "price file"}); }).message,
            "price file: expected an object, found a list");
}

TEST(JsonFields, RefusesWhatWasNotAskedFor) {
  const Json json = ParseJson(R"({"a": 1, "b": 2, "c": null})", "test");
  JsonFields fields(json, "");
  fields.Find("a");
  fields.Ignore("c");
  EXPECT_EQ(Failure([&] { fields.RejectUnknown(); }).message, "b: unknown field");
  fields.Find("b");
  EXPECT_NO_THROW(fields.RejectUnknown());
}

TEST(Shown, CutsLongTextsBetweenCharacters) {
  EXPECT_EQ(Shown("a"), "a");
  EXPECT_EQ(Shown(std::string(63, 'x') + "\u20ac"), std::string(63, 'x') + "...");
  EXPECT_EQ(Quoted("a\n\""), R"("a\n\"")");
  EXPECT_EQ(Described(ParseJson("\"" + std::string(65, 'x') + "\"", "test")),
            "\"" + std::string(64, 'x') + "...\"");
}

}  // namespace
}  // namespace finback
