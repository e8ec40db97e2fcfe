// Roundings and packed cache entries: every kernel bit for bit the definition in number_formats.h.
#include "tests/core/kernels/kernel_test_support.h"

namespace finback {
namespace {

template <typename Function>
class KernelTest : public ::testing::TestWithParam<Kernel<Function>> {
 protected:
  void SetUp() override {
    const Kernel<Function>& kernel = this->GetParam();
    if (!CanRun(kernel.isa)) GTEST_SKIP() << "this machine lacks " << kernel.name;
  }
  Function function() const { return this->GetParam().function; }
};

#define FINBACK_TEST_KERNELS(Operation, slot)                                                    \
  class Operation##Test : public KernelTest<Operation##Function> {};                             \
  INSTANTIATE_TEST_SUITE_P(All, Operation##Test, ::testing::ValuesIn(KernelsOf(&Kernels::slot)), \
                           [](const auto& test) { return std::string(test.param.name); })

FINBACK_TEST_KERNELS(RoundBf16, round_bf16);
FINBACK_TEST_KERNELS(QuantizeFp8, quantize_fp8);
FINBACK_TEST_KERNELS(PackKv, pack_kv);
FINBACK_TEST_KERNELS(UnpackKv, unpack_kv);
FINBACK_TEST_KERNELS(PackIndex, pack_index);
FINBACK_TEST_KERNELS(UnpackIndex, unpack_index);

// Blocks of every kind: normal, tiny, huge, zero, ties,
// with the block's maximum on a power boundary.
std::vector<float> HardBlocks(size_t block, Random& random) {
  std::vector<float> x;
  const float largest[] = {0.0f,   1e-30f,     1e-5f, 1e-4f,   1.0f,      1.5f,
                           1.75f,  1.7578125f, 3.0f,  3.0156f, 6.0f,      448.0f,
                           450.0f, 1e30f,      3e38f, 1e-44f,  0x1p-126f, 96.0f};
  for (const float top : largest) {
    for (int repeat = 0; repeat < 6; ++repeat) {
      const size_t begin = x.size();
      for (size_t i = 0; i < block; ++i) {
        const float fraction = std::ldexp(float(random.Below(1u << 20)) / float(1u << 20),
                                          -int(random.Below(repeat < 3 ? 2 : 24)));
        x.push_back((random.Below(2) == 0 ? top : -top) * fraction);
        if (repeat % 3 == 1) x.back() = RoundBf16(x.back());
        if (repeat % 3 == 2) {  // ties of both formats: five significant bits
          int exponent;
          const float mantissa = std::frexp(x.back(), &exponent);
          x.back() = std::ldexp(std::round(mantissa * 32.0f) / 32.0f, exponent);
        }
      }
      x[begin + random.Below(block)] = repeat % 2 == 0 ? top : -top;
    }
  }
  return x;
}

float LargestOf(const float* x, size_t n) {
  float largest = 0.0f;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  return largest;
}

std::vector<float> DefinedFp8(std::vector<float> x, size_t block) {
  for (size_t begin = 0; begin < x.size(); begin += block) {
    const int k = Fp8ScaleExponent(LargestOf(&x[begin], block));
    for (size_t i = begin; i < begin + block; ++i) {
      x[i] = std::ldexp(E4m3ToFloat(FloatToE4m3(std::ldexp(x[i], -k))), k);
    }
  }
  return x;
}

std::vector<float> DefinedFp4(std::vector<float> x) {
  for (size_t begin = 0; begin < x.size(); begin += 32) {
    const int k = Fp4ScaleExponent(LargestOf(&x[begin], 32));
    for (size_t i = begin; i < begin + 32; ++i) {
      x[i] = std::ldexp(E2m1ToFloat(FloatToE2m1(std::ldexp(x[i], -k))), k);
    }
  }
  return x;
}

TEST_P(RoundBf16Test, RoundsEveryPatternAsDefined) {
  std::vector<float> x, expected;
  for (uint32_t upper = 0; upper < 0x10000u; ++upper) {
    for (const uint32_t lower : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      x.push_back(BitsToFloat(upper << 16 | lower));
      expected.push_back(RoundBf16(x.back()));
    }
  }
  function()(x.data(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(FloatToBits(expected[i]), FloatToBits(x[i])) << "index " << i;
  }
}

TEST_P(RoundBf16Test, RoundsAnyCountAndNothingBeyond) {
  Random random(kSeed);
  for (size_t n = 0; n < 40; ++n) {
    std::vector<float> x = random.Normals(n + 3), expected = x;
    for (size_t i = 0; i < n; ++i) expected[i] = RoundBf16(expected[i]);
    function()(x.data(), n);
    ASSERT_TRUE(SameFloats(expected, x)) << "seed " << kSeed << " n " << n;
  }
}

TEST_P(QuantizeFp8Test, EqualsTheDefinition) {
  Random random(kSeed);
  for (const size_t block : {8u, 24u, 64u, 128u}) {
    const std::vector<float> x = HardBlocks(block, random);
    std::vector<float> found = x;
    function()(found.data(), found.size(), block);
    ASSERT_TRUE(SameFloats(DefinedFp8(x, block), found)) << "seed " << kSeed << " block " << block;
  }
}

TEST_P(QuantizeFp8Test, ChangesNothingTheSecondTime) {
  Random random(kSeed + 1);
  std::vector<float> once = HardBlocks(64, random);
  function()(once.data(), once.size(), 64);
  std::vector<float> twice = once;
  function()(twice.data(), twice.size(), 64);
  ASSERT_TRUE(SameFloats(once, twice)) << "seed " << kSeed + 1;
}

constexpr KvFormat kKvFormats[] = {{512, 64}, {128, 64}, {96, 32}, {64, 0}, {71, 7}, {130, 2}};

TEST_P(PackKvTest, StoresWhatTheDefinitionRoundsToAndNothingBeyond) {
  Random random(kSeed + 2);
  for (const KvFormat& format : kKvFormats) {
    const size_t channels = format.head_dim - format.rope_dim;
    const std::vector<float> blocks = HardBlocks(64, random);
    for (size_t at = 0; at + channels <= blocks.size(); at += channels) {
      std::vector<float> values(blocks.begin() + at, blocks.begin() + at + channels);
      const std::vector<float> expected = DefinedFp8(values, 64);
      for (size_t i = 0; i < format.rope_dim; ++i) values.push_back(random.Normal());
      std::vector<uint8_t> entry(format.Bytes(), 0xAA);
      function()(format, values.data(), entry.data());
      for (size_t i = 0; i < channels; ++i) {
        const float value = std::ldexp(E4m3ToFloat(entry[i]), entry[channels + i / 64] - 127);
        ASSERT_TRUE(SameBits(expected[i], value)) << "seed " << kSeed + 2 << " channel " << i;
      }
      for (size_t i = 0; i < format.rope_dim; ++i) {
        Bf16 code;
        std::memcpy(&code, &entry[channels + channels / 64 + 2 * i], 2);
        ASSERT_EQ(FloatToBf16(values[channels + i]), code);
      }
    }
  }
}

TEST_P(UnpackKvTest, DecodesEveryCodeAtEveryScale) {
  const KvFormat format = {256 + 70, 70};
  std::vector<uint8_t> entry(format.Bytes());
  std::vector<float> values(format.head_dim);
  for (int i = 0; i < 256; ++i) entry[i] = (i & 0x7F) == 0x7F ? 0 : static_cast<uint8_t>(i);
  for (size_t i = 0; i < 140; ++i) entry[260 + i] = static_cast<uint8_t>(37 * i + 11);
  for (int scale = 0; scale < 255; ++scale) {
    for (int block = 0; block < 4; ++block) entry[256 + block] = static_cast<uint8_t>(scale);
    function()(format, entry.data(), values.data());
    for (int i = 0; i < 256; ++i) {
      const float expected =
          static_cast<float>(std::ldexp(double{E4m3ToFloat(entry[i])}, scale - 127));
      ASSERT_TRUE(SameBits(expected, values[i])) << "code " << i << " scale " << scale;
    }
  }
  for (size_t i = 0; i < 70; ++i) {
    Bf16 code;
    std::memcpy(&code, &entry[260 + 2 * i], 2);
    ASSERT_TRUE(SameBits(Bf16ToFloat(code), values[256 + i])) << i;
  }
}

TEST_P(UnpackKvTest, ReturnsWhatWasPacked) {
  Random random(kSeed + 3);
  for (const KvFormat& format : kKvFormats) {
    std::vector<float> values = random.Bf16Values(format.head_dim), found(format.head_dim);
    const size_t channels = format.head_dim - format.rope_dim;
    KernelsOf(&Kernels::quantize_fp8).back().function(values.data(), channels, 64);
    std::vector<uint8_t> entry(format.Bytes());
    for (const auto& pack : KernelsOf(&Kernels::pack_kv)) {
      if (!CanRun(pack.isa)) continue;
      pack.function(format, values.data(), entry.data());
      function()(format, entry.data(), found.data());
      ASSERT_TRUE(SameFloats(values, found)) << "seed " << kSeed + 3 << " packed by " << pack.name;
    }
  }
}

TEST(KvFormat, TakesTheBytesOfThePublishedModels) { EXPECT_EQ(583u, (KvFormat{512, 64}.Bytes())); }

TEST_P(PackIndexTest, StoresWhatTheDefinitionRoundsTo) {
  Random random(kSeed + 4);
  for (const size_t n : {32u, 64u, 128u, 96u}) {
    const std::vector<float> blocks = HardBlocks(32, random);
    for (size_t at = 0; at + n <= blocks.size(); at += n) {
      const std::vector<float> values(blocks.begin() + at, blocks.begin() + at + n);
      const std::vector<float> expected = DefinedFp4(values);
      std::vector<uint8_t> key(n / 2 + n / 32, 0xAA);
      function()(values.data(), n, key.data());
      for (size_t i = 0; i < n; ++i) {
        const uint8_t nibble = i % 2 == 0 ? key[i / 2] & 15 : key[i / 2] >> 4;
        const float value = std::ldexp(E2m1ToFloat(nibble), key[n / 2 + i / 32] - 127);
        ASSERT_TRUE(SameBits(expected[i], value)) << "seed " << kSeed + 4 << " channel " << i;
      }
    }
  }
}

TEST_P(PackIndexTest, RoundsTiesToEvenCodes) {
  const float ties[] = {0.25f, 0.2500001f, 0.75f, -0.75f, 1.25f,  1.75f,
                        2.5f,  -2.5f,      3.5f,  5.0f,   5.0001f};
  const float expected[] = {0.0f, 0.5f, 1.0f, -1.0f, 1.0f, 2.0f, 2.0f, -2.0f, 4.0f, 4.0f, 6.0f};
  std::vector<float> values(32);
  std::copy(std::begin(ties), std::end(ties), values.begin());
  values[31] = 6.0f;
  std::vector<uint8_t> key(17);
  function()(values.data(), 32, key.data());
  ASSERT_EQ(127, key[16]);
  for (size_t i = 0; i < std::size(ties); ++i) {
    EXPECT_EQ(expected[i], E2m1ToFloat(i % 2 == 0 ? key[i / 2] & 15 : key[i / 2] >> 4)) << ties[i];
  }
}

TEST_P(UnpackIndexTest, DecodesEveryByteAtEveryScale) {
  const size_t n = 512;
  std::vector<uint8_t> key(n / 2 + n / 32);
  std::vector<float> values(n);
  for (int i = 0; i < 256; ++i) key[i] = static_cast<uint8_t>(i);
  for (int scale = 0; scale < 255; ++scale) {
    for (size_t block = 0; block < n / 32; ++block)
      key[n / 2 + block] = static_cast<uint8_t>(scale);
    function()(key.data(), n, values.data());
    for (size_t i = 0; i < n; ++i) {
      const uint8_t nibble = i % 2 == 0 ? key[i / 2] & 15 : key[i / 2] >> 4;
      const float expected =
          static_cast<float>(std::ldexp(double{E2m1ToFloat(nibble)}, scale - 127));
      ASSERT_TRUE(SameBits(expected, values[i])) << "channel " << i << " scale " << scale;
    }
  }
}

TEST_P(UnpackIndexTest, ReturnsWhatWasPacked) {
  Random random(kSeed + 5);
  for (const size_t n : {32u, 96u, 128u}) {
    const std::vector<float> values = DefinedFp4(random.Bf16Values(n));
    std::vector<float> found(n);
    std::vector<uint8_t> key(n / 2 + n / 32);
    for (const auto& pack : KernelsOf(&Kernels::pack_index)) {
      if (!CanRun(pack.isa)) continue;
      pack.function(values.data(), n, key.data());
      function()(key.data(), n, found.data());
      ASSERT_TRUE(SameFloats(values, found)) << "seed " << kSeed + 5 << " packed by " << pack.name;
    }
  }
}

TEST(IndexFormat, TakesTheBytesOfThePublishedModels) {
  std::vector<float> values(128, 1.0f);
  std::vector<uint8_t> key(68, 0xAA);
  PickKernels(ActiveIsa()).pack_index(values.data(), 128, key.data());
  EXPECT_NE(0xAA, key[67]);
  EXPECT_EQ(125, key[67]);  // 1 = 4 * 2^-2
}

}  // namespace
}  // namespace finback
