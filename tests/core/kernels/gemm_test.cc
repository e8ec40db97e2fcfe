// Every matrix product kernel against its scalar twin, and the scalar one against double precision.
#include <algorithm>
#include <iterator>
#include <span>

#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

struct Matrix {
  GemmFormat format;
  size_t out, in;
  std::vector<uint8_t> bytes;  // the weights start at `offset`: no alignment is promised
  size_t offset;
  std::vector<uint8_t> scale;

  const uint8_t* weight() const { return bytes.data() + offset; }
};

size_t RowBytes(GemmFormat format, size_t in) {
  return format == kGemmF32    ? in * 4
         : format == kGemmBf16 ? in * 2
         : format == kGemmFp8  ? in
                               : in / 2;
}

// Random weights; scales are 2^(scale_center +- 3).
Matrix MakeMatrix(GemmFormat format, size_t out, size_t in, Random& random, int scale_center = -6) {
  Matrix m{format, out, in, {}, random.Below(4), {}};
  m.bytes.resize(m.offset + out * RowBytes(format, in));
  for (size_t i = m.offset; i < m.bytes.size(); ++i) {
    uint8_t code = random.Byte();
    if (format == kGemmFp8 && (code & 0x7F) == 0x7F) code = 0;
    m.bytes[i] = code;
  }
  for (size_t i = 0; i < out * in && format <= kGemmBf16; ++i) {
    const float value = format == kGemmF32 ? random.Normal() : RoundBf16(random.Normal());
    const Bf16 code = FloatToBf16(value);
    if (format == kGemmF32) std::memcpy(m.bytes.data() + m.offset + i * 4, &value, 4);
    if (format == kGemmBf16) std::memcpy(m.bytes.data() + m.offset + i * 2, &code, 2);
  }
  if (format == kGemmFp8) m.scale.resize((out + 127) / 128 * ((in + 127) / 128));
  if (format == kGemmFp4) m.scale.resize(out * in / 32);
  for (uint8_t& s : m.scale)
    s = static_cast<uint8_t>(127 + scale_center + int(random.Below(7)) - 3);
  return m;
}

double Weight(const Matrix& m, size_t o, size_t k) {
  const uint8_t* row = m.weight() + o * RowBytes(m.format, m.in);
  if (m.format == kGemmF32) {
    float value;
    std::memcpy(&value, row + k * 4, 4);
    return value;
  }
  if (m.format == kGemmBf16) {
    Bf16 code;
    std::memcpy(&code, row + k * 2, 2);
    return Bf16ToFloat(code);
  }
  if (m.format == kGemmFp8) {
    const int scale = m.scale[(o / 128) * ((m.in + 127) / 128) + k / 128];
    return std::ldexp(double{E4m3ToFloat(row[k])}, scale - 127);
  }
  const uint8_t nibble = k % 2 == 0 ? row[k / 2] & 15 : row[k / 2] >> 4;
  return std::ldexp(double{E2m1ToFloat(nibble)}, m.scale[(o * m.in + k) / 32] - 127);
}

// rows of y for outputs [begin, end), the rest untouched (NaN). x is as the kernel wants it.
std::vector<float> MultiplyPrepared(const GemmKernel& kernel, const Matrix& m,
                                    const std::vector<float>& x, size_t rows, size_t begin,
                                    size_t end) {
  std::vector<float> y(rows * m.out, NAN);
  kernel.multiply({.weight = m.weight(),
                   .scale = m.scale.data(),
                   .in = m.in,
                   .out_begin = begin,
                   .out_end = end,
                   .x = x.data(),
                   .x_stride = m.in,
                   .rows = rows,
                   .y = y.data(),
                   .y_stride = m.out,
                   .y_origin = 0});
  return y;
}
std::vector<float> Multiply(const GemmKernel& kernel, const Matrix& m, std::vector<float> x,
                            size_t rows, size_t begin, size_t end) {
  PrepareRows(kernel, m.in, rows, x.data(), m.in);
  return MultiplyPrepared(kernel, m, x, rows, begin, end);
}
std::vector<float> Multiply(const GemmKernel& kernel, const Matrix& m, const std::vector<float>& x,
                            size_t rows) {
  return Multiply(kernel, m, x, rows, 0, m.out);
}

GemmKernel Scalar(GemmFormat format) { return KernelsOf(GemmSlot(format)).back().function; }

std::vector<size_t> Widths(GemmFormat format) {
  if (format == kGemmFp4) return {32, 64, 96, 160, 480, 512, 544, 1056, 2080};
  return {1, 2, 7, 8, 15, 16, 17, 31, 33, 127, 128, 129, 145, 500, 512, 513, 529, 1025, 1300, 2049};
}

struct Case {
  GemmFormat format;
  Kernel<GemmKernel> kernel;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.kernel.name; }

constexpr GemmFormat kFormats[] = {kGemmF32, kGemmBf16, kGemmFp8, kGemmFp4};

// The scalar kernel on activations that were prepared by reversing them: what no kernel of the list
// needs to ask for is tested all the same.
void Reverse(float* x, size_t in) { std::reverse(x, x + in); }

template <GemmFormat kFormat>
void MultiplyReversed(const GemmArgs& args) {
  std::vector<float> x;
  for (size_t row = 0; row < args.rows; ++row) {
    const std::reverse_iterator end(args.x + row * args.x_stride);
    x.insert(x.end(), end - args.in, end);
  }
  GemmArgs natural = args;
  natural.x = x.data();
  natural.x_stride = args.in;
  Scalar(kFormat).multiply(natural);
}

const Kernel<GemmKernel> kReversed[] = {
    {0, "GemmF32Reversed", {MultiplyReversed<kGemmF32>, Reverse}},
    {0, "GemmBf16Reversed", {MultiplyReversed<kGemmBf16>, Reverse}},
    {0, "GemmFp8Reversed", {MultiplyReversed<kGemmFp8>, Reverse}},
    {0, "GemmFp4Reversed", {MultiplyReversed<kGemmFp4>, Reverse}},
};

// The kernels of the list, and one that has its activations prepared.
std::vector<Case> Cases(std::span<const GemmFormat> formats) {
  std::vector<Case> cases;
  for (const GemmFormat format : formats) {
    cases.push_back({format, kReversed[format]});
    for (const auto& kernel : KernelsOf(GemmSlot(format))) cases.push_back({format, kernel});
  }
  return cases;
}

// Without the scalar kernels, which the others are compared with.
std::vector<Case> TwinCases() {
  std::vector<Case> cases = Cases(kFormats);
  std::erase_if(
      cases, [](const Case& c) { return c.kernel.function.multiply == Scalar(c.format).multiply; });
  return cases;
}

std::vector<Case> OrderedCases() {
  std::vector<Case> cases = Cases(kFormats);
  std::erase_if(cases, [](const Case& c) { return (c.kernel.isa & kIsaBlas) != 0; });
  return cases;
}

class GemmTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!CanRun(GetParam().kernel.isa))
      GTEST_SKIP() << "this machine lacks " << GetParam().kernel.name;
  }
  GemmFormat format() const { return GetParam().format; }
  GemmKernel kernel() const { return GetParam().kernel.function; }
  bool blas() const { return (GetParam().kernel.isa & kIsaBlas) != 0; }
  // Reads activations as bfloat16, and takes what is subnormal as zero.
  bool reads_bf16() const { return (GetParam().kernel.isa & kIsaBf16Activations) != 0; }

  // Such as the kernel is made for.
  std::vector<float> Activations(std::vector<float> x) const {
    for (float& v : x) v = reads_bf16() ? RoundBf16(v) : v;
    return x;
  }
};

INSTANTIATE_TEST_SUITE_P(All, GemmTest, ::testing::ValuesIn(Cases(kFormats)),
                         [](const auto& test) { return std::string(test.param.kernel.name); });

class GemmTwinTest : public GemmTest {};

INSTANTIATE_TEST_SUITE_P(All, GemmTwinTest, ::testing::ValuesIn(TwinCases()),
                         [](const auto& test) { return std::string(test.param.kernel.name); });

class OrderedGemmTest : public GemmTest {};  // OpenBLAS has its own order

INSTANTIATE_TEST_SUITE_P(All, OrderedGemmTest, ::testing::ValuesIn(OrderedCases()),
                         [](const auto& test) { return std::string(test.param.kernel.name); });

class ScaledGemmTest : public GemmTest {};  // formats with scales

INSTANTIATE_TEST_SUITE_P(All, ScaledGemmTest,
                         ::testing::ValuesIn(Cases(std::span(kFormats).subspan(2))),
                         [](const auto& test) { return std::string(test.param.kernel.name); });

// Weights and activations as the published model has them: products are exact, so bits are equal.
// The order of OpenBLAS is its own: its sums are compared within rounding.
TEST_P(GemmTwinTest, EqualsItsScalarTwinWhereProductsAreExact) {
  Random random(kSeed);
  for (const size_t in : Widths(format())) {
    for (const size_t out : {1u, 3u, 4u, 9u, 131u}) {
      Matrix m = MakeMatrix(format(), out, in, random);
      if (format() == kGemmF32) {  // 11 significant bits
        for (size_t i = 0; i < out * in; ++i) {
          const float value = float(int(random.Below(4095)) - 2047) / 512.0f;
          std::memcpy(m.bytes.data() + m.offset + i * 4, &value, 4);
        }
      }
      for (const size_t rows : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 13u, 14u, 67u}) {
        if (rows * out * in > 1500000) continue;  // shapes, not sizes
        const std::vector<float> x = random.Bf16Values(rows * in);
        const std::vector<float> expected = Multiply(Scalar(format()), m, x, rows);
        const std::vector<float> found = Multiply(kernel(), m, x, rows);
        SCOPED_TRACE(::testing::Message()
                     << "seed " << kSeed << " in " << in << " out " << out << " rows " << rows);
        if (!blas()) {
          ASSERT_TRUE(SameFloats(expected, found));
          continue;
        }
        for (size_t i = 0; i < expected.size(); ++i) {
          double magnitude = 0.0;
          for (size_t k = 0; k < in; ++k) {
            magnitude += std::fabs(x[i / out * in + k] * Weight(m, i % out, k));
          }
          ASSERT_NEAR(expected[i], found[i], 1.2e-7 * double(in + 1) * magnitude) << i;
        }
      }
    }
  }
}

// The order of gemm.h in words of its own: sums of a row's exact products, each rounded once.
// `first` says which of a pair comes first (1: as the contract has it).
float InOrder(const std::vector<double>& products, size_t first) {
  float sums[16] = {};
  const auto add = [&](size_t l, size_t k) {
    if (k < products.size()) sums[l] = static_cast<float>(sums[l] + products[k]);
  };
  for (size_t k = 0; k < products.size(); k += 32) {
    for (size_t l = 0; l < 16; ++l) {
      add(l, k + 2 * l + first);
      add(l, k + 2 * l + (1 - first));
    }
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) sums[l] += sums[l + half];
  }
  return sums[0];
}

TEST_P(OrderedGemmTest, AddsInTheOrderOfTheContract) {
  Random random(kSeed + 10);
  const size_t out = 5, rows = 5;
  size_t depends = 0;
  for (const size_t in : Widths(format())) {
    const Matrix m = MakeMatrix(format(), out, in, random);
    std::vector<float> x = random.Bf16Values(rows * in);
    if (format() == kGemmF32) {
      for (float& v : x) v = std::ldexp(1.0f, int(random.Below(24)) - 12);  // products stay exact
    }
    const std::vector<float> found = Multiply(kernel(), m, x, rows);
    for (size_t i = 0; i < found.size(); ++i) {
      std::vector<double> products(in);
      for (size_t k = 0; k < in; ++k) products[k] = x[i / out * in + k] * Weight(m, i % out, k);
      ASSERT_TRUE(SameBits(InOrder(products, 1), found[i]))
          << "seed " << kSeed + 10 << " in " << in << " row " << i / out << " output " << i % out;
      depends += InOrder(products, 0) != found[i];
    }
  }
  EXPECT_GT(depends, 20u) << "sums that another order would give too";
}

TEST_P(GemmTest, IsWithinRoundingOfDoublePrecision) {
  Random random(kSeed + 1);
  for (const size_t in : Widths(format())) {
    const size_t out = 11;
    const Matrix m = MakeMatrix(format(), out, in, random);
    for (const size_t rows : {1u, 3u, 10u}) {
      const std::vector<float> x = Activations(random.Normals(rows * in));
      const std::vector<float> found = Multiply(kernel(), m, x, rows);
      double largest = 0.0;
      for (size_t i = 0; i < out * in; ++i)
        largest = std::max(largest, std::fabs(Weight(m, i / in, i % in)));
      const double tolerance = 0x1p-23 * double(in + 1) * LargestMagnitude(x) * largest * 2;
      for (size_t row = 0; row < rows; ++row) {
        for (size_t o = 0; o < out; ++o) {
          double sum = 0.0;
          for (size_t k = 0; k < in; ++k) sum += x[row * in + k] * Weight(m, o, k);
          ASSERT_NEAR(sum, found[row * out + o], tolerance)
              << "seed " << kSeed + 1 << " in " << in << " row " << row << " output " << o;
        }
      }
    }
  }
}

TEST_P(GemmTest, GivesARowTheSameBitsHoweverManyRowsThereAre) {
  Random random(kSeed + 2);
  for (const size_t in : {size_t{96}, size_t{1056}, size_t{format() == kGemmFp4 ? 544u : 541u}}) {
    const size_t out = 70, rows = 75;
    const Matrix m = MakeMatrix(format(), out, in, random);
    const std::vector<float> x = Activations(random.Normals(rows * in));
    const std::vector<float> all = Multiply(kernel(), m, x, rows);
    for (const size_t count : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 65u}) {
      for (size_t first = 0; first + count <= rows; first += 9) {
        const std::vector<float> part(x.begin() + first * in, x.begin() + (first + count) * in);
        const std::vector<float> expected(all.begin() + first * out,
                                          all.begin() + (first + count) * out);
        ASSERT_TRUE(SameFloats(expected, Multiply(kernel(), m, part, count)))
            << "seed " << kSeed + 2 << " in " << in << " rows " << first << " + " << count;
      }
    }
  }
}

TEST_P(GemmTest, GivesAnOutputTheSameBitsHoweverOutputsAreSplit) {
  Random random(kSeed + 3);
  const size_t out = 300, in = 544;
  const Matrix m = MakeMatrix(format(), out, in, random);
  for (const size_t rows : {1u, 2u, 3u, 4u, 5u, 8u}) {
    const std::vector<float> x = Activations(random.Normals(rows * in));
    const std::vector<float> all = Multiply(kernel(), m, x, rows);
    for (const size_t grain : {1u, 3u, 5u, 64u, 100u}) {
      std::vector<float> joined(rows * out, NAN);
      for (size_t begin = 0; begin < out; begin += grain) {
        const size_t end = std::min(out, begin + grain);
        const std::vector<float> part = Multiply(kernel(), m, x, rows, begin, end);
        for (size_t i = 0; i < part.size(); ++i) {
          const bool inside = i % out >= begin && i % out < end;
          ASSERT_EQ(inside, !std::isnan(part[i])) << "wrote outside its outputs";
          if (inside) joined[i] = part[i];
        }
      }
      ASSERT_TRUE(SameFloats(all, joined))
          << "seed " << kSeed + 3 << " grain " << grain << " rows " << rows;
    }
  }
}

// One preparation serves any number of products, which leave it as it was.
TEST_P(GemmTest, ReadsActivationsPreparedOnceForAllOutputs) {
  Random random(kSeed + 9);
  const size_t out = 21, in = 160, rows = 3;
  const Matrix m = MakeMatrix(format(), out, in, random);
  const std::vector<float> x = random.Bf16Values(rows * in);
  const std::vector<float> expected = Multiply(kernel(), m, x, rows);
  std::vector<float> prepared = x;
  PrepareRows(kernel(), in, rows, prepared.data(), in);
  const std::vector<float> before = prepared;
  for (size_t o = 0; o < out; ++o) {
    const std::vector<float> y = MultiplyPrepared(kernel(), m, prepared, rows, o, o + 1);
    for (size_t row = 0; row < rows; ++row) {
      ASSERT_TRUE(SameBits(expected[row * out + o], y[row * out + o])) << "seed " << kSeed + 9;
    }
  }
  ASSERT_EQ(0, std::memcmp(before.data(), prepared.data(), before.size() * sizeof(float)));
}

TEST_P(GemmTest, WritesWhereOriginAndStridesSay) {
  Random random(kSeed + 4);
  const size_t out = 10, in = 64, rows = 5, x_stride = 71, y_stride = 6;
  const Matrix m = MakeMatrix(format(), out, in, random);
  std::vector<float> x = random.Bf16Values(rows * x_stride);
  std::vector<float> packed;
  for (size_t row = 0; row < rows; ++row) {
    packed.insert(packed.end(), x.begin() + row * x_stride, x.begin() + row * x_stride + in);
  }
  const std::vector<float> expected = Multiply(kernel(), m, packed, rows);
  std::vector<float> y(rows * y_stride, -1.0f);
  PrepareRows(kernel(), in, rows, x.data(), x_stride);
  kernel().multiply(
      {m.weight(), m.scale.data(), in, 4, 9, x.data(), x_stride, rows, y.data(), y_stride, 4});
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_TRUE(SameBits(expected[row * out + 4 + i], y[row * y_stride + i])) << row << " " << i;
    }
    EXPECT_EQ(-1.0f, y[row * y_stride + 5]);
  }
}

TEST_P(ScaledGemmTest, DecodesEveryCodeAtEveryScaleExactly) {
  const bool fp8 = format() == kGemmFp8;
  const size_t in = fp8 ? 20 : 32, out = 256;
  Matrix m{format(), out, in, std::vector<uint8_t>(out * RowBytes(format(), in)), 0, {}};
  for (size_t code = 0; code < out; ++code) {
    const bool nan = fp8 && (code & 0x7F) == 0x7F;
    m.bytes[code * RowBytes(format(), in)] = nan ? 0 : static_cast<uint8_t>(code);
  }
  for (int scale = 0; scale < 255; ++scale) {
    m.scale.assign(fp8 ? 2 : out, static_cast<uint8_t>(scale));
    for (const size_t rows : {1u, 2u, 3u, 4u}) {
      if (blas() && rows != 1) continue;  // it has one path
      for (const size_t k : {0u, fp8 ? 0u : 1u}) {
        std::vector<float> x(rows * in);
        for (size_t row = 0; row < rows; ++row) x[row * in + k] = 1.0f;
        const std::vector<float> y = Multiply(kernel(), m, x, rows);
        for (size_t i = 0; i < rows * out; ++i) {
          const float expected = static_cast<float>(Weight(m, i % out, k));
          // FP4's partner nibble may be infinite, and 0 * inf is NaN in every kernel.
          if (!fp8 && std::isinf(static_cast<float>(Weight(m, i % out, 1 - k)))) continue;
          // OpenBLAS may add 0 * inf of the padding.
          if (blas() && std::isinf(expected)) continue;
          if (reads_bf16() && std::fabs(expected) < 0x1p-126f && y[i] == 0.0f) continue;
          ASSERT_EQ(expected, y[i]) << "scale " << scale << " code " << i % out << " rows " << rows;
        }
      }
    }
  }
}

// Activations times scales leave the range of normal floats although the products do not.
TEST_P(ScaledGemmTest, StaysExactWhenActivationsAndScalesAreExtreme) {
  Random random(kSeed + 5);
  const size_t out = 9, in = 256;
  for (const int exponent : {-126, -120, -100, -40, 0, 60, 110, 124}) {
    for (const int product : {-100, -60, 0, 60, 100}) {
      const int center = product - exponent;
      if (center < -123 || center > 114) continue;  // no weight overflows
      const int smallest = center - 3 - (format() == kGemmFp8 ? 9 : 1);
      if (reads_bf16() && smallest < -126) continue;  // nor becomes zero
      const Matrix m = MakeMatrix(format(), out, in, random, center);
      for (const size_t rows : {1u, 2u, 3u, 4u, 5u, 8u}) {
        std::vector<float> x(rows * in);
        for (float& v : x) {
          v = std::ldexp(random.Below(2) == 0 ? 1.0f : -1.0f, exponent + int(random.Below(3)));
        }
        const std::vector<float> expected = Multiply(Scalar(format()), m, x, rows);
        const std::vector<float> found = Multiply(kernel(), m, x, rows);
        SCOPED_TRACE(::testing::Message() << "seed " << kSeed + 5 << " x 2^" << exponent
                                          << " scale 2^" << center << " rows " << rows);
        if (!blas()) {
          ASSERT_TRUE(SameFloats(expected, found));
        }
        for (size_t i = 0; i < found.size(); ++i) {
          ASSERT_NEAR(expected[i], found[i], 1e-5 * LargestMagnitude(expected));
        }
      }
    }
  }
}

// Where x times the scale alone would overflow, or lose bits among subnormals, one row must be
// computed as many are.
TEST_P(ScaledGemmTest, GivesARowTheSameBitsAtTheEdgesOfTheRange) {
  Random random(kSeed + 8);
  const size_t out = 7, in = 128, rows = 5;
  for (const bool large : {false, true}) {
    Matrix m = MakeMatrix(format(), out, in, random, large ? 3 : -24);
    for (size_t i = m.offset; i < m.bytes.size(); ++i) {
      if (large) m.bytes[i] &= format() == kGemmFp8 ? 0x87 : 0x99;  // magnitudes below 2^-6, 0.5
    }
    std::vector<float> x = Activations(random.Normals(rows * in));
    for (float& v : x) v = std::ldexp(v, large ? 119 : reads_bf16() ? -100 : -118);
    const std::vector<float> all = Multiply(kernel(), m, x, rows);
    EXPECT_TRUE(std::isfinite(all[0]));
    EXPECT_GT(LargestMagnitude(all), 0.0f);
    for (size_t row = 0; row < rows; ++row) {
      const std::vector<float> one(x.begin() + row * in, x.begin() + (row + 1) * in);
      const std::vector<float> expected(all.begin() + row * out, all.begin() + (row + 1) * out);
      ASSERT_TRUE(SameFloats(expected, Multiply(kernel(), m, one, 1)))
          << "seed " << kSeed + 8 << (large ? " large" : " small") << " row " << row;
    }
  }
}

// Whatever the file holds: neighbouring tiles whose scales lie the whole range apart.
TEST_P(ScaledGemmTest, GivesARowTheSameBitsHoweverFarScalesLieApart) {
  Random random(kSeed + 12);
  const size_t out = 131, in = 416, rows = 5;
  for (const int spread : {4, 20, 60, 254}) {
    Matrix m = MakeMatrix(format(), out, in, random);
    for (uint8_t& s : m.scale) {
      s = static_cast<uint8_t>(127 - spread / 2 + int(random.Below(size_t(spread) + 1)));
    }
    for (const int exponent : {-110, -30, 0, 60}) {
      std::vector<float> x = random.Bf16Values(rows * in);
      for (float& v : x) v = std::ldexp(v, exponent);
      const std::vector<float> all = Multiply(kernel(), m, x, rows);
      for (size_t count = 1; count < rows; ++count) {
        for (size_t row = 0; row + count <= rows; ++row) {
          const std::vector<float> part(x.begin() + row * in, x.begin() + (row + count) * in);
          const std::vector<float> expected(all.begin() + row * out,
                                            all.begin() + (row + count) * out);
          ASSERT_TRUE(SameFloats(expected, Multiply(kernel(), m, part, count)))
              << "seed " << kSeed + 12 << " spread " << spread << " x 2^" << exponent << " rows "
              << row << " + " << count;
        }
      }
    }
  }
}

// Whatever the weights, scales and activations are: zero, subnormal, huge, infinite.
TEST_P(GemmTest, GivesARowTheSameBitsForAnyValues) {
  Random random(kSeed + 11);
  const size_t out = 12, in = format() == kGemmFp4 ? 288 : 283, rows = 13;
  for (int round = 0; round < 30; ++round) {
    Matrix m = MakeMatrix(format(), out, in, random);
    for (uint8_t& s : m.scale) s = static_cast<uint8_t>(random.Below(255));
    for (size_t i = m.offset; i < m.bytes.size() && format() <= kGemmBf16; ++i) {
      m.bytes[i] = random.Byte();
    }
    std::vector<float> x(rows * in);
    // In turn of any size, and so small or large that many sums stay finite.
    const int centers[] = {0, -100, -126, 100};
    for (float& v : x) {
      v = RoundBf16(std::ldexp(random.Normal(), centers[round % 4] + int(random.Below(60)) - 30));
      if (round % 4 == 0 && random.Below(300) == 0) v = INFINITY;
    }
    const std::vector<float> all = Multiply(kernel(), m, x, rows);
    for (const size_t count : {1u, 2u, 4u, 5u}) {
      const std::vector<float> part(x.begin(), x.begin() + static_cast<ptrdiff_t>(count * in));
      const std::vector<float> expected(all.begin(),
                                        all.begin() + static_cast<ptrdiff_t>(count * out));
      ASSERT_TRUE(SameFloats(expected, Multiply(kernel(), m, part, count)))
          << "seed " << kSeed + 11 << " round " << round << " rows " << count;
    }
  }
}

TEST_P(GemmTest, GivesZeroForZeroInputAndForNoInputWidthOrRowsNothing) {
  Random random(kSeed + 6);
  const Matrix m = MakeMatrix(format(), 21, 128, random);
  for (const size_t rows : {0u, 1u, 2u, 3u, 5u}) {
    const std::vector<float> zeros(rows * 128);
    for (const float v : Multiply(kernel(), m, zeros, rows)) ASSERT_EQ(0.0f, v);
  }
  for (const float v : Multiply(kernel(), m, std::vector<float>(256), 2, 7, 7)) {
    ASSERT_TRUE(std::isnan(v));
  }
}

class DotTest : public ::testing::TestWithParam<Kernel<DotFunction>> {};
INSTANTIATE_TEST_SUITE_P(All, DotTest, ::testing::ValuesIn(KernelsOf(&Kernels::dot)),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(DotTest, AddsInTheOrderOfTheContract) {
  if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name;
  Random random(kSeed + 11);
  size_t depends = 0;
  for (size_t n = 0; n < 300; ++n) {
    std::vector<float> a = random.Normals(n), b = random.Bf16Values(n);
    for (float& v : a) v = RoundBf16(v);
    std::vector<double> products(n);
    for (size_t k = 0; k < n; ++k) products[k] = double{a[k]} * b[k];
    const float found = GetParam().function(a.data(), b.data(), n);
    ASSERT_TRUE(SameBits(InOrder(products, 1), found)) << "seed " << kSeed + 11 << " n " << n;
    depends += InOrder(products, 0) != found;
  }
  EXPECT_GT(depends, 20u) << "sums that another order would give too";
}

TEST_P(DotTest, EqualsItsScalarTwinAndIsWithinRoundingOfDoublePrecision) {
  if (!CanRun(GetParam().isa)) GTEST_SKIP() << "this machine lacks " << GetParam().name;
  Random random(kSeed + 7);
  for (size_t n = 0; n < 150; ++n) {
    const std::vector<float> a = random.Bf16Values(n), b = random.Bf16Values(n);
    ASSERT_TRUE(SameBits(KernelsOf(&Kernels::dot).back().function(a.data(), b.data(), n),
                         GetParam().function(a.data(), b.data(), n)))
        << "seed " << kSeed + 7 << " n " << n;
    const std::vector<float> c = random.Normals(n), d = random.Normals(n);
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) sum += double{c[i]} * d[i];
    ASSERT_NEAR(sum, GetParam().function(c.data(), d.data(), n),
                0x1p-23 * double(n + 1) * LargestMagnitude(c) * LargestMagnitude(d) * 2);
  }
}

}  // namespace
}  // namespace finback
