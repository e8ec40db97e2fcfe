#include "core/json/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace finback {
namespace {

std::string Python(const std::string& text, JsonNumbers numbers = JsonNumbers::kStrict) {
  std::string out;
  AppendPythonJson(ParseJson(text, "text", numbers), &out);
  return out;
}

std::string ErrorOf(const std::string& text, JsonNumbers numbers = JsonNumbers::kStrict) {
  try {
    ParseJson(text, "doc", numbers);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_EQ(FindInvalidUtf8(error.what()), kValidUtf8);
    return error.what();
  }
}

TEST(Json, KeepsKindsAndOrder) {
  const Json json =
      ParseJson(R"( {"b": [1, 2.5, "x"], "a": {"n": null, "t": true, "f": false}} )", "x");
  ASSERT_TRUE(json.IsObject());
  ASSERT_EQ(json.members.size(), 2u);
  EXPECT_EQ(json.members[0].first, "b");
  EXPECT_EQ(json.members[1].first, "a");
  const Json* b = json.Find("b");
  ASSERT_NE(b, nullptr);
  ASSERT_TRUE(b->IsArray());
  EXPECT_TRUE(b->items[0].IsInteger());
  EXPECT_EQ(b->items[0].Integer(-1), 1);
  EXPECT_EQ(b->items[1].kind, Json::Kind::kFloat);
  EXPECT_EQ(b->items[1].number, 2.5);
  EXPECT_EQ(b->items[2].text, "x");
  const Json* a = json.Find("a");
  EXPECT_TRUE(a->Find("n")->IsNull());
  EXPECT_TRUE(a->Find("t")->boolean);
  EXPECT_TRUE(a->Find("f")->IsBool());
  EXPECT_FALSE(a->Find("f")->boolean);
  EXPECT_EQ(json.Find("c"), nullptr);
  EXPECT_EQ(b->Find("b"), nullptr);
}

TEST(Json, IntegersOfAnySizeKeepTheirDigits) {
  const std::string huge(400, '7');
  for (const std::string& digits :
       {std::string("0"), std::string("-1"), std::string("9223372036854775807"),
        std::string("18446744073709551616"), std::string("-123456789012345678901234567890"),
        huge}) {
    EXPECT_EQ(Python(digits), digits);
    EXPECT_TRUE(ParseJson(digits, "x").IsInteger());
    EXPECT_TRUE(std::isfinite(ParseJson(digits, "x").number));
  }
  EXPECT_EQ(Python("-0"), "0");
}

TEST(Json, IntegerFallsBackWhenItDoesNotFit) {
  EXPECT_EQ(ParseJson("9223372036854775807", "x").Integer(5), INT64_MAX);
  EXPECT_EQ(ParseJson("-9223372036854775808", "x").Integer(5), INT64_MIN);
  EXPECT_EQ(ParseJson("9223372036854775808", "x").Integer(5), 5);
  EXPECT_EQ(ParseJson("1.0", "x").Integer(5), 5);
  EXPECT_EQ(ParseJson("\"1\"", "x").Integer(5), 5);
}

TEST(Json, FloatsAreSpelledAsPythonSpellsThem) {
  const struct {
    const char *text, *python;
  } cases[] = {{"1.0", "1.0"},
               {"1.50", "1.5"},
               {"0.0", "0.0"},
               {"-0.0", "-0.0"},
               {"1e0", "1.0"},
               {"0.1", "0.1"},
               {"0.0001", "0.0001"},
               {"0.00001", "1e-05"},
               {"0.000012345", "1.2345e-05"},
               {"1e15", "1000000000000000.0"},
               {"1E16", "1e+16"},
               {"1e30", "1e+30"},
               {"123456789012345680.0", "1.2345678901234568e+17"},
               {"9999999999999998.0", "9999999999999998.0"},
               {"123456.789", "123456.789"},
               {"1e22", "1e+22"},
               {"5e-324", "5e-324"},
               {"2.2250738585072014e-308", "2.2250738585072014e-308"},
               {"1.7976931348623157e308", "1.7976931348623157e+308"},
               {"1e-400", "0.0"},
               {"-1e-400", "-0.0"},
               {"0e999999999999999999999", "0.0"},
               {"0.1e1", "1.0"},
               {"0.30000000000000004", "0.30000000000000004"},
               {"100000000000000000000000000e-26", "1.0"}};
  for (const auto& c : cases) EXPECT_EQ(Python(c.text), c.python) << c.text;
}

TEST(Json, PythonModeTakesNanInfinityAndOverflow) {
  EXPECT_EQ(Python("[NaN, Infinity, -Infinity, 1e400, -1e400, 1]", JsonNumbers::kPython),
            "[NaN, Infinity, -Infinity, Infinity, -Infinity, 1]");
  EXPECT_EQ(Python("{\"NaN\": \"NaN, Infinity\", \"b\": NaN}", JsonNumbers::kPython),
            "{\"NaN\": \"NaN, Infinity\", \"b\": NaN}");
  EXPECT_TRUE(std::isnan(ParseJson("NaN", "x", JsonNumbers::kPython).number));
  EXPECT_EQ(ParseJson("0.1e+400", "x", JsonNumbers::kPython).number,
            std::numeric_limits<double>::infinity());
  for (const char* bad : {"-NaN", "nan", "Inf", "+Infinity", "NaN1", "1NaN", "InfinityNaN",
                          "Infinity Infinity", "-", "- Infinity", "--1", "\xEF\xBB\xBF{}"}) {
    EXPECT_NE(ErrorOf(bad, JsonNumbers::kPython), "accepted") << bad;
  }
}

TEST(Json, StrictModeRefusesWhatOnlyPythonTakes) {
  for (const char* bad : {"NaN", "Infinity", "-Infinity", "[1, NaN]"}) {
    EXPECT_NE(ErrorOf(bad), "accepted") << bad;
  }
  EXPECT_EQ(ErrorOf("[1, 1e400]"), "doc: number out of range at byte 4");
}

TEST(Json, RefusesMalformedNumbers) {
  for (const char* bad : {"01", "-01", "1.", ".5", "1e", "1e+", "+1", "0x10", "1_000", "1 2", "00",
                          "1.2.3", "1-1", "--1", "1e5.0", "12abc"}) {
    EXPECT_NE(ErrorOf(bad), "accepted") << bad;
    EXPECT_NE(ErrorOf("[" + std::string(bad) + "]"), "accepted") << bad;
    EXPECT_NE(ErrorOf(bad, JsonNumbers::kPython), "accepted") << bad;
  }
}

TEST(Json, ADuplicateKeyTakesTheLastValueAtTheFirstPosition) {
  EXPECT_EQ(Python(R"({"a": 1, "b": 2, "a": 3, "c": 4, "b": [5], "a": 6})"),
            R"({"a": 6, "b": [5], "c": 4})");
  std::string many = "{";
  for (int i = 0; i < 20000; ++i)
    many += "\"k" + std::to_string(i % 10000) + "\":" + std::to_string(i) + ",";
  many.back() = '}';
  const Json json = ParseJson(many, "x");
  ASSERT_EQ(json.members.size(), 10000u);
  for (int i = 0; i < 10000; ++i) {
    ASSERT_EQ(json.members[static_cast<size_t>(i)].first, "k" + std::to_string(i));
    ASSERT_EQ(json.members[static_cast<size_t>(i)].second.Integer(-1), 10000 + i);
  }
}

TEST(Json, NestingIsLimited) {
  for (const char* brackets : {"[]", "{}"}) {
    const std::string open = brackets[0] == '[' ? "[" : "{\"a\":";
    std::string text;
    for (int i = 0; i < kJsonMaxDepth; ++i) text += open;
    std::string inner = text + "1";
    for (int i = 0; i < kJsonMaxDepth; ++i) inner += brackets[1];
    EXPECT_TRUE(ParseJson(inner, "x").IsArray() || ParseJson(inner, "x").IsObject());
    EXPECT_EQ(ErrorOf(text + open), "doc: nested deeper than 128 levels at byte " +
                                        std::to_string(open.size() * kJsonMaxDepth));
  }
  EXPECT_NE(ErrorOf(std::string(1000000, '[')), "accepted");
}

TEST(Json, ErrorsNameTheByte) {
  const struct {
    std::string text, part;
  } cases[] = {{"", "at byte 0"},
               {"[1, 2", "at byte 5"},
               {"[1, x]", "at byte 4"},
               {"{\"a\" 1}", "at byte 5"},
               {"[1]]", "at byte 3"},
               {"\"a\xFF\"", "invalid UTF-8 at byte 2"},
               {std::string("[1]\0[2]", 7), "NUL byte at byte 3"},
               {std::string("\"a\0b\"", 5), "at byte 2"},
               {"\"a\nb\"", "at byte 2"},
               {"// c\n1", "at byte 0"}};
  for (const auto& c : cases) {
    const std::string error = ErrorOf(c.text);
    EXPECT_EQ(error.rfind("doc: ", 0), 0u) << error;
    EXPECT_NE(error.find(c.part), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }
}

TEST(Json, ErrorsStayShortWhateverTheDocumentHolds) {
  const std::string error = ErrorOf("{\"a\": 1} \"" + std::string(100000, 'y') + "\"");
  EXPECT_LT(error.size(), 300u);
  EXPECT_EQ(error.find("yyy"), std::string::npos);
}

TEST(Json, TheCallerChoosesTheErrorCode) {
  try {
    ParseJson("[", "config.json", JsonNumbers::kStrict, Code::kCheckpoint);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCheckpoint);
  }
}

TEST(Json, EscapesDecodeAndLoneSurrogatesAreRefused) {
  EXPECT_EQ(ParseJson(R"("\u00e9\ud83d\ude00\n\/\u0000x")", "x").text,
            std::string("\xC3\xA9\xF0\x9F\x98\x80\n/\0x", 10));
  for (const char* bad : {R"("\ud83d")", R"("\ude00")", R"("\ud83dx")", R"("\ud83d\u0041")",
                          R"("\ude00\ud83d")", R"("\uZZZZ")", R"("\x")", R"("\)", R"("abc)"}) {
    EXPECT_NE(ErrorOf(bad), "accepted") << bad;
    EXPECT_NE(ErrorOf(bad, JsonNumbers::kPython), "accepted") << bad;
  }
}

TEST(Json, QuotesAndBackslashesDoNotHideNumbers) {
  EXPECT_EQ(Python(R"(["\\", 12345678901234567890123, "\"", 1.0, "a\\\"1", 2])"),
            R"(["\\", 12345678901234567890123, "\"", 1.0, "a\\\"1", 2])");
}

TEST(Json, StringsAreEscapedAsPythonEscapesThem) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  all += "\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80";
  std::string out;
  AppendJsonString(all, &out);
  EXPECT_EQ(
      out,
      "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e"
      "\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a"
      "\\u001b\\u001c\\u001d\\u001e\\u001f !\\\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQ"
      "RSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7F\xC3\xA9\xE2\x80\xA8\xF0\x9F\x98\x80\"");
  EXPECT_EQ(ParseJson(out, "x").text, all);
}

TEST(Json, WritesValidTextWhateverComes) {
  for (const auto& [bytes, json] :
       std::vector<std::pair<std::string, std::string>>{{"caf\xe9", "\"caf\xef\xbf\xbd\""},
                                                        {"\xff\"", "\"\xef\xbf\xbd\\\"\""},
                                                        {"\xe2\x82", "\"\xef\xbf\xbd\""},
                                                        {"\xe2\x82\xac", "\"\xe2\x82\xac\""}}) {
    std::string out;
    AppendJsonString(bytes, &out);
    EXPECT_EQ(out, json);
  }
}

TEST(Json, ContainersAreSpelledAsPythonSpellsThem) {
  EXPECT_EQ(Python("{\"k\":[1,\"\xC3\xA9\",[],{}],\"b\":true,\"n\":null}"),
            "{\"k\": [1, \"\xC3\xA9\", [], {}], \"b\": true, \"n\": null}");
}

TEST(Json, AByteOrderMarkIsSkipped) { EXPECT_EQ(Python("\xEF\xBB\xBF[1]"), "[1]"); }

}  // namespace
}  // namespace finback
