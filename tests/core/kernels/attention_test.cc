// The operations of attention against their scalar twins and double precision.
#include "core/kernels/attention/exp.h"
#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

std::vector<Bf16> Codes(const std::vector<float>& x) {
  std::vector<Bf16> codes;
  for (const float v : x) codes.push_back(FloatToBf16(v));
  return codes;
}

// A test over all kernels of a slot: the machine's own against the last one, the definition.
#define FINBACK_SLOT_TEST(Test, Function, slot)                                              \
  class Test : public ::testing::TestWithParam<Kernel<Function>> {                           \
   protected:                                                                                \
    void SetUp() override {                                                                  \
      if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name; \
    }                                                                                        \
    Function function() const { return GetParam().function; }                                \
    Function scalar() const { return KernelsOf(&Kernels::slot).back().function; }            \
  };                                                                                         \
  INSTANTIATE_TEST_SUITE_P(All, Test, ::testing::ValuesIn(KernelsOf(&Kernels::slot)),        \
                           [](const auto& test) { return std::string(test.param.name); })

FINBACK_SLOT_TEST(PairProductTest, PairProductFunction, pair_product);
FINBACK_SLOT_TEST(SoftmaxTest, SoftmaxFunction, softmax);
FINBACK_SLOT_TEST(EntryCodesTest, EntryCodesFunction, entry_codes);
FINBACK_SLOT_TEST(KeysByChannelTest, ArrangeFunction, keys_by_channel);
FINBACK_SLOT_TEST(KeysByKeyTest, ArrangeFunction, keys_by_key);
FINBACK_SLOT_TEST(CodesInPlaceTest, CodesInPlaceFunction, codes_in_place);
FINBACK_SLOT_TEST(ScaleTest, ScaleFunction, scale);

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

// A product's operands, with the first and the last row of b elsewhere or not.
struct Operands {
  size_t rows, pairs, columns;
  std::vector<Bf16> a, b, head, tail;
  std::vector<float> c;

  Operands(Random& random, size_t rows_in, size_t pairs_in, size_t columns_in)
      : rows(rows_in),
        pairs(pairs_in),
        columns(columns_in),
        a(Codes(random.Bf16Values(rows * 2 * pairs))),
        b(Codes(random.Bf16Values(pairs * 2 * columns))),
        head(Codes(random.Bf16Values(2 * columns))),
        tail(Codes(random.Bf16Values(2 * columns))),
        c(random.Normals(rows * columns)) {}

  std::vector<float> Run(PairProductFunction function, bool add, bool ends) const {
    std::vector<float> out = c;
    function({.a = a.data(),
              .a_stride = 2 * pairs,
              .b = b.data(),
              .b_stride = 2 * columns,
              .head = ends ? head.data() : nullptr,
              .tail = ends ? tail.data() : nullptr,
              .rows = rows,
              .pairs = pairs,
              .columns = columns,
              .c = out.data(),
              .c_stride = columns,
              .add = add});
    return out;
  }
};

TEST_P(PairProductTest, EqualsItsScalarTwin) {
  Random random(kSeed);
  for (const size_t columns : {1u, 7u, 16u, 33u, 64u, 96u, 133u}) {
    for (const size_t rows : {1u, 2u, 5u, 6u, 13u}) {
      for (const size_t pairs : {1u, 2u, 31u, 70u}) {
        const Operands operands(random, rows, pairs, columns);
        for (const bool add : {false, true}) {
          for (const bool ends : {false, true}) {
            ASSERT_TRUE(
                SameFloats(operands.Run(scalar(), add, ends), operands.Run(function(), add, ends)))
                << "seed " << kSeed << " columns " << columns << " rows " << rows << " pairs "
                << pairs << " add " << add << " ends " << ends;
          }
        }
      }
    }
  }
}

TEST_P(PairProductTest, AddsTheOddElementThenTheEvenOneRoundingOnce) {
  // 1 + 2^-24 is 1, so 2^-24 comes through only after the 1 has been taken off.
  const float tiny = 0x1p-24f;
  for (const bool odd_first : {true, false}) {
    const std::vector<Bf16> a = Codes({odd_first ? -1.0f : tiny, odd_first ? tiny : -1.0f});
    const std::vector<Bf16> b = Codes({1.0f, 1.0f});
    float c = 1.0f;
    function()({a.data(), 2, b.data(), 2, nullptr, nullptr, 1, 1, 1, &c, 1, true});
    EXPECT_EQ(odd_first ? 0.0f : tiny, c);
  }
}

TEST_P(PairProductTest, GivesARowTheSameBitsWhateverElseIsInTheCall) {
  Random random(kSeed + 1);
  const Operands all(random, 17, 40, 144);
  const std::vector<float> expected = all.Run(function(), true, true);
  for (size_t row = 0; row < all.rows; ++row) {
    for (const size_t from : {0u, 16u, 80u}) {
      Operands part = all;
      part.rows = 1;
      part.a.assign(all.a.begin() + row * 80, all.a.begin() + (row + 1) * 80);
      std::vector<float> c(all.c.begin() + row * 144 + from, all.c.begin() + (row + 1) * 144);
      function()({part.a.data(), 80, all.b.data() + 2 * from, 288, all.head.data() + 2 * from,
                  all.tail.data() + 2 * from, 1, 40, 144 - from, c.data(), 144, true});
      ASSERT_TRUE(
          SameFloats({expected.begin() + row * 144 + from, expected.begin() + (row + 1) * 144}, c))
          << "seed " << kSeed + 1 << " row " << row << " from " << from;
    }
  }
}

TEST_P(SoftmaxTest, EqualsItsScalarTwin) {
  Random random(kSeed + 2);
  for (const size_t slots : {16u, 32u, 112u, 512u}) {
    for (const bool round : {false, true}) {
      std::vector<float> expected = random.Normals(slots);
      for (size_t i = 0; i < slots; i += 5) expected[i] = -INFINITY;
      for (size_t i = 3; i < slots; i += 9) expected[i] *= 300.0f;
      std::vector<float> found = expected;
      const SoftmaxSums a = scalar()({expected.data(), slots, 0.3f, round});
      const SoftmaxSums b = function()({found.data(), slots, 0.3f, round});
      EXPECT_EQ(a.largest, b.largest);
      EXPECT_EQ(a.sum, b.sum) << slots;
      const size_t bytes = slots * (round ? sizeof(Bf16) : sizeof(float));
      EXPECT_EQ(0, memcmp(expected.data(), found.data(), bytes)) << slots << " round " << round;
    }
  }
}

TEST_P(SoftmaxTest, IsTheExponentialOverTheSum) {
  Random random(kSeed + 3);
  const size_t slots = 208;
  const std::vector<float> scores = random.Normals(slots);
  std::vector<float> weights = scores;
  const SoftmaxSums sums = function()({weights.data(), slots, 1.5f, false});
  double largest = -INFINITY, sum = 0.0;
  for (const float score : scores) largest = std::max(largest, 1.5 * double{score});
  for (const float score : scores) sum += std::exp(1.5 * double{score} - largest);
  EXPECT_NEAR(largest, sums.largest, 1e-6);
  EXPECT_NEAR(sum, sums.sum, 1e-5 * sum);
  for (size_t i = 0; i < slots; ++i) {
    ASSERT_NEAR(std::exp(1.5 * double{scores[i]} - largest), weights[i], 2e-6) << i;
  }
}

TEST_P(SoftmaxTest, WeighsNothingWhereEveryScoreIsMinusInfinityOrNan) {
  std::vector<float> scores(16, -INFINITY);
  scores[3] = NAN;
  const SoftmaxSums sums = function()({scores.data(), 16, 1.0f, false});
  EXPECT_EQ(-INFINITY, sums.largest);
  EXPECT_EQ(0.0f, sums.sum);
  for (const float weight : scores) EXPECT_EQ(0.0f, weight);
}

TEST_P(EntryCodesTest, EqualsItsScalarTwinAndTheUnpackedValues) {
  Random random(kSeed + 4);
  const UnpackKvFunction unpack = KernelsOf(&Kernels::unpack_kv).back().function;
  for (const KvFormat format : {KvFormat{512, 64}, KvFormat{128, 64}, KvFormat{70, 6}}) {
    std::vector<uint8_t> entry(format.Bytes());
    for (uint8_t& byte : entry) byte = random.Byte();
    const size_t packed = format.head_dim - format.rope_dim;
    for (size_t i = 0; i < packed; ++i) {
      if ((entry[i] & 0x7F) == 0x7F) entry[i] = 0;  // no NaN
    }
    for (size_t i = 0; i < packed / 64; ++i) {
      entry[packed + i] = static_cast<uint8_t>(40 + random.Below(180));
    }
    std::vector<float> values(format.head_dim);
    unpack(format, entry.data(), values.data());
    const std::vector<Bf16> exact = Codes(values);
    for (size_t begin = 0; begin < format.head_dim; begin += 64) {
      for (const size_t end : {std::min(begin + 64, packed), format.head_dim}) {
        if (end <= begin) continue;
        std::vector<Bf16> expected(end - begin), found(end - begin);
        scalar()({format, entry.data(), begin, end - begin, expected.data()});
        function()({format, entry.data(), begin, end - begin, found.data()});
        ASSERT_EQ(expected, found) << "seed " << kSeed + 4 << " begin " << begin;
        ASSERT_TRUE(std::equal(found.begin(), found.end(), exact.begin() + begin)) << begin;
      }
    }
  }
}

TEST_P(KeysByChannelTest, EqualsItsScalarTwin) {
  Random random(kSeed + 5);
  for (const size_t width : {2u, 15u, 16u, 50u, 128u, 512u}) {
    for (const size_t count : {1u, 8u, 37u, 64u}) {
      const std::vector<Bf16> rows = Codes(random.Normals(count * width));
      std::vector<Bf16> expected((width + 1) / 2 * 2 * kKeyTile, 1), found(expected.size(), 2);
      scalar()({rows.data(), width, count, width, expected.data()});
      function()({rows.data(), width, count, width, found.data()});
      ASSERT_EQ(expected, found) << "width " << width << " count " << count;
      ASSERT_EQ(rows[(count - 1) * width + width - 1],
                found[(width - 1) / 2 * 2 * kKeyTile + 2 * (count - 1) + (width - 1) % 2]);
    }
  }
}

TEST_P(KeysByKeyTest, EqualsItsScalarTwin) {
  Random random(kSeed + 6);
  for (const size_t width : {1u, 15u, 16u, 50u, 512u}) {
    for (const size_t count : {1u, 2u, 37u, 64u}) {
      const size_t stride = width + 3;
      const std::vector<Bf16> rows = Codes(random.Normals(count * stride));
      std::vector<Bf16> expected((count + 1) / 2 * 2 * width, 1), found(expected.size(), 2);
      scalar()({rows.data(), stride, count, width, expected.data()});
      function()({rows.data(), stride, count, width, found.data()});
      ASSERT_EQ(expected, found) << "width " << width << " count " << count;
      ASSERT_EQ(rows[(count - 1) * stride + width - 1],
                found[(count - 1) / 2 * 2 * width + 2 * (width - 1) + (count - 1) % 2]);
    }
  }
}

TEST_P(CodesInPlaceTest, PutsCodesWhereTheFloatsWere) {
  Random random(kSeed + 7);
  for (const size_t n : {1u, 16u, 37u, 512u}) {
    std::vector<float> x = random.Bf16Values(n);
    const std::vector<Bf16> expected = Codes(x);
    function()(x.data(), n);
    EXPECT_EQ(0, memcmp(expected.data(), x.data(), n * sizeof(Bf16))) << n;
  }
}

TEST_P(ScaleTest, MultipliesThenDivides) {
  Random random(kSeed + 8);
  for (const size_t n : {1u, 8u, 77u}) {
    std::vector<float> x = random.Normals(n), expected = x;
    for (float& v : expected) v = v * 0.7f / 3.1f;
    function()(x.data(), n, 0.7f, 3.1f);
    EXPECT_TRUE(SameFloats(expected, x));
  }
}

}  // namespace
}  // namespace finback
