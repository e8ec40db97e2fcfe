// Patterns: what TranslatePattern spells out or refuses, and the bounds of matching.
#include <gtest/gtest.h>

#include <random>

#include "core/base/status.h"
#include "core/tokenizer/pattern_dialect.h"
#include "core/tokenizer/split_pattern.h"
#include "tests/core/tokenizer/tokenizer_json.h"

namespace finback {
namespace {

using Strings = std::vector<std::string>;

Strings Matches(const SplitPattern& pattern, std::string_view text) {
  SplitPattern::Scratch scratch;
  SplitPattern::Span span;
  Strings out;
  for (size_t start = 0; start < text.size() && pattern.Find(text, start, &scratch, &span);) {
    out.emplace_back(text.substr(span.begin, span.end - span.begin));
    start = std::max(span.end, start + 1);
  }
  return out;
}

Strings Matches(const char* regex, std::string_view text) {
  return Matches(SplitPattern::Regex(regex, "p"), text);
}

struct Refusal {
  const char* regex;
  Code code;
  const char* reason;
};

TEST(TokenizerPattern, RefusesByNameWhatItDoesNotTranslate) {
  const Refusal refusals[] = {
      {"\\w+", Code::kUnsupported, "\\w is not supported (byte 0)"},
      {"a\\b", Code::kUnsupported, "\\b is not supported (byte 1)"},
      {"\\h", Code::kUnsupported, "\\h"},
      {"(a)\\1", Code::kUnsupported, "\\1"},
      {"\\K", Code::kUnsupported, "\\K"},
      {"\\C", Code::kUnsupported, "\\C"},
      {"\\xff", Code::kUnsupported, "single byte"},
      {"\\pL", Code::kUnsupported, "without braces"},
      {"(*UTF)a", Code::kUnsupported, "(*"},
      {"(?R)", Code::kUnsupported, "(?R"},
      {"(?C1)", Code::kUnsupported, "(?C"},
      {"(?i)a", Code::kUnsupported, "(?i is"},
      {"(?<n>a)", Code::kUnsupported, "(?<"},
      {"(?#a)", Code::kUnsupported, "(?#"},
      {"[[:alpha:]]", Code::kUnsupported, "inside a class"},
      {"[a&&b]", Code::kUnsupported, "&&"},
      {"[]a]", Code::kUnsupported, "empty class"},
      {"[\\s-a]", Code::kUnsupported, "begins with a set"},
      {"[a-\\s]", Code::kUnsupported, "ends with a set"},
      {"(?i:\u00df)", Code::kUnsupported, "non-ASCII"},
      {"(?i:SS)", Code::kUnsupported, "folds"},
      {"(?i:\\p{Lu})", Code::kUnsupported, "under (?i)"},
      {"a{2}+", Code::kUnsupported, "braces"},
      {"a{2}?", Code::kUnsupported, "braces"},
      {"a{5000}", Code::kUnsupported, "more than 1000"},
      {"a**", Code::kUnsupported, "nothing before it"},
      {"(?=a)*", Code::kUnsupported, "nothing before it"},
      {"*a", Code::kUnsupported, "nothing before it"},
      {"(a", Code::kCheckpoint, "not closed"},
      {"a)", Code::kCheckpoint, "unmatched )"},
      {"[a", Code::kCheckpoint, "not closed"},
      {"[a-", Code::kCheckpoint, "not closed"},
      {"[z-a]", Code::kCheckpoint, "range is empty"},
      {"a{3,2}", Code::kCheckpoint, "repetition is empty"},
      {"\\", Code::kCheckpoint, "backslash"},
      {"[\\", Code::kCheckpoint, "backslash"},
      {"\\x{d800}", Code::kCheckpoint, "code point"},
      {"\\x{110000}", Code::kCheckpoint, "code point"},
      {"\\u12", Code::kCheckpoint, "hexadecimal"},
      {"\\p{L", Code::kCheckpoint, "not closed"},
      {"\\p{NoSuchScript}", Code::kCheckpoint, "unknown property"},
      {"(?<=a+)b", Code::kCheckpoint, "lookbehind"},
  };
  for (const Refusal& refusal : refusals) {
    try {
      SplitPattern::Regex(refusal.regex, "the field");
      ADD_FAILURE() << refusal.regex << " was accepted";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), refusal.code) << refusal.regex << ": " << message;
      EXPECT_EQ(message.rfind("the field: ", 0), 0u) << message;
      EXPECT_NE(message.find(refusal.reason), std::string::npos)
          << refusal.regex << ": " << message;
    }
  }
}

TEST(TokenizerPattern, RefusesWhatIsTooLongOrTooDeep) {
  EXPECT_THROW(TranslatePattern(std::string(kMaxPatternBytes + 1, 'a'), "p"), Error);
  std::string nested;
  for (int i = 0; i < 60; ++i) nested += "(";
  EXPECT_THROW(TranslatePattern(nested, "p"), Error);
}

TEST(TokenizerPattern, SpellsOutWhiteSpace) {
  EXPECT_EQ(Matches("\\s", "a\u0085\u180e\u3000\u200b\x1c\x0b"),
            (Strings{"\u0085", "\u3000", "\x0b"}));
  EXPECT_EQ(Matches("[^\\s]+", "ab\u0085\u180e"), (Strings{"ab", "\u180e"}));
  EXPECT_EQ(Matches("\\S+", " x\u180e "), (Strings{"x\u180e"}));
  EXPECT_EQ(Matches("[\\S\\n]+", "a\n b"), (Strings{"a\n", "b"}));
}

TEST(TokenizerPattern, ReadsEscapesAsOnigurumaDoes) {
  EXPECT_EQ(Matches("\\v", "\n\x0b\u2028"), (Strings{"\x0b"}));
  EXPECT_EQ(Matches("\\x{3b1}\\u03b2\\x41", "\u03b1\u03b2A"), (Strings{"\u03b1\u03b2A"}));
  EXPECT_EQ(Matches("\\p{Letter}\\p{^L}\\P{uppercase_letter}\\p{Han}", "a1b\u4e2d"),
            (Strings{"a1b\u4e2d"}));
  EXPECT_EQ(Matches("\\.\\-\\[\\{", ".-[{"), (Strings{".-[{"}));
}

TEST(TokenizerPattern, ReadsQuantifiersAsOnigurumaDoes) {
  EXPECT_EQ(Matches("a{,2}b", "aaab"), (Strings{"aab"}));
  EXPECT_EQ(Matches("a{b", "a{b"), (Strings{"a{b"}));
  EXPECT_EQ(Matches("a{}", "a{}"), (Strings{"a{}"}));
  EXPECT_EQ(Matches("a{2,3}?", "aaaa"), (Strings{"aa", "aa"}));
  EXPECT_EQ(Matches("a++a|b", "aab"), (Strings{"b"}));
}

TEST(TokenizerPattern, TakesLinesAtTheNewlineAlone) {
  EXPECT_EQ(Matches("^.", "a\nb\rc"), (Strings{"a", "b"}));
  EXPECT_EQ(Matches(".$", "a\nb\rc"), (Strings{"a", "c"}));
  EXPECT_EQ(Matches("a\\z", "a\na"), (Strings{"a"}));
}

TEST(TokenizerPattern, IgnoresCaseInItsGroupOnly) {
  EXPECT_EQ(Matches("(?i:'s|'LL)x", "'Sx'llx'llX"), (Strings{"'Sx", "'llx"}));
  EXPECT_EQ(Matches("(?i:[a-c])+", "aBcD"), (Strings{"aBc"}));
}

TEST(TokenizerPattern, MatchesTheSameWithoutTheCompiler) {
  constexpr uint32_t kSeed = 17;
  std::mt19937 random(kSeed);
  const char* const alphabet[] = {"a", "1", " ", "\n", ".", "\u3042", "\u4e00", "\u0301", "\u180e"};
  for (const char* regex : TokenizerJson::kPatterns) {
    const SplitPattern compiled = SplitPattern::Regex(regex, "p");
    const SplitPattern interpreted = SplitPattern::Regex(regex, "p", /*use_jit=*/false);
    size_t matches = 0;
    for (int round = 0; round < 200; ++round) {
      std::string text;
      for (int i = 0; i < 40; ++i) text += alphabet[random() % std::size(alphabet)];
      const Strings found = Matches(compiled, text);
      matches += found.size();
      ASSERT_EQ(found, Matches(interpreted, text)) << "seed " << kSeed << ", round " << round;
    }
    EXPECT_GT(matches, 100u);
  }
}

TEST(TokenizerPattern, BearsLongTextsWithoutTheCompiler) {
  for (const char* regex : TokenizerJson::kPatterns) {
    const SplitPattern compiled = SplitPattern::Regex(regex, "p");
    const SplitPattern interpreted = SplitPattern::Regex(regex, "p", /*use_jit=*/false);
    for (const char* character : {" ", "\n", "a", "1", "!", "\u3042", "\u0301", "\u180e", "\x01"}) {
      std::string text;
      while (text.size() < 500000) text += character;
      text += " x";
      // Of one-character matches (digits, control characters) the first few thousand are enough.
      const std::string_view some = std::string_view(text).substr(text.size() - 3002);
      ASSERT_EQ(Matches(compiled, some), Matches(interpreted, some)) << regex;
      SplitPattern::Scratch scratch;
      SplitPattern::Span fast;
      SplitPattern::Span slow;
      ASSERT_EQ(compiled.Find(text, 0, &scratch, &fast),
                interpreted.Find(text, 0, &scratch, &slow));
      ASSERT_EQ(fast.end, slow.end) << regex;
    }
  }
}

TEST(TokenizerPattern, StopsWhatBacktracksWithoutEnd) {
  const std::string text = std::string(200, 'a') + "!";
  for (const char* regex : {"(?:a+)+\\z", "(?:a|a)*\\z", "a*a*a*a*a*a*a*a*\\z"}) {
    for (const bool use_jit : {true, false}) {
      try {
        SplitPattern::Scratch scratch;
        SplitPattern::Span span;
        SplitPattern::Regex(regex, "p", use_jit).Find(text, 0, &scratch, &span);
        ADD_FAILURE() << regex << " came to an end";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kCheckpoint);
        EXPECT_NE(std::string(error.what()).find("limit"), std::string::npos) << error.what();
      }
    }
  }
}

TEST(TokenizerPattern, BoundsTheMemoryOfAMatch) {
  const SplitPattern pattern = SplitPattern::Regex("(?:a|b)*\\z", "p");
  SplitPattern::Scratch scratch;
  SplitPattern::Span span;
  // More than the stack of compiled patterns takes: the interpreter goes on.
  ASSERT_TRUE(pattern.Find(std::string(20000, 'a'), 0, &scratch, &span));
  EXPECT_EQ(span.end, 20000u);
  EXPECT_THROW(pattern.Find(std::string(4000000, 'a'), 0, &scratch, &span), Error);
}

}  // namespace
}  // namespace finback
