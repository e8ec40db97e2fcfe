#include "core/json/json_writer.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace finback {
namespace {

TEST(JsonWriter, CommasAndNesting) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("a").BeginList().Integer(1).BeginObject().EndObject().BeginList();
  json.EndList().Null().EndList().Key("b").Bool(true).Key("c").Raw("[1]").Key("d").Bool(false);
  json.EndObject();
  EXPECT_EQ(out, R"({"a": [1, {}, [], null], "b": true, "c": [1], "d": false})");
}

TEST(JsonWriter, NumbersAtTheirEnds) {
  std::string out;
  JsonWriter json(&out);
  json.BeginList()
      .Integer(std::numeric_limits<int64_t>::min())
      .Unsigned(std::numeric_limits<uint64_t>::max())
      .Number(0.1)
      .Number(0.1f)
      .Number(1e300)
      .Number(std::numeric_limits<double>::quiet_NaN())
      .Number(-std::numeric_limits<float>::infinity())
      .EndList();
  EXPECT_EQ(out, "[-9223372036854775808, 18446744073709551615, 0.1, 0.1, 1e+300, null, null]");
}

TEST(JsonWriter, NumbersComeBackAsTheyWere) {
  for (const double value : {1.0 / 3.0, 5e-324, 1.7976931348623157e308, -0.0, 123456789.125}) {
    std::string out;
    JsonWriter(&out).Number(value);
    EXPECT_EQ(nlohmann::json::parse(out).get<double>(), value) << out;
  }
}

TEST(JsonWriter, StringsAreQuotedByAnotherParsersRules) {
  std::string all;
  for (int byte = 0; byte < 128; ++byte) all += static_cast<char>(byte);
  all += "\u00e9\u2028\U0001F40B";
  std::string out;
  JsonWriter(&out).BeginObject().Key(all).String(all).EndObject();
  const nlohmann::json parsed = nlohmann::json::parse(out);
  EXPECT_EQ(parsed.begin().key(), all);
  EXPECT_EQ(parsed.begin().value().get<std::string>(), all);
  EXPECT_EQ(out.find('\n'), std::string::npos);
}

TEST(JsonWriter, AppendsToWhatIsThere) {
  std::string out = "data: ";
  JsonWriter(&out).Integer(7);
  EXPECT_EQ(out, "data: 7");
}

}  // namespace
}  // namespace finback
