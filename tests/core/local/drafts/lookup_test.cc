// The automaton against searching the text.
#include "core/local/drafts/lookup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/core/base/counting_allocator.h"

namespace finback {
namespace {

std::vector<int32_t> RandomText(size_t count, uint32_t letters, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> text(count);
  for (int32_t& id : text) id = static_cast<int32_t>(random() % letters);
  return text;
}

// The most tokens at the end of the text that also end at an earlier place.
size_t LongestMatch(std::span<const int32_t> text) {
  size_t longest = 0;
  for (size_t end = 1; end < text.size(); ++end) {
    size_t length = 0;
    while (length < end && text[end - 1 - length] == text[text.size() - 1 - length]) ++length;
    longest = std::max(longest, length);
  }
  return longest;
}

// Whether `drafts` came, at some earlier place, after the last `matched` tokens: read on over the
// end, what was proposed comes again.
bool FollowedOnce(std::vector<int32_t> text, size_t matched, std::span<const int32_t> drafts) {
  const size_t size = text.size();
  text.insert(text.end(), drafts.begin(), drafts.end());
  for (size_t end = matched; end < size; ++end) {
    const auto begin = text.begin() + static_cast<long>(end - matched);
    if (std::equal(begin, begin + static_cast<long>(matched + drafts.size()),
                   text.begin() + static_cast<long>(size - matched))) {
      return true;
    }
  }
  return false;
}

TEST(Lookup, FindsTheLongestMatch) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const std::vector<int32_t> text = RandomText(150, 1 + seed % 6, seed);
    Lookup lookup;
    lookup.Reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
      lookup.Append(text[i]);
      ASSERT_EQ(lookup.matched(), LongestMatch(std::span(text).first(i + 1)))
          << "seed " << seed << ", token " << i;
    }
  }
}

TEST(Lookup, ProposesWhatFollowedTheMatch) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const std::vector<int32_t> text = RandomText(120, 2 + seed % 5, seed);
    Lookup lookup;
    lookup.Reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
      lookup.Append(text[i]);
      int32_t drafts[9];
      const size_t count = lookup.Propose(drafts);
      ASSERT_EQ(count, lookup.matched() == 0 ? 0u : 9u);
      if (count == 0) continue;
      const std::vector<int32_t> before(text.begin(), text.begin() + static_cast<long>(i + 1));
      ASSERT_TRUE(FollowedOnce(before, lookup.matched(), drafts))
          << "seed " << seed << ", token " << i;
    }
  }
}

TEST(Lookup, TakesTheLatestOfSeveralPlaces) {
  Lookup lookup;
  lookup.Reserve(16);
  for (const int32_t id : {1, 2, 7, 1, 2, 8, 1, 2}) lookup.Append(id);
  int32_t next;
  EXPECT_EQ(lookup.matched(), 2u);
  ASSERT_EQ(lookup.Propose({&next, 1}), 1u);
  EXPECT_EQ(next, 8);
}

TEST(Lookup, GoesRoundWhereTheMatchReachesTheEnd) {
  Lookup lookup;
  lookup.Reserve(8);
  for (const int32_t id : {5, 6, 5, 6}) lookup.Append(id);
  int32_t drafts[5];
  ASSERT_EQ(lookup.Propose(drafts), 5u);
  EXPECT_EQ(std::vector<int32_t>(drafts, drafts + 5), (std::vector<int32_t>{5, 6, 5, 6, 5}));
}

TEST(Lookup, IsTheSameWhereItsRoomGrew) {
  const std::vector<int32_t> text = RandomText(400, 4, 99);
  Lookup once, grown;
  once.Reserve(text.size());
  grown.Reserve(1);
  for (const int32_t id : text) {
    once.Append(id);
    if (grown.room() == 0) grown.Reserve(text.size() / 8 + 400 - grown.room());
    grown.Append(id);
    int32_t a[4] = {}, b[4] = {};
    ASSERT_EQ(once.Propose(a), grown.Propose(b));
    ASSERT_TRUE(std::equal(a, a + 4, b));
    ASSERT_EQ(once.matched(), grown.matched());
  }
}

TEST(Lookup, AllocatesNothingWithinItsRoom) {
  std::vector<std::vector<int32_t>> texts = {RandomText(3000, 1, 1), RandomText(3000, 2, 2),
                                             RandomText(3000, 3000, 3)};
  // Of all texts of n tokens, those of this kind have the most states and edges.
  texts.push_back(std::vector<int32_t>(3000, 1));
  texts.back().front() = 0;
  texts.push_back(texts.back());
  texts.back().back() = 2;
  for (const std::vector<int32_t>& text : texts) {
    Lookup lookup;
    lookup.Reserve(text.size());
    const int64_t before = AllocationCount();
    for (const int32_t id : text) lookup.Append(id);
    EXPECT_EQ(AllocationCount() - before, 0);
  }
}

}  // namespace
}  // namespace finback
