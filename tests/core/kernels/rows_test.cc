// The steps between products: every kernel bit for bit its scalar twin, and that the formula.
#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

template <typename Function>
class RowsTest : public ::testing::TestWithParam<Kernel<Function>> {
 protected:
  void SetUp() override {
    const Kernel<Function>& kernel = this->GetParam();
    if (!CanRun(kernel.isa)) GTEST_SKIP() << "this machine lacks " << kernel.name;
  }
  Function function() const { return this->GetParam().function; }
};

#define FINBACK_TEST_ROWS(Operation, slot)                                                       \
  class Operation##Test : public RowsTest<Operation##Function> {};                               \
  INSTANTIATE_TEST_SUITE_P(All, Operation##Test, ::testing::ValuesIn(KernelsOf(&Kernels::slot)), \
                           [](const auto& test) { return std::string(test.param.name); })

FINBACK_TEST_ROWS(SumOfSquares, sum_of_squares);
FINBACK_TEST_ROWS(RmsNorm, rms_norm);
FINBACK_TEST_ROWS(HeadNorm, head_norm);
FINBACK_TEST_ROWS(Rotate, rotate);
FINBACK_TEST_ROWS(Hadamard, hadamard);
FINBACK_TEST_ROWS(SumStreams, sum_streams);
FINBACK_TEST_ROWS(MixStreams, mix_streams);
FINBACK_TEST_ROWS(Sinkhorn, sinkhorn);
FINBACK_TEST_ROWS(Swiglu, swiglu);
FINBACK_TEST_ROWS(SumRows, sum_rows);
FINBACK_TEST_ROWS(Pool, pool);

// Both are functions of a row in place, so that their slots hold the same type.
enum class Gate : uint8_t { kSigmoid, kSqrtSoftplus };
class GateTest : public ::testing::TestWithParam<std::pair<Gate, Kernel<SigmoidFunction>>> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().second.isa)) GTEST_SKIP() << GetParam().second.name;
  }
};
std::vector<std::pair<Gate, Kernel<SigmoidFunction>>> Gates() {
  std::vector<std::pair<Gate, Kernel<SigmoidFunction>>> all;
  for (const auto& kernel : KernelsOf(&Kernels::sigmoid)) all.push_back({Gate::kSigmoid, kernel});
  for (const auto& kernel : KernelsOf(&Kernels::sqrt_softplus)) {
    all.push_back({Gate::kSqrtSoftplus, kernel});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, GateTest, ::testing::ValuesIn(Gates()),
                         [](const auto& test) { return std::string(test.param.second.name); });

constexpr size_t kCounts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100, 257, 4096};
constexpr bool kRoundings[] = {false, true};

// Values of a wide range of magnitudes, some of them extreme.
std::vector<float> Values(size_t n, Random& random) {
  const float extremes[] = {0.0f,   -0.0f, 1e-30f, -1e30f, 88.0f, -88.0f,
                            1e-44f, 20.0f, -1.0f,  3e38f,  -86.9f};
  std::vector<float> x(n);
  for (float& v : x) {
    const size_t kind = random.Below(20);
    v = kind < 11 ? extremes[kind] : std::ldexp(random.Normal(), int(random.Below(12)) - 6);
    if (random.Below(3) != 0) v = random.Normal();
  }
  return x;
}

TEST_P(SumOfSquaresTest, EqualsTheDefinition) {
  Random random(kSeed);
  for (const size_t n : kCounts) {
    const std::vector<float> x = Values(n, random);
    const double expected = SumOfSquaresScalar(x.data(), n), found = function()(x.data(), n);
    ASSERT_EQ(0, memcmp(&expected, &found, sizeof found)) << n << " " << expected << " " << found;
  }
}

TEST_P(SumOfSquaresTest, AddsSquares) {
  std::vector<float> x(1000);
  std::iota(x.begin(), x.end(), 1.0f);
  EXPECT_EQ(function()(x.data(), x.size()), 333833500.0);
}

TEST_P(RmsNormTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 1);
  for (const size_t n : kCounts) {
    for (const bool bf16 : kRoundings) {
      const std::vector<float> x = Values(n, random), weight = Values(n, random);
      std::vector<float> expected(n), found(n + 1, 7.0f);
      RmsNormScalar({x.data(), weight.data(), n, 1e-6f, bf16, expected.data()});
      function()({x.data(), weight.data(), n, 1e-6f, bf16, found.data()});
      ASSERT_EQ(found.back(), 7.0f);
      found.pop_back();
      ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 1 << " n " << n;
      std::vector<float> in_place = x;
      function()({in_place.data(), weight.data(), n, 1e-6f, bf16, in_place.data()});
      ASSERT_TRUE(SameFloats(expected, in_place)) << n;
    }
  }
}

TEST_P(RmsNormTest, DividesByTheRootOfTheMeanSquare) {
  const std::vector<float> x = {3, 4}, weight = {1, 2};
  std::vector<float> y(2);
  function()({x.data(), weight.data(), 2, 0.0f, false, y.data()});
  EXPECT_FLOAT_EQ(y[0], 3 / std::sqrt(12.5f));
  EXPECT_FLOAT_EQ(y[1], 8 / std::sqrt(12.5f));
  function()({x.data(), weight.data(), 2, 0.0f, true, y.data()});
  EXPECT_EQ(y[0], RoundBf16(3 / std::sqrt(12.5f)));
}

TEST_P(HeadNormTest, EqualsTheDefinition) {
  Random random(kSeed + 2);
  for (const size_t n : kCounts) {
    for (const bool bf16 : kRoundings) {
      std::vector<float> expected = Values(n, random), found = expected;
      HeadNormScalar({expected.data(), n, 1e-6f, bf16});
      function()({found.data(), n, 1e-6f, bf16});
      ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 2 << " n " << n;
    }
  }
}

TEST_P(HeadNormTest, RoundsEveryStep) {
  std::vector<float> x = {1.0078125f, 3.0f, -2.015625f};
  const float squares = RoundBf16(x[0] * x[0]) + RoundBf16(x[1] * x[1]) + RoundBf16(x[2] * x[2]);
  const float mean = RoundBf16(RoundBf16(squares / 3) + 0.25f);
  const float scale = RoundBf16(1 / std::sqrt(mean));
  const std::vector<float> expected = {RoundBf16(x[0] * scale), RoundBf16(x[1] * scale),
                                       RoundBf16(x[2] * scale)};
  function()({x.data(), 3, 0.25f, true});
  EXPECT_TRUE(SameFloats(expected, x));
}

TEST_P(RotateTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 3);
  for (const size_t pairs : {1u, 2u, 3u, 4u, 5u, 8u, 11u, 32u, 33u}) {
    for (const bool inverse : {false, true}) {
      for (const bool bf16 : kRoundings) {
        const std::vector<float> c = random.Normals(pairs), s = random.Normals(pairs);
        std::vector<float> expected = Values(2 * pairs + 1, random), found = expected;
        RotateScalar({c.data(), s.data(), pairs, inverse, bf16, expected.data()});
        function()({c.data(), s.data(), pairs, inverse, bf16, found.data()});
        ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 3 << " pairs " << pairs;
      }
    }
  }
}

TEST_P(RotateTest, TurnsAQuarterForwardAndBack) {
  const float c[] = {0, 1}, s[] = {1, 0};
  std::vector<float> x = {1, 2, 3, 4};
  function()({c, s, 2, false, false, x.data()});
  EXPECT_EQ(x, (std::vector<float>{-2, 1, 3, 4}));
  function()({c, s, 2, true, false, x.data()});
  EXPECT_EQ(x, (std::vector<float>{1, 2, 3, 4}));
}

TEST_P(HadamardTest, EqualsTheDefinition) {
  Random random(kSeed + 4);
  for (size_t n = 1; n <= 512; n *= 2) {
    for (const bool bf16 : kRoundings) {
      std::vector<float> expected = random.Normals(n), found = expected;
      HadamardScalar({expected.data(), n, bf16});
      function()({found.data(), n, bf16});
      ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 4 << " n " << n;
    }
  }
}

TEST_P(HadamardTest, UnitVectorGivesSignedColumn) {
  std::vector<float> x(128, 0.0f);
  x[3] = 1;
  function()({x.data(), x.size(), true});
  const float sign[4] = {1, -1, -1, 1};
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i], sign[i % 4] * 0.08837890625f) << i;
}

TEST_P(HadamardTest, TwiceIsTheIdentity) {
  Random random(kSeed + 5);
  std::vector<float> x = random.Normals(64);
  const std::vector<float> original = x;
  for (int i = 0; i < 2; ++i) function()({x.data(), x.size(), false});
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], original[i], 2e-6f) << i;
}

TEST_P(SumStreamsTest, EqualsTheDefinition) {
  Random random(kSeed + 6);
  for (const size_t m : {1u, 2u, 4u, 5u, 16u}) {
    for (const size_t n : kCounts) {
      for (const bool bf16 : kRoundings) {
        const std::vector<float> streams = Values(m * n, random), weight = random.Normals(m);
        std::vector<float> expected(n), found(n);
        SumStreamsScalar({streams.data(), weight.data(), m, n, bf16, expected.data()});
        function()({streams.data(), weight.data(), m, n, bf16, found.data()});
        ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 6 << " m " << m << " " << n;
      }
    }
  }
}

TEST_P(MixStreamsTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 7);
  for (const size_t m : {1u, 2u, 4u, 5u, 16u}) {
    for (const size_t n : kCounts) {
      for (const bool bf16 : kRoundings) {
        const std::vector<float> y = Values(n, random), post = random.Normals(m);
        const std::vector<float> comb = random.Normals(m * m);
        std::vector<float> expected = Values(m * n + 1, random), found = expected;
        MixStreamsScalar({y.data(), post.data(), comb.data(), m, n, bf16, expected.data()});
        function()({y.data(), post.data(), comb.data(), m, n, bf16, found.data()});
        ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 7 << " m " << m << " " << n;
      }
    }
  }
}

TEST_P(MixStreamsTest, GoesFromSourceToDestination) {
  const float y[] = {10}, post[] = {1, 2}, comb[] = {3, 5, 7, 11};
  std::vector<float> streams = {1, 100};
  function()({y, post, comb, 2, 1, false, streams.data()});
  EXPECT_EQ(streams, (std::vector<float>{10 + 3 + 700, 20 + 5 + 1100}));
}

TEST_P(SinkhornTest, EqualsTheDefinition) {
  Random random(kSeed + 8);
  for (const size_t m : {1u, 2u, 3u, 4u, 8u, 16u}) {
    for (const int iterations : {1, 2, 20}) {
      for (const float spread : {1.0f, 30.0f, 1000.0f}) {
        std::vector<float> expected = random.Normals(m * m);
        for (float& v : expected) v *= spread;
        std::vector<float> found = expected;
        SinkhornScalar({expected.data(), m, iterations, 1e-6f});
        function()({found.data(), m, iterations, 1e-6f});
        ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 8 << " m " << m;
      }
    }
  }
}

TEST_P(SinkhornTest, MakesRowsAndColumnsAddUpToOne) {
  Random random(kSeed + 9);
  std::vector<float> b = random.Normals(16);
  function()({b.data(), 4, 20, 1e-6f});
  for (size_t j = 0; j < 4; ++j) {
    EXPECT_NEAR(b[4 * j] + b[4 * j + 1] + b[4 * j + 2] + b[4 * j + 3], 1.0f, 1e-4f);
    EXPECT_NEAR(b[j] + b[4 + j] + b[8 + j] + b[12 + j], 1.0f, 1e-4f);
  }
}

TEST_P(GateTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 10);
  const auto definition = GetParam().first == Gate::kSigmoid ? SigmoidScalar : SqrtSoftplusScalar;
  for (const size_t n : kCounts) {
    std::vector<float> expected = Values(n + 1, random), found = expected;
    definition(expected.data(), n);
    GetParam().second.function(found.data(), n);
    ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 10 << " n " << n;
  }
}

TEST_P(GateTest, IsWithinFourUlpOfTheFormula) {
  for (double at = -80; at <= 80; at += 0.0371) {
    const float x = static_cast<float>(at);
    const double exact = GetParam().first == Gate::kSigmoid
                             ? 1 / (1 + std::exp(-double{x}))
                             : std::sqrt(std::log1p(std::exp(double{x})));
    float found = x;
    GetParam().second.function(&found, 1);
    EXPECT_NEAR(found, exact, exact * 4 * 6e-8) << x;
  }
}

TEST_P(SwigluTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 11);
  for (const size_t n : kCounts) {
    for (const float limit : {0.0f, 10.0f}) {
      for (const bool bf16 : kRoundings) {
        const std::vector<float> up = Values(n, random);
        std::vector<float> expected = Values(n + 1, random), found = expected;
        SwigluScalar({up.data(), n, limit, 0.7f, bf16, expected.data()});
        function()({up.data(), n, limit, 0.7f, bf16, found.data()});
        ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 11 << " n " << n;
      }
    }
  }
}

TEST_P(SwigluTest, LimitsGateFromAboveAndUpOnBothSides) {
  for (const auto& [g, u] : {std::pair{12.0f, -13.0f}, {-12.0f, 11.0f}, {0.5f, 2.0f}}) {
    const double limited = std::min(double{g}, 10.0);
    const double expected =
        0.5 * (limited / (1 + std::exp(-limited)) * std::clamp(double{u}, -10.0, 10.0));
    float found = g;
    function()({&u, 1, 10.0f, 0.5f, false, &found});
    EXPECT_NEAR(found, expected, std::fabs(expected) * 5e-7) << g;
  }
}

TEST_P(SumRowsTest, EqualsTheDefinition) {
  Random random(kSeed + 12);
  for (const size_t n : kCounts) {
    for (const bool bf16 : kRoundings) {
      const std::vector<float> x = Values(9 * n, random);
      const int32_t row[] = {3, 0, 8, 8, 5, 1, 7};
      std::vector<float> expected(n), found(n);
      SumRowsScalar({x.data(), row, 7, n, bf16, expected.data()});
      function()({x.data(), row, 7, n, bf16, found.data()});
      ASSERT_TRUE(SameFloats(expected, found)) << "seed " << kSeed + 12 << " n " << n;
    }
  }
}

TEST_P(SumRowsTest, AddsTheRowsNamed) {
  const float x[] = {1, 2, 10, 20, 100, 200};
  const int32_t row[] = {2, 0};
  std::vector<float> y(2);
  function()({x, row, 2, 2, false, y.data()});
  EXPECT_EQ(y, (std::vector<float>{101, 202}));
}

TEST_P(PoolTest, EqualsTheDefinitionAndWritesNothingBeyond) {
  Random random(kSeed + 13);
  for (const size_t n : kCounts) {
    const std::vector<float> value = random.Normals(n), top(n, 3.0f);
    std::vector<float> gate = Values(n, random);
    for (float& v : gate) v = std::min(v, 3.0f);
    std::vector<float> total = random.Normals(n + 1), sum = random.Normals(n + 1);
    std::vector<float> found_total = total, found_sum = sum;
    PoolScalar({gate.data(), value.data(), top.data(), n, total.data(), sum.data()});
    function()({gate.data(), value.data(), top.data(), n, found_total.data(), found_sum.data()});
    ASSERT_TRUE(SameFloats(total, found_total)) << "seed " << kSeed + 13 << " n " << n;
    ASSERT_TRUE(SameFloats(sum, found_sum)) << "seed " << kSeed + 13 << " n " << n;
  }
}

TEST_P(PoolTest, WeighsByTheExponential) {
  const float gate[] = {1}, value[] = {10}, top[] = {2};
  float total = 1, sum = 5;
  function()({gate, value, top, 1, &total, &sum});
  EXPECT_FLOAT_EQ(total, 1 + std::exp(-1.0f));
  EXPECT_FLOAT_EQ(sum, 5 + 10 * std::exp(-1.0f));
}

}  // namespace
}  // namespace finback
