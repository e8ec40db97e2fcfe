#include "core/base/ascii.h"

#include <gtest/gtest.h>

namespace finback {
namespace {

TEST(Ascii, LowersLettersAlone) {
  EXPECT_EQ(LowerAscii("AZ az @[`{ 09 \xC3\x84"), "az az @[`{ 09 \xC3\x84");
}

TEST(Ascii, TrimsBlanksAround) {
  EXPECT_EQ(Trimmed(" \t\r\n a b \n"), "a b");
  EXPECT_EQ(Trimmed(" \n"), "");
  EXPECT_EQ(Trimmed(""), "");
  EXPECT_EQ(Trimmed("\va"), "\va");
}

TEST(Ascii, WildcardsMatchAllOfATextInEitherCase) {
  const struct {
    const char *pattern, *text;
    bool matches;
  } rows[] = {{"", "", true},          {"", "a", false},
              {"*", "", true},         {"*", "abc", true},
              {"a*c", "abc", true},    {"a*c", "abcd", false},
              {"A*C", "aXc", true},    {"a*b*c", "aabbcc", true},
              {"a*b*c", "acb", false}, {"*ab", "aab", true},
              {"ab**", "ab", true},    {"ab", "abc", false},
              {"abc", "ab", false},    {"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaa", false}};
  for (const auto& row : rows) {
    EXPECT_EQ(MatchesWildcard(row.pattern, row.text), row.matches)
        << row.pattern << " " << row.text;
  }
}

}  // namespace
}  // namespace finback
