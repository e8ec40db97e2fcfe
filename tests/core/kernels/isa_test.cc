// The table of tiers, and what FINBACK_ISA leaves of them.
#include "core/kernels/isa.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace finback {
namespace {

TEST(IsaTiers, HaveABitAndANameEachAndEndWithPlainCode) {
  std::set<std::string> names;
  uint32_t bits = 0;
  for (const IsaTier& tier : IsaTiers()) {
    EXPECT_TRUE(names.insert(tier.name).second) << tier.name;
    EXPECT_EQ(0u, tier.bit & (tier.bit - 1)) << tier.name;
    EXPECT_EQ(0u, tier.bit & bits) << tier.name;
    EXPECT_EQ(tier.name, std::string(IsaName(tier.bit)));
    bits |= tier.bit;
  }
  EXPECT_EQ(0u, IsaTiers().back().bit);
  EXPECT_TRUE(IsaTiers().back().is_available());
  EXPECT_EQ(std::string(IsaTiers().front().name), IsaName(~0u));
}

TEST(AvailableIsa, IsLoweredToTheNamedTierAndNeverRaised) {
  uint32_t above = 0;
  for (const IsaTier& tier : IsaTiers()) {
    const uint32_t isa = AvailableIsa(tier.name);
    EXPECT_EQ(0u, isa & above) << tier.name;
    EXPECT_EQ(0u, isa & ~RunnableIsa()) << tier.name;
    EXPECT_EQ(tier.is_available(), (isa & tier.bit) == tier.bit) << tier.name;
    above |= tier.bit;
  }
}

TEST(AvailableIsa, HasNoLimitWithoutTheNameOfATier) {
  const uint32_t best = AvailableIsa(IsaTiers().front().name);
  EXPECT_EQ(best, AvailableIsa(""));
  EXPECT_EQ(best, AvailableIsa("AVX2"));
  EXPECT_EQ(best, AvailableIsa("avx"));
}

TEST(AvailableIsa, TriesOpenBlasOnlyWhereNothingBetterIsThere) {
  const uint32_t isa = AvailableIsa("");
  EXPECT_TRUE((isa & kIsaBlas) == 0 || isa == kIsaBlas);
}

}  // namespace
}  // namespace finback
