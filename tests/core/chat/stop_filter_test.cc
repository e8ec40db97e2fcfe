#include "core/chat/stop_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace finback {
namespace {

struct Filtered {
  std::string text;
  bool stopped = false;
};

Filtered Filter(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopFilter filter;
  filter.Configure(stops);
  Filtered result;
  for (const std::string& piece : pieces) filter.Push(piece, &result.text);
  filter.Flush(&result.text);
  result.stopped = filter.stopped();
  return result;
}

TEST(StopFilter, CutsBeforeTheFirstStopString) {
  const Filtered result = Filter({"END", "##"}, {"one ## two END"});
  EXPECT_EQ(result.text, "one ");
  EXPECT_TRUE(result.stopped);
}

TEST(StopFilter, FindsAStopStringAcrossPieces) {
  const Filtered result = Filter({"STOP"}, {"a S", "T", "O", "Pb"});
  EXPECT_EQ(result.text, "a ");
  EXPECT_TRUE(result.stopped);
}

TEST(StopFilter, HoldsBackOnlyWhatCouldBecomeAStopString) {
  StopFilter filter;
  filter.Configure({"abab!", "bc"});
  std::string out;
  EXPECT_FALSE(filter.Push("xaba", &out));
  EXPECT_EQ(out, "x");
  EXPECT_FALSE(filter.Push("bab", &out));  // "ababab": the second "abab" may still become "abab!"
  EXPECT_EQ(out, "xab");
  EXPECT_FALSE(filter.Push("?", &out));
  EXPECT_EQ(out, "xababab?");
}

TEST(StopFilter, GivesBackAnUnfinishedStopStringAtTheEnd) {
  const Filtered result = Filter({"STOP"}, {"a STO"});
  EXPECT_EQ(result.text, "a STO");
  EXPECT_FALSE(result.stopped);
}

TEST(StopFilter, GivesNothingAfterAStop) {
  const Filtered result = Filter({"."}, {"a.", "b", "."});
  EXPECT_EQ(result.text, "a");
}

TEST(StopFilter, DoesNotDependOnThePieces) {
  const uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += static_cast<char>('a' + random() % 2);
    std::vector<std::string> stops;
    for (size_t i = 0; i < 1 + random() % 3; ++i) {
      std::string stop;
      for (size_t j = 0; j < 1 + random() % 5; ++j) stop += static_cast<char>('a' + random() % 2);
      stops.push_back(stop);
    }
    size_t cut = std::string::npos;  // one character at a time: the first to be complete
    for (size_t end = 1; end <= text.size() && cut == std::string::npos; ++end) {
      const std::string seen = text.substr(0, end);
      for (const std::string& stop : stops) {
        if (seen.ends_with(stop)) cut = std::min(cut, end - stop.size());
      }
    }
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 4;
      pieces.push_back(text.substr(at, size));
      at += size;
    }
    const Filtered result = Filter(stops, pieces);
    ASSERT_EQ(result.text, text.substr(0, cut)) << "seed " << seed << " text " << text;
    ASSERT_EQ(result.stopped, cut != std::string::npos) << "seed " << seed;
  }
}

}  // namespace
}  // namespace finback
