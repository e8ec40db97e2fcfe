// Attention tiles and index scores against their scalar twins and double precision.
#include "core/kernels/exp.h"
#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

struct State {
  std::vector<float> max, sum, acc;

  State(size_t heads, size_t head_dim) : max(heads, -INFINITY), sum(heads), acc(heads * head_dim) {}
};

// The state has a maximum for each head.
void RunTile(AttentionTileFunction function, const std::vector<float>& q, const float* keys,
             size_t head_dim, size_t count, State& state) {
  function({.q = q.data(),
            .keys = keys,
            .heads = state.max.size(),
            .head_dim = head_dim,
            .count = count,
            .scale = 1.0f / std::sqrt(static_cast<float>(head_dim)),
            .max = state.max.data(),
            .sum = state.sum.data(),
            .acc = state.acc.data()});
}

// The rows above the scalar one, which is what they are compared with.
template <typename Function>
std::vector<Kernel<Function>> AboveScalar(KernelList<Function> list) {
  return {list.begin(), list.end() - 1};
}

class AttentionTileTest : public ::testing::TestWithParam<Kernel<AttentionTileFunction>> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name;
  }
  AttentionTileFunction function() const { return GetParam().function; }
};
INSTANTIATE_TEST_SUITE_P(All, AttentionTileTest,
                         ::testing::ValuesIn(KernelsOf(&Kernels::attention_tile)),
                         [](const auto& test) { return std::string(test.param.name); });

class AttentionTwinTest : public AttentionTileTest {};
INSTANTIATE_TEST_SUITE_P(All, AttentionTwinTest,
                         ::testing::ValuesIn(AboveScalar(KernelsOf(&Kernels::attention_tile))),
                         [](const auto& test) { return std::string(test.param.name); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AttentionTwinTest);

class IndexScoreTest : public ::testing::TestWithParam<Kernel<IndexScoreFunction>> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name;
  }
  IndexScoreFunction function() const { return GetParam().function; }
};
INSTANTIATE_TEST_SUITE_P(All, IndexScoreTest, ::testing::ValuesIn(KernelsOf(&Kernels::index_score)),
                         [](const auto& test) { return std::string(test.param.name); });

class IndexScoreTwinTest : public IndexScoreTest {};
INSTANTIATE_TEST_SUITE_P(All, IndexScoreTwinTest,
                         ::testing::ValuesIn(AboveScalar(KernelsOf(&Kernels::index_score))),
                         [](const auto& test) { return std::string(test.param.name); });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(IndexScoreTwinTest);

TEST(ExpNonPositive, IsWithinTwoUlpAndZeroFarBelow) {
  double worst = 0.0;
  for (int i = 0; i <= 870000; ++i) {
    const float x = -static_cast<float>(i) * 1e-4f;
    const double exact = std::exp(double{x});
    const float found = ExpNonPositive(x);
    const double ulp = std::ldexp(1.0, std::ilogb(exact) - 23);
    worst = std::max(worst, std::fabs(found - exact) / ulp);
  }
  EXPECT_LE(worst, 2.0);
  EXPECT_EQ(1.0f, ExpNonPositive(0.0f));
  EXPECT_EQ(1.0f, ExpNonPositive(-0.0f));
  EXPECT_EQ(0.0f, ExpNonPositive(-88.0f));
  EXPECT_EQ(0.0f, ExpNonPositive(-INFINITY));
}

// Scores and softmax weights are equal because products of bfloat16 are exact; the weighted sum of
// keys is fused in SIMD kernels only.
TEST_P(AttentionTwinTest, EqualsItsScalarTwin) {
  Random random(kSeed);
  const AttentionTileFunction scalar = KernelsOf(&Kernels::attention_tile).back().function;
  for (const size_t head_dim : {1u, 8u, 16u, 33u, 70u, 128u, 512u}) {
    for (const size_t heads : {1u, 2u, 3u, 5u, 67u}) {
      if (heads == 67 && head_dim > 70) continue;
      State expected(heads, head_dim), found(heads, head_dim);
      std::vector<float> q = random.Normals(heads * head_dim);
      for (float& v : q) v = RoundBf16(v);
      for (const size_t count : {64u, 1u, 7u, 8u, 17u, 63u}) {
        std::vector<float> keys = random.Normals(count * head_dim);
        for (float& v : keys) v = RoundBf16(v);
        RunTile(scalar, q, keys.data(), head_dim, count, expected);
        RunTile(function(), q, keys.data(), head_dim, count, found);
        SCOPED_TRACE(::testing::Message() << "seed " << kSeed << " head_dim " << head_dim
                                          << " heads " << heads << " count " << count);
        ASSERT_TRUE(SameFloats(expected.max, found.max));
        ASSERT_TRUE(SameFloats(expected.sum, found.sum));
        for (size_t i = 0; i < found.acc.size(); ++i) {
          const double bound =
              0x1p-23 * 161 * LargestMagnitude(keys) * expected.sum[i / head_dim] * 2;
          ASSERT_NEAR(expected.acc[i], found.acc[i], bound) << i;
        }
      }
    }
  }
}

TEST_P(AttentionTileTest, IsASoftmaxOverAllTiles) {
  Random random(kSeed + 1);
  const size_t heads = 4, head_dim = 72, total = 64 + 64 + 13;
  const std::vector<float> q = random.Normals(heads * head_dim);
  const std::vector<float> keys = random.Normals(total * head_dim);
  State state(heads, head_dim);
  for (size_t first = 0; first < total; first += 64) {
    RunTile(function(), q, keys.data() + first * head_dim, head_dim,
            std::min<size_t>(64, total - first), state);
  }
  for (size_t head = 0; head < heads; ++head) {
    std::vector<double> weight(total), value(head_dim);
    double sum = 0.0;
    for (size_t j = 0; j < total; ++j) {
      double dot = 0.0;
      for (size_t i = 0; i < head_dim; ++i)
        dot += double{q[head * head_dim + i]} * keys[j * head_dim + i];
      weight[j] = std::exp(dot / std::sqrt(double{head_dim}));
      sum += weight[j];
      for (size_t i = 0; i < head_dim; ++i) value[i] += weight[j] * keys[j * head_dim + i];
    }
    for (size_t i = 0; i < head_dim; ++i) {
      ASSERT_NEAR(value[i] / sum, state.acc[head * head_dim + i] / state.sum[head], 2e-6)
          << "seed " << kSeed + 1 << " head " << head << " channel " << i;
    }
  }
}

TEST_P(AttentionTileTest, GivesAHeadTheSameBitsWhateverHeadsAreInTheCall) {
  Random random(kSeed + 2);
  const size_t heads = 66, head_dim = 50, count = 29;
  const std::vector<float> q = random.Normals(heads * head_dim);
  const std::vector<float> keys = random.Normals(count * head_dim);
  State all(heads, head_dim);
  RunTile(function(), q, keys.data(), head_dim, count, all);
  for (size_t first = 0; first < heads; first += 3) {
    for (const size_t part : {1u, 2u, 3u}) {
      State some(part, head_dim);
      const std::vector<float> part_q(q.begin() + first * head_dim,
                                      q.begin() + std::min(heads, first + part) * head_dim);
      RunTile(function(), part_q, keys.data(), head_dim, count, some);
      const std::vector<float> expected(all.acc.begin() + first * head_dim,
                                        all.acc.begin() + (first + part) * head_dim);
      ASSERT_TRUE(SameFloats(expected, some.acc)) << "seed " << kSeed + 2 << " head " << first;
      ASSERT_EQ(all.sum[first], some.sum[0]);
    }
  }
}

TEST_P(AttentionTileTest, LeavesNoNanWhenEveryScoreIsMinusInfinity) {
  const size_t heads = 3, head_dim = 16;
  const std::vector<float> q(heads * head_dim, 3e38f);
  const std::vector<float> lost(5 * head_dim, -3e38f);
  State state(heads, head_dim);
  RunTile(function(), q, lost.data(), head_dim, 5, state);
  for (const float v : state.acc) ASSERT_EQ(0.0f, v);
  for (const float v : state.sum) ASSERT_EQ(0.0f, v);
  for (const float v : state.max) ASSERT_EQ(-INFINITY, v);
  const std::vector<float> key(head_dim, 1e-38f);
  RunTile(function(), q, key.data(), head_dim, 1, state);
  for (const float v : state.sum) ASSERT_EQ(1.0f, v);
  for (const float v : state.acc) ASSERT_EQ(1e-38f, v);
}

std::vector<float> Scores(IndexScoreFunction function, const std::vector<float>& q,
                          const std::vector<float>& weight, const std::vector<float>& keys,
                          size_t width, bool round_bf16) {
  std::vector<float> score(keys.size() / width, NAN);
  function({q.data(), weight.data(), keys.data(), weight.size(), width, score.size(), round_bf16,
            score.data()});
  return score;
}

TEST_P(IndexScoreTwinTest, EqualsItsScalarTwinOnRoundedInputs) {
  Random random(kSeed + 3);
  const IndexScoreFunction scalar = KernelsOf(&Kernels::index_score).back().function;
  for (const size_t width : {16u, 20u, 64u, 128u}) {
    for (const size_t heads : {1u, 2u, 64u}) {
      for (const size_t count : {1u, 2u, 7u, 8u, 9u, 40u}) {
        const std::vector<float> q = random.Bf16Values(heads * width);
        const std::vector<float> keys = random.Bf16Values(count * width);
        const std::vector<float> weight = random.Bf16Values(heads);
        for (const bool round : {false, true}) {
          ASSERT_TRUE(SameFloats(Scores(scalar, q, weight, keys, width, round),
                                 Scores(function(), q, weight, keys, width, round)))
              << "seed " << kSeed + 3 << " width " << width << " heads " << heads << " count "
              << count << " round " << round;
        }
      }
    }
  }
}

TEST_P(IndexScoreTest, IsWithinRoundingOfDoublePrecision) {
  Random random(kSeed + 4);
  const size_t heads = 9, width = 37, count = 11;
  const std::vector<float> q = random.Normals(heads * width), keys = random.Normals(count * width);
  const std::vector<float> weight = random.Normals(heads);
  const std::vector<float> exact = Scores(function(), q, weight, keys, width, false);
  const std::vector<float> rounded = Scores(function(), q, weight, keys, width, true);
  for (size_t key = 0; key < count; ++key) {
    double score = 0.0, magnitude = 0.0;
    for (size_t head = 0; head < heads; ++head) {
      double dot = 0.0;
      for (size_t i = 0; i < width; ++i) dot += double{q[head * width + i]} * keys[key * width + i];
      score += std::max(dot, 0.0) * weight[head];
      magnitude += std::fabs(dot * weight[head]);
    }
    EXPECT_NEAR(score, exact[key], 1e-5 * magnitude) << "seed " << kSeed + 4 << " key " << key;
    EXPECT_NEAR(score, rounded[key], 0.02 * magnitude) << "seed " << kSeed + 4 << " key " << key;
    EXPECT_EQ(RoundBf16(rounded[key]), rounded[key]);
  }
}

TEST_P(IndexScoreTest, GivesAKeyTheSameBitsWhateverKeysAreInTheCall) {
  Random random(kSeed + 5);
  const size_t heads = 8, width = 128, count = 21;
  const std::vector<float> q = random.Normals(heads * width), keys = random.Normals(count * width);
  const std::vector<float> weight = random.Normals(heads);
  const std::vector<float> all = Scores(function(), q, weight, keys, width, true);
  for (size_t key = 0; key < count; ++key) {
    const std::vector<float> one(keys.begin() + key * width, keys.begin() + (key + 1) * width);
    ASSERT_TRUE(SameBits(all[key], Scores(function(), q, weight, one, width, true)[0]))
        << "seed " << kSeed + 5 << " key " << key;
  }
}

TEST_P(IndexScoreTest, DropsNegativeDots) {
  const std::vector<float> q(16, 1.0f), keys(16, -1.0f);
  for (const float weight : {1.0f, -1.0f}) {
    EXPECT_EQ(0.0f, Scores(function(), q, {weight}, keys, 16, false)[0]);
  }
}

}  // namespace
}  // namespace finback
