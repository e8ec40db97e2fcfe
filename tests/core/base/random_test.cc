#include "core/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace finback {
namespace {

TEST(SplitMix, GivesThePublishedSequence) {
  // Of the authors' program, seed 1234567.
  uint64_t counter = 1234567;
  for (const uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                  4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(SplitMix(counter += kSplitMixStep), expected);
  }
}

TEST(UniformOf, StaysBelowOne) {
  EXPECT_EQ(UniformOf(0), 0.0);
  EXPECT_EQ(UniformOf(uint64_t{1} << 63), 0.5);
  EXPECT_LT(UniformOf(UINT64_MAX), 1.0);
}

TEST(RandomId, IsSixteenDigitsAndAlwaysAnother) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const std::string id = RandomId();
    EXPECT_EQ(id.size(), 16u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 100u);
}

}  // namespace
}  // namespace finback
