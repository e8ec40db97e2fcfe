#include "core/base/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace finback {
namespace {

const char kBad[] = "\xEF\xBF\xBD";

std::string Encode(uint32_t c) {
  std::string s;
  if (c < 0x80) {
    s += static_cast<char>(c);
  } else if (c < 0x800) {
    s += static_cast<char>(0xC0 | (c >> 6));
    s += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    s += static_cast<char>(0xE0 | (c >> 12));
    s += static_cast<char>(0x80 | ((c >> 6) & 63));
    s += static_cast<char>(0x80 | (c & 63));
  } else {
    s += static_cast<char>(0xF0 | (c >> 18));
    s += static_cast<char>(0x80 | ((c >> 12) & 63));
    s += static_cast<char>(0x80 | ((c >> 6) & 63));
    s += static_cast<char>(0x80 | (c & 63));
  }
  return s;
}

std::string Decode(const std::vector<std::string>& pieces) {
  Utf8Stream stream;
  std::string out;
  for (const std::string& piece : pieces) {
    stream.Push(piece, &out);
    EXPECT_EQ(FindInvalidUtf8(out), kValidUtf8);
  }
  stream.Finish(&out);
  return out;
}

std::vector<std::string> Bytes(const std::string& text) {
  std::vector<std::string> pieces;
  for (char c : text) pieces.emplace_back(1, c);
  return pieces;
}

TEST(FindInvalidUtf8, AcceptsEveryCodePointButSurrogates) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    ASSERT_EQ(FindInvalidUtf8(Encode(c)), surrogate ? 0 : kValidUtf8) << c;
  }
  EXPECT_EQ(FindInvalidUtf8(""), kValidUtf8);
}

TEST(FindInvalidUtf8, NamesTheFirstBadByte) {
  const std::string good =
      "abcdefgh\xC3\xA9"
      "0123456789";
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xED\xA0\x80", "\xE2\x82", "\xF0\x9F\x98"}) {
    EXPECT_EQ(FindInvalidUtf8(good + bad + "z"), good.size()) << bad;
    EXPECT_EQ(FindInvalidUtf8(good + bad), good.size()) << bad;
    EXPECT_EQ(FindInvalidUtf8(bad + good), 0u) << bad;
  }
}

TEST(Utf8Stream, GivesTheSameTextHoweverItIsSplit) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z\xEF\xBD\x9C";
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j) {
      EXPECT_EQ(Decode({text.substr(0, i), text.substr(i, j - i), text.substr(j)}), text);
    }
  }
  EXPECT_EQ(Decode(Bytes(text)), text);
}

TEST(Utf8Stream, HoldsAnUnfinishedCharacterBack) {
  Utf8Stream stream;
  std::string out;
  stream.Push("a\xF0\x9F\x98", &out);
  EXPECT_EQ(out, "a");
  stream.Push("\x80", &out);
  EXPECT_EQ(out, "a\xF0\x9F\x98\x80");
}

TEST(Utf8Stream, ReplacesOneMaximalIllFormedSubpartByOneMark) {
  const struct {
    std::string bytes;
    int marks;
  } cases[] = {{"\x80", 1},         {"\xC0\xAF", 2},        {"\xE2\x82", 1},
               {"\xE0\x80\x80", 3}, {"\xED\xA0\x80", 3},    {"\xF0\x80\x80\x80", 4},
               {"\xF4\x90\x80", 3}, {"\xF0\x9F\x98", 1},    {"\xF1\x80\xE1\x80\xC2", 3},
               {"\xFF\xFE", 2},     {"\xE2\xE2\x82\xC3", 3}};
  for (const auto& c : cases) {
    std::string marks;
    for (int i = 0; i < c.marks; ++i) marks += kBad;
    EXPECT_EQ(Decode({"(" + c.bytes + ")"}), "(" + marks + ")");
    EXPECT_EQ(Decode(Bytes("(" + c.bytes + ")")), "(" + marks + ")");
    EXPECT_EQ(Decode({c.bytes}), marks);
  }
}

TEST(Utf8Stream, RandomBytesDecodeAlikeInAnyChunking) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const char alphabet[] = "a\x80\xBF\xC3\xE0\xE2\xED\xF0\xF4\x90\x9F\xA0\xFF";
    std::string text;
    for (int i = 0; i < 40; ++i) text += alphabet[random() % (sizeof alphabet - 1)];
    std::vector<std::string> pieces;
    for (size_t i = 0; i < text.size();) {
      const size_t n = 1 + random() % 5;
      pieces.push_back(text.substr(i, n));
      i += n;
    }
    const std::string whole = Decode({text});
    EXPECT_EQ(Decode(pieces), whole) << "seed " << seed;
    EXPECT_EQ(Decode(Bytes(text)), whole) << "seed " << seed;
  }
}

TEST(CutUtf8, NeverCutsInsideACharacter) {
  const std::string text = "a\u00e9\u20ac\U0001f600z";
  const std::vector<size_t> ends = {0, 1, 3, 6, 10, 11};  // of characters
  for (size_t most = 0; most <= text.size() + 2; ++most) {
    size_t expected = 0;
    for (const size_t end : ends) expected = end <= most ? end : expected;
    EXPECT_EQ(CutUtf8(text, most), std::string_view(text).substr(0, expected)) << most;
  }
}

TEST(CutUtf8, LosesAtMostThreeBytesOfWhatIsNoUtf8) {
  const std::string text(100, '\x80');
  for (size_t most = 0; most < 100; ++most) {
    const size_t size = CutUtf8(text, most).size();
    EXPECT_TRUE(size <= most && size + 3 >= most) << most;
  }
}

TEST(CountCharacters, CountsCharactersAndNotBytes) {
  EXPECT_EQ(CountCharacters(""), 0u);
  EXPECT_EQ(CountCharacters("a\u00e9\u20ac\U0001f600z"), 5u);
}

}  // namespace
}  // namespace finback
