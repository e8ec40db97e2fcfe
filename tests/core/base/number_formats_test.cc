#include "core/base/number_formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace finback {
namespace {

// Exact values as integers: every E4M3 value is a multiple of 2^-9, every E2M1 value of 1/2.
double ExactE4m3(int code) {
  const int exponent = (code >> 3) & 15, mantissa = code & 7;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

double ExactE2m1(int code) {
  const int exponent = (code >> 1) & 3, mantissa = code & 1;
  const double magnitude = exponent == 0 ? 0.5 * mantissa : std::ldexp(2 + mantissa, exponent - 2);
  return (code & 8) != 0 ? -magnitude : magnitude;
}

// Nearest-even over a table of ascending magnitudes whose index parity is the mantissa's parity.
int NearestEven(double magnitude, const std::vector<double>& table) {
  int best = 0;
  for (int code = 1; code < static_cast<int>(table.size()); ++code) {
    const double current = std::fabs(magnitude - table[static_cast<size_t>(best)]);
    const double next = std::fabs(magnitude - table[static_cast<size_t>(code)]);
    if (next < current || (next == current && code % 2 == 0)) best = code;
  }
  return best;
}

std::vector<double> E4m3Magnitudes() {
  std::vector<double> table;
  for (int code = 0; code <= 0x7E; ++code) table.push_back(ExactE4m3(code));
  return table;
}

std::vector<double> E2m1Magnitudes() {
  std::vector<double> table;
  for (int code = 0; code < 8; ++code) table.push_back(ExactE2m1(code));
  return table;
}

// Values at and next to every code and every midpoint of a format.
std::vector<float> Neighbourhoods(const std::vector<double>& magnitudes) {
  std::vector<float> values;
  const auto add = [&](double v) {
    const float f = static_cast<float>(v);
    EXPECT_EQ(static_cast<double>(f), v);
    for (float x : {f, std::nextafter(f, 1e30f), std::nextafter(f, -1e30f)}) {
      values.push_back(x);
      values.push_back(-x);
    }
  };
  for (size_t i = 0; i < magnitudes.size(); ++i) {
    add(magnitudes[i]);
    if (i > 0) add((magnitudes[i] + magnitudes[i - 1]) / 2);
  }
  return values;
}

TEST(E4m3, DecodesAll256Codes) {
  for (int code = 0; code < 256; ++code) {
    const float value = E4m3ToFloat(static_cast<uint8_t>(code));
    if ((code & 0x7F) == 0x7F) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    EXPECT_EQ(static_cast<double>(value), ExactE4m3(code)) << code;
    EXPECT_EQ(std::signbit(value), code >= 0x80) << code;
  }
  EXPECT_EQ(E4m3ToFloat(0x7E), 448.0f);
  EXPECT_EQ(E4m3ToFloat(0x01), 0.001953125f);
}

TEST(E4m3, EncodingADecodedCodeGivesTheCode) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7F) == 0x7F) continue;
    EXPECT_EQ(FloatToE4m3(E4m3ToFloat(static_cast<uint8_t>(code))), code);
  }
}

TEST(E4m3, RoundsToNearestEvenAroundEveryCodeAndTie) {
  const std::vector<double> table = E4m3Magnitudes();
  for (float value : Neighbourhoods(table)) {
    const int sign = std::signbit(value) ? 0x80 : 0;
    EXPECT_EQ(FloatToE4m3(value), NearestEven(std::fabs(value), table) | sign)
        << std::hexfloat << value;
  }
}

TEST(E4m3, RoundsEveryBf16ValueToNearestEven) {
  const std::vector<double> table = E4m3Magnitudes();
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const float value = Bf16ToFloat(static_cast<Bf16>(code));
    const int sign = code >= 0x8000 ? 0x80 : 0;
    if (std::isnan(value)) {
      EXPECT_EQ(FloatToE4m3(value) & 0x7F, 0x7F) << code;
    } else {
      const double magnitude = std::min(std::fabs(static_cast<double>(value)), 448.0);
      ASSERT_EQ(FloatToE4m3(value), NearestEven(magnitude, table) | sign) << code;
    }
  }
}

TEST(E4m3, EncodesThePublishedVectors) {
  const struct {
    float value;
    uint8_t code;
    float back;
  } cases[] = {
      {0.0f, 0x00, 0.0f},
      {-0.0f, 0x80, -0.0f},
      {0x1p-10f, 0x00, 0.0f},
      {std::nextafter(0x1p-10f, 1.0f), 0x01, 0x1p-9f},
      {0x1.8p-9f, 0x02, 0x1p-8f},
      {0.0146484375f, 0x08, 0.015625f},
      {1.0f, 0x38, 1.0f},
      {1.0625f, 0x38, 1.0f},
      {1.1875f, 0x3A, 1.25f},
      {17.0f, 0x58, 16.0f},
      {19.0f, 0x5A, 20.0f},
      {240.0f, 0x77, 240.0f},
      {248.0f, 0x78, 256.0f},
      {432.0f, 0x7E, 448.0f},
      {448.0f, 0x7E, 448.0f},
      {464.0f, 0x7E, 448.0f},
      {500.0f, 0x7E, 448.0f},
      {-3.3f, 0xC5, -3.25f},
      {std::numeric_limits<float>::infinity(), 0x7E, 448.0f},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(FloatToE4m3(c.value), c.code) << c.value;
    EXPECT_EQ(E4m3ToFloat(c.code), c.back) << c.value;
  }
}

TEST(E2m1, DecodesAll16Codes) {
  for (int code = 0; code < 16; ++code) {
    const float value = E2m1ToFloat(static_cast<uint8_t>(code));
    EXPECT_EQ(static_cast<double>(value), ExactE2m1(code)) << code;
    EXPECT_EQ(std::signbit(value), code >= 8) << code;
    EXPECT_EQ(FloatToE2m1(value), code);
  }
}

TEST(E2m1, RoundsToNearestEvenAroundEveryCodeAndTie) {
  const std::vector<double> table = E2m1Magnitudes();
  for (float value : Neighbourhoods(table)) {
    const int sign = std::signbit(value) ? 8 : 0;
    EXPECT_EQ(FloatToE2m1(value), NearestEven(std::fabs(value), table) | sign)
        << std::hexfloat << value;
  }
}

TEST(E2m1, EncodesThePublishedVectors) {
  const struct {
    float value, rounded;
  } cases[] = {{0.25f, 0},   {0.2500001f, 0.5f},
               {0.75f, 1},   {-0.75f, -1},
               {1.25f, 1},   {1.75f, 2},
               {2.5f, 2},    {-2.5f, -2},
               {3.5f, 4},    {5.0f, 4},
               {5.0001f, 6}, {7.0f, 6},
               {1e30f, 6},   {-std::numeric_limits<float>::infinity(), -6}};
  for (const auto& c : cases) EXPECT_EQ(E2m1ToFloat(FloatToE2m1(c.value)), c.rounded) << c.value;
}

TEST(E8m0, DecodesAll255CodesAndNan) {
  for (int code = 0; code < 255; ++code) {
    EXPECT_EQ(static_cast<double>(E8m0ToFloat(static_cast<uint8_t>(code))),
              std::ldexp(1.0, code - 127))
        << code;
  }
  EXPECT_TRUE(std::isnan(E8m0ToFloat(255)));
}

TEST(PowerOfTwo, IsExactOverTheWholeRange) {
  for (int exponent = -149; exponent <= 127; ++exponent) {
    EXPECT_EQ(static_cast<double>(PowerOfTwo(exponent)), std::ldexp(1.0, exponent)) << exponent;
  }
}

TEST(Bf16, RoundTripsEveryCode) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const float value = Bf16ToFloat(static_cast<Bf16>(code));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(RoundBf16(value))) << code;
    } else {
      ASSERT_EQ(FloatToBf16(value), code);
    }
  }
}

TEST(Bf16, RoundsEveryTieToTheEvenNeighbour) {
  for (uint32_t code = 0; code < 0x7F80; ++code) {
    const uint32_t tie = (code << 16) | 0x8000u;
    const uint32_t even = code + (code & 1u);
    for (uint32_t sign : {0u, 0x80000000u}) {
      const uint32_t high = sign >> 16;
      ASSERT_EQ(FloatToBf16(BitsToFloat(tie | sign)), even | high) << code;
      ASSERT_EQ(FloatToBf16(BitsToFloat((tie - 1) | sign)), code | high) << code;
      ASSERT_EQ(FloatToBf16(BitsToFloat((tie + 1) | sign)), (code + 1) | high) << code;
    }
  }
}

TEST(Bf16, KeepsNanWhosePayloadIsInTheLowHalf) {
  EXPECT_TRUE(std::isnan(RoundBf16(BitsToFloat(0x7F800001u))));
  EXPECT_TRUE(std::isnan(RoundBf16(BitsToFloat(0xFFFFFFFFu))));
}

// The smallest k with amax <= limit * 2^k. The comparison is exact: a product of a bfloat16 and a
// small integer limit times a power of two fits a double.
int SmallestExponent(double amax, double limit) {
  int k = -200;
  while (amax > limit * std::ldexp(1.0, k)) ++k;
  return k;
}

TEST(ScaleExponent, AgreesWithTheExactRationalForEveryBf16Maximum) {
  for (uint32_t code = 0; code < 0x7F80; ++code) {
    const float amax = Bf16ToFloat(static_cast<Bf16>(code));
    const int fp8 = amax < 1e-4f ? -22 : SmallestExponent(amax, 448);
    const int fp4 = amax < 6 * 0x1p-126f ? -126 : SmallestExponent(amax, 6);
    ASSERT_EQ(Fp8ScaleExponent(amax), fp8) << code;
    ASSERT_EQ(Fp4ScaleExponent(amax), fp4) << code;
  }
}

TEST(ScaleExponent, AgreesWithTheIntegerFormForEveryBf16Maximum) {
  for (uint32_t code = 0; code < 0x7F80; ++code) {
    const float amax = Bf16ToFloat(static_cast<Bf16>(code));
    const int x = static_cast<int>(code >> 7), mantissa = static_cast<int>(code & 127);
    const int fp8 = amax < 1e-4f ? -22 : x - 135 + (mantissa > 96 ? 1 : 0);
    const int fp4 = amax < 6 * 0x1p-126f ? -126 : x - 129 + (mantissa > 64 ? 1 : 0);
    ASSERT_EQ(Fp8ScaleExponent(amax), fp8) << code;
    ASSERT_EQ(Fp4ScaleExponent(amax), fp4) << code;
  }
}

TEST(ScaleExponent, GivesThePublishedVectors) {
  const struct {
    float amax;
    int fp8, fp4;
  } cases[] = {{0, -22, -126},  {1e-4f, -22, -15},    {1.0f, -8, -2}, {1.5f, -8, -2},
               {1.75f, -8, -1}, {1.7578125f, -7, -1}, {3.0f, -7, -1}, {3.015625f, -7, 0},
               {6.0f, -6, 0},   {448.0f, 0, 7},       {450.0f, 1, 7}};
  for (const auto& c : cases) {
    EXPECT_EQ(Fp8ScaleExponent(c.amax), c.fp8) << c.amax;
    EXPECT_EQ(Fp4ScaleExponent(c.amax), c.fp4) << c.amax;
  }
}

TEST(ScaleExponent, NeverSaturatesTheBlockMaximum) {
  for (uint32_t code = 0; code < 0x7F80; ++code) {
    const double amax = Bf16ToFloat(static_cast<Bf16>(code));
    ASSERT_LE(std::ldexp(amax, -Fp8ScaleExponent(static_cast<float>(amax))), 448.0) << code;
    ASSERT_LE(std::ldexp(amax, -Fp4ScaleExponent(static_cast<float>(amax))), 6.0) << code;
  }
}

}  // namespace
}  // namespace finback
