// Index scores against their scalar twins and double precision, and the choice of the largest.
#include <algorithm>

#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

// Packed queries or keys with scales of codes from `least` on, one of `scales`, and what they are
// worth.
struct Packed {
  size_t width;
  std::vector<uint8_t> bytes;

  Packed(Random& random, size_t count, size_t width_in, size_t scales = 8, size_t least = 123)
      : width(width_in) {
    const size_t stride = IndexKeyBytes(width);
    bytes.resize(count * stride);
    for (uint8_t& byte : bytes) byte = random.Byte();
    for (size_t i = 0; i < count; ++i) {
      for (size_t group = 0; group < width / kIndexGroup; ++group) {
        bytes[i * stride + width / 2 + group] = static_cast<uint8_t>(least + random.Below(scales));
      }
    }
  }
  std::vector<float> Values(size_t i) const {
    std::vector<float> values(width);
    KernelsOf(&Kernels::unpack_index)
        .back()
        .function(bytes.data() + i * IndexKeyBytes(width), width, values.data());
    return values;
  }
};

class IndexScoreTest : public ::testing::TestWithParam<Kernel<IndexScoreFunction>> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name;
  }
  IndexScoreFunction function() const { return GetParam().function; }
};
INSTANTIATE_TEST_SUITE_P(All, IndexScoreTest, ::testing::ValuesIn(KernelsOf(&Kernels::index_score)),
                         [](const auto& test) { return std::string(test.param.name); });

std::vector<int16_t> Scores(IndexScoreFunction function, const Packed& q,
                            const std::vector<float>& weight, const Packed& keys) {
  std::vector<int16_t> score(keys.bytes.size() / IndexKeyBytes(keys.width), 7);
  function({q.bytes.data(), IndexKeyBytes(q.width), weight.data(), keys.bytes.data(), weight.size(),
            q.width, score.size(), score.data()});
  return score;
}

TEST_P(IndexScoreTest, EqualsItsScalarTwin) {
  Random random(kSeed);
  const IndexScoreFunction scalar = KernelsOf(&Kernels::index_score).back().function;
  for (const size_t width : {32u, 64u, 128u, 288u}) {
    for (const size_t heads : {1u, 3u, 64u, 70u}) {
      for (const size_t count : {1u, 7u, 16u, 33u, 1040u}) {
        if (count == 1040 && (heads != 70 || width != 128)) continue;
        const Packed q(random, heads, width), keys(random, count, width);
        const std::vector<float> weight = random.Bf16Values(heads);
        ASSERT_EQ(Scores(scalar, q, weight, keys), Scores(function(), q, weight, keys))
            << "seed " << kSeed << " width " << width << " heads " << heads << " count " << count;
      }
    }
  }
}

TEST_P(IndexScoreTest, EqualsItsScalarTwinWithCloseScales) {
  Random random(kSeed + 5);
  const IndexScoreFunction scalar = KernelsOf(&Kernels::index_score).back().function;
  for (const size_t heads : {1u, 5u, 32u, 63u, 64u}) {
    for (const size_t count : {1u, 16u, 17u, 47u, 64u, 300u}) {
      for (const size_t scales : {1u, 4u}) {
        const Packed q(random, heads, 128, scales), keys(random, count, 128, scales);
        std::vector<float> weight = random.Bf16Values(heads);
        weight[random.Below(heads)] = 0.0f;
        ASSERT_EQ(Scores(scalar, q, weight, keys), Scores(function(), q, weight, keys))
            << "seed " << kSeed + 5 << " heads " << heads << " count " << count;
      }
    }
  }
}

TEST_P(IndexScoreTest, KeepsWeightsWhoseProductsAreSubnormal) {
  Random random(kSeed + 6);
  const IndexScoreFunction scalar = KernelsOf(&Kernels::index_score).back().function;
  const Packed q(random, 8, 128, 2), keys(random, 33, 128, 2);
  std::vector<float> weight = random.Bf16Values(8);
  for (float& w : weight) w *= 0x1p-126f;
  const std::vector<int16_t> expected = Scores(scalar, q, weight, keys);
  EXPECT_NE(expected, std::vector<int16_t>(33, 0));
  EXPECT_EQ(expected, Scores(function(), q, weight, keys));
}

// Products of scales and weights leave the normal numbers in all ways.
TEST_P(IndexScoreTest, EqualsItsScalarTwinForAnyNumbers) {
  Random random(kSeed + 7);
  const IndexScoreFunction scalar = KernelsOf(&Kernels::index_score).back().function;
  const size_t heads = 6, width = 128, count = 33;
  for (const size_t of_queries : {0u, 30u, 60u, 86u, 100u, 125u, 150u, 164u, 210u, 252u}) {
    for (const int exponent : {-140, -120, -100, -60, -36, 0, 14, 60, 100, 126}) {
      const Packed q(random, heads, width, 4, of_queries);
      std::vector<float> weight = random.Normals(heads);
      for (float& v : weight) v = std::ldexp(v, exponent);
      for (const size_t of_keys : {0u, 50u, 86u, 127u, 165u, 205u, 252u}) {
        const Packed keys(random, count, width, 4, of_keys);
        ASSERT_EQ(Scores(scalar, q, weight, keys), Scores(function(), q, weight, keys))
            << "seed " << kSeed + 7 << " scales from " << of_queries << " and " << of_keys
            << " weights around 2^" << exponent;
      }
    }
  }
}

TEST_P(IndexScoreTest, IsThePublishedSumOverHeadsWithItsRoundings) {
  Random random(kSeed + 1);
  const size_t heads = 9, width = 128, count = 41;
  const Packed q(random, heads, width), keys(random, count, width);
  const std::vector<float> weight = random.Bf16Values(heads);
  const std::vector<int16_t> found = Scores(function(), q, weight, keys);
  for (size_t i = 0; i < count; ++i) {
    const std::vector<float> key = keys.Values(i);
    float score = 0.0f;
    for (size_t head = 0; head < heads; ++head) {
      const std::vector<float> query = q.Values(head);
      double dot = 0.0;  // exact
      for (size_t k = 0; k < width; ++k) dot += double{query[k]} * double{key[k]};
      const float rounded = std::max(RoundBf16(static_cast<float>(dot)), 0.0f);
      score += RoundBf16(rounded * weight[head]);
    }
    ASSERT_EQ(ScoreCode(FloatToBf16(score)), found[i]) << "seed " << kSeed + 1 << " key " << i;
  }
}

TEST_P(IndexScoreTest, RanksNanWithTheLowest) {
  Random random(kSeed + 2);
  for (const size_t width : {64u, 128u}) {
    const Packed q(random, 2, width, 4), keys(random, 9, width, 4);
    for (const uint32_t bits : {0x7FC00000u, 0x7FFFFFFFu, 0xFFFFFFFFu, 0xFFC00000u}) {
      for (const int16_t score : Scores(function(), q, {BitsToFloat(bits), 1.0f}, keys)) {
        EXPECT_EQ(kLowestScore, score) << width << " channels, weight " << std::hex << bits;
      }
    }
  }
}

TEST(ScoreCode, OrdersAsTheValuesDo) {
  int16_t before = kLowestScore;
  for (uint32_t code = 0xFF80; code > 0x8000; --code) {
    ASSERT_GE(ScoreCode(static_cast<Bf16>(code)), before);
    before = ScoreCode(static_cast<Bf16>(code));
  }
  EXPECT_LT(before, 0);
  EXPECT_EQ(0, ScoreCode(0x8000));
  EXPECT_EQ(0, ScoreCode(0));
  for (uint32_t code = 1; code <= 0x7F80; ++code) {
    ASSERT_EQ(static_cast<int16_t>(code), ScoreCode(static_cast<Bf16>(code)));
  }
  EXPECT_EQ(kLowestScore, ScoreCode(0x7FC0));
  EXPECT_EQ(kLowestScore, ScoreCode(0xFFC1));
  EXPECT_EQ(kLowestScore, ScoreCode(0xFF80));
}

class CountAtLeastTest : public ::testing::TestWithParam<Kernel<CountAtLeastFunction>> {};
INSTANTIATE_TEST_SUITE_P(All, CountAtLeastTest,
                         ::testing::ValuesIn(KernelsOf(&Kernels::count_at_least)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(CountAtLeastTest, CountsAnyNumberOfScores) {
  if (!CanRun(GetParam().isa)) GTEST_SKIP();
  Random random(kSeed + 3);
  for (const size_t count : {0u, 1u, 63u, 64u, 1000u, 600000u}) {
    std::vector<int16_t> score(count);
    for (int16_t& v : score) v = static_cast<int16_t>(random.Below(200)) - 100;
    for (const int16_t least : {INT16_MIN, -100, 0, 99, 100, INT16_MAX}) {
      const auto expected =
          std::count_if(score.begin(), score.end(), [&](int16_t v) { return v >= least; });
      ASSERT_EQ(static_cast<size_t>(expected), GetParam().function(score.data(), count, least))
          << count << " at least " << least;
    }
  }
}

class TakeAtLeastTest : public ::testing::TestWithParam<Kernel<TakeAtLeastFunction>> {};
INSTANTIATE_TEST_SUITE_P(All, TakeAtLeastTest,
                         ::testing::ValuesIn(KernelsOf(&Kernels::take_at_least)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(TakeAtLeastTest, TakesTheFirstOfEqualScores) {
  if (!CanRun(GetParam().isa)) GTEST_SKIP();
  Random random(kSeed + 4);
  for (const size_t count : {5u, 32u, 300u, 4097u}) {
    for (const size_t many : {size_t{1}, count / 2, count}) {
      std::vector<int16_t> score(count);
      for (int16_t& v : score) v = static_cast<int16_t>(random.Below(9)) - 4;
      std::vector<int32_t> order(count);
      for (size_t i = 0; i < count; ++i) order[i] = static_cast<int32_t>(i);
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return score[a] > score[b]; });
      const int16_t least = score[order[many - 1]];
      order.resize(many);
      std::sort(order.begin(), order.end());
      std::vector<int32_t> found(many, -1);
      GetParam().function(score.data(), count, {least, many}, found.data());
      ASSERT_EQ(order, found) << "seed " << kSeed + 4 << " count " << count << " many " << many;
    }
  }
}

}  // namespace
}  // namespace finback
