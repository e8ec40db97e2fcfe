#include "core/bench/published_tensors.h"

#include <gtest/gtest.h>

#include "core/bench/shapes.h"
#include "core/bench/token_costs.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/verify.h"

namespace finback {
namespace {

Config WholeConfig(const char* name) {
  const ModelShape& shape = *FindShape(name);
  return ParseConfig(ShapeConfig(shape, shape.kinds, shape.experts), "config.json");
}

TEST(Shapes, HaveTheLayersOfThePublishedModels) {
  const auto count = [](const Config& config, LayerKind kind) {
    int layers = 0;
    for (const LayerSpec& layer : config.layers) layers += layer.kind == kind;
    return layers;
  };
  const Config flash = WholeConfig("flash"), pro = WholeConfig("pro");
  EXPECT_EQ(flash.layers_count, 43);
  EXPECT_EQ(count(flash, LayerKind::kWindow), 2);
  EXPECT_EQ(count(flash, LayerKind::kCsa), 21);
  EXPECT_EQ(count(flash, LayerKind::kHca), 20);
  EXPECT_EQ(pro.layers_count, 61);
  EXPECT_EQ(count(pro, LayerKind::kCsa), 30);
  EXPECT_EQ(count(pro, LayerKind::kHca), 31);
  EXPECT_EQ(FindShape("orca"), nullptr);
  EXPECT_EQ(ShapeNames(), "flash, pro or tiny");
}

TEST(PublishedTensors, AreAsManyAndAsLargeAsTheInventorySays) {
  for (const char* name : {"flash", "pro", "tiny"}) {
    const Config config = WholeConfig(name);
    uint64_t bytes = 0;
    const std::vector<PublishedTensor> tensors = PublishedTensors(config);
    for (const PublishedTensor& tensor : tensors) bytes += tensor.bytes();
    const CheckpointTotals totals = PublishedTotals(config);
    EXPECT_EQ(tensors.size(), totals.tensors) << name;
    EXPECT_EQ(bytes, totals.bytes) << name;
  }
}

TEST(TokenCosts, CountEachExpertOnceAndTheRestOnce) {
  const Config config = WholeConfig("flash");
  const WeightBytes weights = CountWeights(config, PublishedTensors(config));
  // w1, w2, w3 in FP4, a scale for each 32 values.
  EXPECT_EQ(weights.one_expert, uint64_t{3} * 4096 * 2048 / 2 + uint64_t{3} * 4096 * 2048 / 32);
  EXPECT_EQ(weights.total, PublishedTotals(config).bytes);
  EXPECT_EQ(weights.Read(0), weights.dense);
  EXPECT_EQ(weights.Read(10) - weights.Read(0), 10 * weights.one_expert);
  const uint64_t all = uint64_t{43} * 256;
  const uint64_t rows = uint64_t{129280} * 4096 * 2 + uint64_t{3} * 129280 * 6 * 8;
  EXPECT_EQ(weights.Read(double(all)), weights.total - rows + rows / 129280);
}

TEST(TokenCosts, GrowWithThePositionInAttentionAndIndexerAlone) {
  const Config config = WholeConfig("flash");
  const TokenOperations at_0 = CountOperations(config, 0), at_1m = CountOperations(config, 1048575);
  EXPECT_EQ(at_0.linear, at_1m.linear);
  EXPECT_EQ(at_0.head, 2.0 * 129280 * 4096);
  EXPECT_EQ(at_0.indexer, 0);
  EXPECT_EQ(at_1m.indexer, 21 * 2.0 * 64 * 128 * (1048576 / 4));
  EXPECT_EQ(at_0.attention, 43 * 4.0 * 64 * 512);
  EXPECT_EQ(at_1m.attention, 4.0 * 64 * 512 * (43 * 128.0 + 21 * 512.0 + 20 * (1048576.0 / 128)));
}

}  // namespace
}  // namespace finback
