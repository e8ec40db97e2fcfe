// The parts of the network against their formulas: rotary tables, Hadamard, hyper-connections.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/number_formats.h"
#include "core/kernels/isa.h"
#include "core/network/hyper_connections.h"
#include "core/network/rotary.h"
#include "core/network/scratch.h"

namespace finback {
namespace {

Config PublishedRotary() {
  Config config;
  config.rope_dim = 64;
  config.rope_theta = 10000;
  config.compress_rope_theta = 160000;
  config.yarn_factor = 16;
  config.yarn_beta_fast = 32;
  config.yarn_beta_slow = 1;
  config.yarn_original_positions = 65536;
  return config;
}

TEST(Rotary, YarnTableOfThePublishedModels) {
  const RotaryFrequencies f = MakeRotaryFrequencies(PublishedRotary(), RotaryKind::kCompressed);
  const std::pair<size_t, double> expected[] = {
      {0, 1},
      {1, 0.687656045},
      {2, 0.472870797},
      {4, 0.223606795},
      {8, 0.0500000007},
      {12, 0.0111803403},
      {15, 0.00363553851},
      {16, 0.00226562493},
      {17, 0.00139680132},
      {18, 0.000849689706},
      {20, 0.000296977785},
      {22, 9.08678412e-05},
      {24, 1.95312532e-05},
      {25, 5.37231244e-06},
      {28, 1.74692798e-06},
      {31, 5.6805294e-07},
  };
  ASSERT_EQ(f.size(), 32u);
  for (const auto& [i, value] : expected) EXPECT_NEAR(f[i], value, value * 4e-7) << i;
}

TEST(Rotary, PlainTableHasNoYarn) {
  const RotaryFrequencies f = MakeRotaryFrequencies(PublishedRotary(), RotaryKind::kPlain);
  EXPECT_NEAR(f[1], 0.7498942, 1e-7);
  EXPECT_NEAR(f[16], 0.01, 1e-8);
  EXPECT_NEAR(f[31], 1.3335215e-4, 1e-10);
}

TEST(Rotary, AngleIsAFloat32Product) {
  const RotaryFrequencies f = MakeRotaryFrequencies(PublishedRotary(), RotaryKind::kCompressed);
  std::vector<float> cosine(32), sine(32);
  MakeRotaryAngles(f, 1000000, cosine.data(), sine.data());
  EXPECT_NEAR(cosine[1], 0.64463, 1e-4);  // an unrounded product would give 0.63112
}

// The last 64 of x[width], with the tables of one position.
void Rotate(const std::vector<float>& cosine, const std::vector<float>& sine, bool inverse,
            std::vector<float>* x) {
  PickKernels(ActiveIsa())
      .rotate({.cosine = cosine.data(),
               .sine = sine.data(),
               .pairs = 32,
               .inverse = inverse,
               .bf16 = false,
               .x = x->data() + x->size() - 64});
}

TEST(Rotary, InverseUndoesForwardAndLeavesTheFirstChannels) {
  const RotaryFrequencies f = MakeRotaryFrequencies(PublishedRotary(), RotaryKind::kCompressed);
  std::vector<float> cosine(32), sine(32), x(96), original(96);
  for (size_t i = 0; i < x.size(); ++i) original[i] = x[i] = std::sin(static_cast<float>(i) + 1);
  MakeRotaryAngles(f, 12345, cosine.data(), sine.data());
  Rotate(cosine, sine, false, &x);
  EXPECT_EQ(memcmp(x.data(), original.data(), 32 * sizeof(float)), 0);
  EXPECT_GT(std::fabs(x[32] - original[32]), 1e-3f);
  Rotate(cosine, sine, true, &x);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], original[i], 1e-6f) << i;
}

TEST(Rotary, DotOfRotatedVectorsDependsOnTheDistanceOnly) {
  const RotaryFrequencies f = MakeRotaryFrequencies(PublishedRotary(), RotaryKind::kPlain);
  const auto dot_at = [&](int64_t t, int64_t s) {
    std::vector<float> cosine(32), sine(32), a(64), b(64);
    for (size_t i = 0; i < 64; ++i) {
      a[i] = std::sin(static_cast<float>(i));
      b[i] = std::cos(3 * static_cast<float>(i));
    }
    MakeRotaryAngles(f, t, cosine.data(), sine.data());
    Rotate(cosine, sine, false, &a);
    MakeRotaryAngles(f, s, cosine.data(), sine.data());
    Rotate(cosine, sine, false, &b);
    double sum = 0;
    for (size_t i = 0; i < 64; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
  };
  EXPECT_NEAR(dot_at(7, 3), dot_at(507, 503), 1e-3);
  EXPECT_GT(std::fabs(dot_at(7, 3) - dot_at(9, 3)), 1e-2);
}

// Streams of ones and rows of equal weights make u what the caller asks for.
struct MixCase {
  Config config;
  HyperConnectionWeights w;
  std::vector<float> fn, streams;
  Scratch scratch;
  StreamMix mix;

  MixCase(int32_t m, int iterations, float base_scale, float u_scale) {
    config.hidden = 4;
    config.hc_streams = m;
    config.hc_sinkhorn_iterations = iterations;
    const size_t outs = static_cast<size_t>((2 + m) * m), width = static_cast<size_t>(m) * 4;
    fn.resize(outs * width);
    for (size_t i = 0; i < outs; ++i) {
      const float u = u_scale * (0.1f * static_cast<float>(i) - 1.2f);
      std::fill_n(fn.begin() + static_cast<long>(i * width), width, u / static_cast<float>(width));
      w.base.values.push_back(base_scale * 0.3f * (static_cast<float>(i % 5) - 2));
    }
    w.fn = {Dtype::kF32, outs, width, reinterpret_cast<const uint8_t*>(fn.data()), nullptr};
    w.scale.values = {0.5f, 0.7f, 0.9f};
    streams.assign(width, 1.0f);
    scratch.hc_mix.Allocate(outs);
    scratch.hc_post.Allocate(static_cast<size_t>(m));
    scratch.hc_comb.Allocate(static_cast<size_t>(m * m));
    scratch.x.Allocate(4);
    const Compute compute(config, Precision::kFloat32, 1);
    mix = ReadStreams(compute, w, streams.data(), 1, &scratch);
  }
};

TEST(HyperConnections, FourStreamsAfterTwentyIterations) {
  MixCase c(4, 20, 1, 1);
  const float pre[] = {0.2314762f, 0.2994339f, 0.3775417f, 0.4625712f};
  const float post[] = {1.0199974f, 0.5032365f, 0.6547860f, 0.8267649f};
  const float comb[] = {0.3642694f, 0.3642696f, 0.1133597f, 0.1581004f, 0.2611849f, 0.2611849f,
                        0.3642696f, 0.1133597f, 0.1872724f, 0.1872723f, 0.2611849f, 0.3642695f,
                        0.1872724f, 0.1872723f, 0.2611849f, 0.3642695f};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(c.scratch.hc_mix[i], pre[i], 1e-6f) << i;
    EXPECT_NEAR(c.mix.post[i], post[i], 2e-6f) << i;
  }
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(c.mix.comb[i], comb[i], 2e-6f) << i;
}

TEST(HyperConnections, TwoStreamsAfterThreeIterations) {
  MixCase c(2, 3, 1, 1);
  const float comb[] = {0.6787189f, 0.3203628f, 0.3212802f, 0.6796362f};
  EXPECT_NEAR(c.mix.post[0], 0.6636245f, 2e-6f);
  EXPECT_NEAR(c.mix.post[1], 0.8364813f, 2e-6f);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(c.mix.comb[i], comb[i], 2e-6f) << i;
}

TEST(HyperConnections, EqualLogitsMixEvenly) {
  MixCase c(4, 20, 0, 0);
  for (size_t i = 0; i < 16; ++i) EXPECT_NEAR(c.mix.comb[i], 0.25f, 1e-5f) << i;
}

TEST(HyperConnections, WritingBackSumsOverTheSourceStream) {
  Config config;
  config.hidden = 1;
  config.hc_streams = 2;
  const Compute compute(config, Precision::kFloat32, 1);
  const float post[] = {10, 20};
  const float comb[] = {1, 2, 3, 4};  // [source][destination]
  float streams[] = {5, 7};
  const float y = 1;
  WriteStreams(compute, {nullptr, post, comb}, &y, 1, streams);
  EXPECT_EQ(streams[0], 10 + 1 * 5 + 3 * 7);
  EXPECT_EQ(streams[1], 20 + 2 * 5 + 4 * 7);
}

}  // namespace
}  // namespace finback
