// Encoding, decoding and look-ups on small tokenizers; parity with the reference library is
// tokenizer_parity.py's.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "core/base/status.h"
#include "core/tokenizer/added_token_matcher.h"
#include "core/tokenizer/bpe.h"
#include "tests/core/tokenizer/tokenizer_json.h"

namespace finback {
namespace {

using Strings = std::vector<std::string>;

std::string Utf8(char32_t c) {
  std::string out;
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    }
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
  }
  return out + static_cast<char>(0x80 | (c & 0x3f));
}

std::string RandomText(std::mt19937* random, size_t characters) {
  static constexpr char32_t kBlocks[] = {0x20,   0x30,   0x61,    0xa0, 0x300,
                                         0x3040, 0x4e00, 0x1f600, 0x0};
  std::string text;
  for (size_t i = 0; i < characters; ++i) {
    text += Utf8(kBlocks[(*random)() % std::size(kBlocks)] + (*random)() % 0x40);
  }
  return text;
}

// A tokenizer whose tokens are the bytes and `pieces`, so that exactly these pieces stay whole.
Strings PiecesAmong(const std::string& text, const Strings& pieces) {
  TokenizerJson json;
  json.model_more = "\"ignore_merges\": true, ";
  Strings unique = pieces;
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  for (const std::string& piece : unique) {
    if (piece.size() > 1) json.AddToken(piece);
  }
  return Texts(*json.Parse(), text);
}

void ExpectPieces(const Strings& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  EXPECT_EQ(PiecesAmong(text, pieces), pieces);
}

TEST(TokenizerSplits, GroupsDigitsByThreeFromTheLeft) {
  ExpectPieces({"123", "456", "7"});
  ExpectPieces({"a", " ", "12"});
  ExpectPieces({"\u00bd\u00b2\u2167", "\u0661"});
  ExpectPieces({"x", "1", "y"});
}

TEST(TokenizerSplits, HasNoRuleForContractions) {
  ExpectPieces({"don", "'t"});
  ExpectPieces({" whales", " swim"});
}

TEST(TokenizerSplits, LetsOnePrecedingCharacterJoinAWord) {
  ExpectPieces({"\tabc"});
  ExpectPieces(
      {"\x07"
       "abc"});
  ExpectPieces({"e\u0301x"});
  ExpectPieces({"\r\n", "abc"});
  ExpectPieces({"   ", " int"});
}

TEST(TokenizerSplits, KeepsLineEndsWithPunctuation) {
  ExpectPieces({"x", ");\r\n\n", "y"});
  ExpectPieces({" !?", " ..", "  \n"});
}

TEST(TokenizerSplits, SplitsAgainWhatAnEarlierStepIsolated) {
  ExpectPieces({"\u30a2", "\u30fb", "\u30a4"});
  ExpectPieces({"\u3042", "a"});
  ExpectPieces({"\u9fa5", "\u9fa6"});
}

TEST(TokenizerSplits, TakesUnicodeWhiteSpaceAndNothingElseAsSpace) {
  ExpectPieces({"a", "\u0085\n", "b"});
  ExpectPieces({"a", "\u3000\u2028", "\u00a0b"});
  // U+180E, U+200B and U+FEFF are no white space: they do not join the line end.
  ExpectPieces({"a", "\u180e", "\n"});
  ExpectPieces({"a", "\u200b", "\n", "\ufeff"});
}

TEST(TokenizerSplits, KeepsUnmatchedTextAsItsOwnPiece) {
  ExpectPieces({std::string("\0\x01\x02", 3), " "});
  ExpectPieces({"\ue000\ue001"});
}

TEST(TokenizerSplits, ReadsThePatternsFromTheFile) {
  TokenizerJson json;
  json.steps.clear();
  json.AddSplit("Regex", "[0-9]");
  json.AddSplit("String", "a.");
  json.model_more = "\"ignore_merges\": true, ";
  for (const char* token : {"12", "xa", "a.", "bb", "bba", "a!"}) json.AddToken(token);
  const auto tokenizer = json.Parse();
  EXPECT_EQ(Texts(*tokenizer, "12xaa.bba!a."),
            (Strings{"1", "2", "xa", "a.", "b", "b", "a", "!", "a."}));
}

TEST(TokenizerSplits, HonoursTheByteLevelPattern) {
  TokenizerJson json;
  json.steps.clear();
  json.byte_level = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": true})";
  json.model_more = "\"ignore_merges\": true, ";
  for (const char* token : {"we", "'ve", " 1234", "we've"}) json.AddToken(token);
  EXPECT_EQ(Texts(*json.Parse(), "we've 1234"), (Strings{"we", "'ve", " 1234"}));
}

TEST(TokenizerBpe, MergesByRankThenLeftmost) {
  TokenizerJson json;
  json.AddMerge("b", "c");
  json.AddMerge("a", "b");
  json.AddMerge("a", "a");
  EXPECT_EQ(Texts(*json.Parse(), "abc"), (Strings{"a", "bc"}));
  EXPECT_EQ(Texts(*json.Parse(), "aaa"), (Strings{"aa", "a"}));
  EXPECT_EQ(Texts(*json.Parse(), "a b"), (Strings{"a", " ", "b"}));
}

TEST(TokenizerBpe, TakesMergesAsPairsToo) {
  TokenizerJson json;
  json.AddMerge("h", "e");
  json.AddMerge("he", "y");
  const std::vector<int32_t> ids = Ids(*json.Parse(), "hey");
  json.merges = {R"(["h", "e"])", R"(["he", "y"])"};
  EXPECT_EQ(Ids(*json.Parse(), "hey"), ids);
  EXPECT_EQ(ids.size(), 1u);
}

// The definition: again and again the leftmost pair of least rank.
std::vector<int32_t> SlowBpe(std::vector<int32_t> ids, const std::vector<Merge>& merges) {
  for (;;) {
    size_t best_rank = merges.size();
    size_t best = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank].left == ids[i] && merges[rank].right == ids[i + 1])
          best_rank = rank, best = i;
      }
    }
    if (best_rank == merges.size()) return ids;
    ids[best] = merges[best_rank].result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(TokenizerBpe, EqualsItsDefinitionOnRandomMerges) {
  constexpr uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  std::array<int32_t, 256> byte_ids;
  for (int i = 0; i < 256; ++i) byte_ids[i] = i;
  for (int round = 0; round < 300; ++round) {
    // Tokens are strings over {a, b, c}; ids 1000 and on are merged ones.
    std::map<std::string, int32_t> tokens = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}};
    std::map<std::pair<int32_t, int32_t>, int32_t> made;
    std::vector<Merge> merges;
    for (int i = 0; i < 12; ++i) {
      const auto left = std::next(tokens.begin(), random() % tokens.size());
      const auto right = std::next(tokens.begin(), random() % tokens.size());
      const std::string name = left->first + right->first;
      const auto [result, added] = tokens.emplace(name, 1000 + static_cast<int32_t>(tokens.size()));
      const Merge merge = {left->second, right->second, result->second};
      if (made.emplace(std::pair{merge.left, merge.right}, merge.result).second)
        merges.push_back(merge);
    }
    std::vector<uint32_t> ranks(merges.size());
    for (uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
    const MergeTable table(merges, ranks, "merges");
    Bpe bpe(&table, &byte_ids);
    std::string text;
    std::vector<int32_t> bytes;
    for (size_t i = random() % 60; i > 0; --i) text += static_cast<char>('a' + random() % 3);
    for (const char c : text) bytes.push_back(c);
    std::vector<int32_t> ids;
    bpe.Encode(text, &ids);
    EXPECT_EQ(ids, SlowBpe(bytes, merges))
        << "seed " << kSeed << ", round " << round << ": " << text;
  }
}

// A quadratic search would take hours for these.
TEST(TokenizerBpe, HandlesAMegabyteOfOneLetter) {
  TokenizerJson json;
  std::string token = "a";
  for (int i = 0; i < 6; ++i) {
    json.AddMerge(token, token);
    token += token;
  }
  const auto tokenizer = json.Parse();
  const size_t size = size_t{1} << 20;
  EXPECT_EQ(Ids(*tokenizer, std::string(size, 'a')).size(), size / 64);
  for (const char c : {' ', '\n', '!', '\x01'}) {
    EXPECT_EQ(Ids(*tokenizer, std::string(size, c)).size(), size) << static_cast<int>(c);
  }
  std::string alternating;
  while (alternating.size() < size) alternating += " a1";
  EXPECT_EQ(Ids(*tokenizer, alternating).size(), alternating.size());
}

TEST(TokenizerAdded, FindsTheLeftmostLongest) {
  TokenizerJson json;
  json.AddAdded(300, "<a>");
  json.AddAdded(301, "<a>b");
  json.AddAdded(302, "b<c>");
  json.AddAdded(303, "\uff5cDSML\uff5c", true);
  const auto tokenizer = json.Parse();
  EXPECT_EQ(Texts(*tokenizer, "x<a>b<c>"), (Strings{"x", "<a>b", "<", "c", ">"}));
  EXPECT_EQ(Texts(*tokenizer, "<a><a"), (Strings{"<a>", "<", "a"}));
  EXPECT_EQ(Ids(*tokenizer, "1\uff5cDSML\uff5c2"), (std::vector<int32_t>{'1', 303, '2'}));
}

TEST(TokenizerAdded, LooksForNormalizedOnesInWhatTheOthersLeave) {
  TokenizerJson json;
  json.AddAdded(300, "ab", false, true);
  json.AddAdded(301, "bc");
  EXPECT_EQ(Texts(*json.Parse(), "abcab"), (Strings{"a", "bc", "ab"}));
}

TEST(TokenizerAdded, SeparatesWhatIsOnBothSides) {
  TokenizerJson json;
  json.AddMerge("a", "b");
  json.AddAdded(300, "<t>");
  EXPECT_EQ(Texts(*json.Parse(), "a<t>b ab"), (Strings{"a", "<t>", "b", " ", "ab"}));
}

TEST(TokenizerAdded, StaysTextWhenIgnored) {
  TokenizerJson json;
  json.AddAdded(300, "<t>", true);
  const auto tokenizer = json.Parse();
  EXPECT_EQ(Ids(*tokenizer, "<t>"), (std::vector<int32_t>{300}));
  EXPECT_EQ(Ids(*tokenizer, "<t>", AddedTokens::kIgnore), (std::vector<int32_t>{'<', 't', '>'}));
}

TEST(TokenizerAdded, IsNotMadeByMergesWhenIgnored) {
  TokenizerJson json;
  json.steps.clear();
  json.AddMerge("<", "t");
  json.AddMerge("<t", ">");
  const int id = static_cast<int>(json.vocab.size()) - 1;
  json.AddAdded(id, "<t>");
  for (const char* more : {"", "\"ignore_merges\": true, "}) {
    json.model_more = more;
    const auto tokenizer = json.Parse();
    EXPECT_EQ(Ids(*tokenizer, "<t>"), (std::vector<int32_t>{id}));
    EXPECT_EQ(Texts(*tokenizer, "<t>", AddedTokens::kIgnore), (Strings{"<t", ">"}));
  }
}

TEST(TokenizerAdded, MatcherEqualsASearchByHand) {
  constexpr uint32_t kSeed = 11;
  std::mt19937 random(kSeed);
  const auto word = [&](size_t longest) {
    std::string out;
    for (size_t i = 1 + random() % longest; i > 0; --i)
      out += static_cast<char>('a' + random() % 2);
    return out;
  };
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, int32_t> tokens;
    AddedTokenMatcher matcher;
    for (int32_t i = 0; i < 8; ++i) {
      const std::string content = word(6);
      if (tokens.emplace(content, i).second) matcher.Add(content, i);
    }
    matcher.Finish();
    const std::string text = word(40);
    for (size_t start = 0; start <= text.size(); ++start) {
      size_t begin = start;
      std::string longest;
      for (; begin < text.size() && longest.empty(); ++begin) {
        for (const auto& [content, id] : tokens) {
          if (text.compare(begin, content.size(), content) == 0 &&
              content.size() > longest.size()) {
            longest = content;
          }
        }
        if (!longest.empty()) break;
      }
      AddedTokenMatcher::Match match;
      const bool found = matcher.Find(text, start, &match);
      ASSERT_EQ(found, !longest.empty()) << "seed " << kSeed << ": " << text << " from " << start;
      if (!found) continue;
      ASSERT_EQ(match.begin, begin) << "seed " << kSeed << ": " << text << " from " << start;
      ASSERT_EQ(text.substr(match.begin, match.end - match.begin), longest);
      ASSERT_EQ(match.id, tokens[longest]);
    }
  }
}

TEST(TokenizerLookups, KnowIdsOfAnySize) {
  TokenizerJson json;
  json.AddMerge("a", "b");
  json.AddAdded(16777215, "<last>", true);
  json.AddAdded(1000, "<gap>");
  const auto tokenizer = json.Parse();
  EXPECT_EQ(tokenizer->size(), 16777216);
  EXPECT_EQ(tokenizer->Bytes(16777215), "<last>");
  EXPECT_EQ(Ids(*tokenizer, "<last>a"), (std::vector<int32_t>{16777215, 'a'}));
  EXPECT_TRUE(tokenizer->IsSpecial(16777215));
  EXPECT_TRUE(tokenizer->IsAdded(1000));
  EXPECT_FALSE(tokenizer->IsSpecial(1000));
  EXPECT_FALSE(tokenizer->IsAdded('a'));
  for (const int32_t unknown : {-1, 999, 16777216, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer->Bytes(unknown), "") << unknown;
    EXPECT_FALSE(tokenizer->IsAdded(unknown)) << unknown;
    EXPECT_FALSE(tokenizer->IsSpecial(unknown)) << unknown;
  }
}

TEST(TokenizerLookups, FindTokensByTheirText) {
  TokenizerJson json;
  json.AddMerge(" ", "a");
  json.AddAdded(300, "<think>");
  const auto tokenizer = json.Parse();
  EXPECT_EQ(tokenizer->FindToken("<think>"), 300);
  EXPECT_EQ(tokenizer->FindToken(" a"), 256);
  EXPECT_EQ(tokenizer->FindToken("a"), 'a');
  EXPECT_EQ(tokenizer->FindToken("\xff"), 255);
  EXPECT_EQ(tokenizer->FindToken("<think"), -1);
  EXPECT_EQ(tokenizer->FindToken(""), -1);
}

TEST(TokenizerLookups, TakeAnAddedTokenThatIsInTheVocabularyToo) {
  TokenizerJson json;
  json.vocab.push_back({"<\uff5ceos\uff5c>", "256"});  // not in the byte alphabet, as published
  json.AddAdded(256, "<\uff5ceos\uff5c>", true);
  const auto tokenizer = json.Parse();
  EXPECT_EQ(tokenizer->size(), 257);
  EXPECT_TRUE(tokenizer->IsSpecial(256));
  EXPECT_EQ(Ids(*tokenizer, "<\uff5ceos\uff5c>"), (std::vector<int32_t>{256}));
  EXPECT_EQ(tokenizer->Decode({256}), "<\uff5ceos\uff5c>");
}

TEST(TokenizerDecoding, RoundTripsRandomTextInBothModes) {
  constexpr uint32_t kSeed = 3;
  std::mt19937 random(kSeed);
  TokenizerJson json;
  json.AddMerge("\xe4", "\xb8");
  json.AddMerge(" ", " ");
  json.AddMerge("a", "b");
  json.AddAdded(400, "ab ");
  const auto tokenizer = json.Parse();
  for (int round = 0; round < 500; ++round) {
    const std::string text = RandomText(&random, random() % 60) + (round % 3 == 0 ? "ab ab" : "");
    for (const AddedTokens mode : {AddedTokens::kRecognize, AddedTokens::kIgnore}) {
      ASSERT_EQ(tokenizer->Decode(Ids(*tokenizer, text, mode)), text)
          << "seed " << kSeed << ", round " << round;
    }
  }
}

TEST(TokenizerDecoding, ReplacesIllFormedBytes) {
  const auto tokenizer = TokenizerJson().Parse();
  EXPECT_EQ(tokenizer->Decode({'a', 0xe4, 0xb8, 'b', 0xff}),
            "a\ufffd"
            "b\ufffd");
  EXPECT_EQ(tokenizer->Decode({'a', 100000, 'b'}), "ab");
}

TEST(TokenizerDecoding, StreamsWholeCharactersOnly) {
  constexpr uint32_t kSeed = 5;
  std::mt19937 random(kSeed);
  const auto tokenizer = TokenizerJson().Parse();
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> ids = Ids(*tokenizer, RandomText(&random, 30));
    if (round % 2 == 1) ids[random() % ids.size()] = static_cast<int32_t>(random() % 256);
    Detokenizer detokenizer(tokenizer.get());
    std::string all;
    for (const int32_t id : ids) {
      std::string part;
      detokenizer.Push(id, &part);
      ASSERT_EQ(FindInvalidUtf8(part), kValidUtf8) << "seed " << kSeed << ", round " << round;
      all += part;
    }
    detokenizer.Finish(&all);
    ASSERT_EQ(all, tokenizer->Decode(ids)) << "seed " << kSeed << ", round " << round;
  }
}

TEST(TokenizerErrors, NameTheByteOfInvalidUtf8) {
  const auto tokenizer = TokenizerJson().Parse();
  const std::pair<std::string, size_t> cases[] = {{"ab\xff", 2},           {"\x80", 0},
                                                  {"a\u00e9\xc3", 3},      {"\xed\xa0\x80", 0},
                                                  {"\xf4\x90\x80\x80", 0}, {"\xc0\x80", 0}};
  for (const auto& [text, offset] : cases) {
    for (const AddedTokens mode : {AddedTokens::kRecognize, AddedTokens::kIgnore}) {
      try {
        Ids(*tokenizer, text, mode);
        ADD_FAILURE() << "accepted invalid UTF-8 with its fault at " << offset;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kInvalidArgument);
        EXPECT_NE(std::string(error.what()).find("byte " + std::to_string(offset)),
                  std::string::npos)
            << error.what();
      }
    }
  }
}

TEST(TokenizerThreads, EncodeTheSameAtOnce) {
  std::mt19937 random(13);
  TokenizerJson json;
  json.AddMerge("a", "b");
  const auto tokenizer = json.Parse();
  Strings texts;
  std::vector<std::vector<int32_t>> expected;
  for (int i = 0; i < 50; ++i) {
    texts.push_back(RandomText(&random, 50));
    expected.push_back(Ids(*tokenizer, texts.back()));
  }
  std::vector<int> differences(4);
  std::vector<std::thread> threads;
  for (int& count : differences) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < texts.size(); ++i) count += Ids(*tokenizer, texts[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(differences, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace finback
