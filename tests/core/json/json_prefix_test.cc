#include "core/json/json_prefix.h"

#include <gtest/gtest.h>

#include <random>

#include "core/base/status.h"
#include "core/json/json.h"

namespace finback {
namespace {

size_t Taken(std::string_view text, size_t piece) {
  JsonPrefix prefix;
  size_t taken = 0;
  for (size_t i = 0; i < text.size(); i += piece) {
    const std::string_view part = text.substr(i, piece);
    const size_t here = prefix.Push(part);
    taken += here;
    if (here < part.size()) break;
  }
  return taken;
}

TEST(JsonPrefix, TakesEveryBeginningOfAValue) {
  for (const std::string text : {
           R"({"a": [1, -2.5e+3, "x\n\u00e9\"", true, false, null, {}, []], "b": {"c": "d"}} )",
           R"([[[]], {"": ""}])",
           R"("text \\ \/ \ud83d\ude00")",
           " 12 ",
           "\t\r\n-0.5\n",
           "false",
       }) {
    EXPECT_EQ(Taken(text, 1), text.size()) << text;
    EXPECT_EQ(Taken(text, 3), text.size()) << text;
    EXPECT_EQ(Taken(text, text.size()), text.size()) << text;
  }
}

TEST(JsonPrefix, StopsBeforeWhatCannotGoOn) {
  // `|` stands before the first byte that is refused.
  for (const std::string marked :
       {"|abc", "{|a",    "{\"a\"|,", "{\"a\": |}", "{\"a\": 1,|}", "{|,",     "[1,|]", "[|,",
        "[1|}", "[]|]",   "1 |2",     "\"a\" |b",   "t|x",          "true|1",  "nul|,", "[tru|]",
        "-|]",  "\"a|\n", "\"\\|x",   "\"\\u00|g",  "{} |{",        "[\"a\"|:"}) {
    std::string text = marked;
    const size_t expected = text.find('|');
    text.erase(expected, 1);
    EXPECT_EQ(Taken(text, 1), expected) << marked;
    EXPECT_EQ(Taken(text, text.size()), expected) << marked;
  }
}

TEST(JsonPrefix, RefusesWhatIsNestedTooDeep) {
  const std::string deep(static_cast<size_t>(kJsonMaxDepth), '[');
  EXPECT_EQ(Taken(deep, 7), deep.size());
  EXPECT_EQ(Taken(deep + "[", 7), deep.size());
}

// What ParseJson takes is taken in any pieces, whatever it was made of.
TEST(JsonPrefix, RefusesNothingThatIsJson) {
  const char* kPieces[] = {"{", "}", "[", "]", ",",    ":",    "\"", "\\", "n", "u",      "00e9",
                           "1", "-", ".", "e", "true", "null", " ",  "\n", "a", "\"k\":", "\"v\""};
  size_t valid = 0;
  for (unsigned seed = 0; seed < 20000; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (size_t i = 1 + random() % 8; i > 0; --i) text += kPieces[random() % std::size(kPieces)];
    try {
      ParseJson(text, "text");
    } catch (const Error&) {
      continue;
    }
    ++valid;
    ASSERT_EQ(Taken(text, 1 + random() % 3), text.size()) << text;
  }
  EXPECT_GT(valid, 200u);
}

}  // namespace
}  // namespace finback
