// What conversations of a million tokens are planned to take, and what they take: with a small
// model, read from the first to the last token. FINBACK_TEST_CONTEXT is the number of tokens;
// `./dev check` runs a million.
#include <gtest/gtest.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/bench/random_checkpoint.h"
#include "core/bench/shapes.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/sequence.h"

namespace finback {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // shadows count, too
#else
constexpr bool kSanitized = false;
#endif

constexpr int64_t kMillion = 1 << 20;
constexpr int32_t kChunk = 256;

TEST(MemoryPlan, AMillionTokensOfFlashTakeThreeAndAHalfGibibytes) {
  const ModelShape& flash = *FindShape("flash");
  const Config config = ParseConfig(ShapeConfig(flash, flash.kinds, flash.experts), "config.json");
  const uint64_t state = Sequence::PlanBytes(config, Precision::kPublished, kMillion, kChunk);
  EXPECT_LE(state, uint64_t{7} << 29);
  // Of that, 3,682,498,176 bytes are the entries themselves.
  EXPECT_GT(state, 3682498176u);
  const Compute compute(config, Precision::kPublished, 2);
  Scratch scratch;
  Reserve reserve(Reserve::Mode::kCount);
  scratch.ReserveAll(compute, kChunk, kMillion, &reserve);
  EXPECT_LE(reserve.bytes(), uint64_t{256} << 20);
}

uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long long size = 0, resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

// One layer of each kind, small but for what a long memory is made of.
ModelShape Small() {
  ModelShape shape = *FindShape("tiny");
  shape.index_heads = 2;
  shape.index_head_dim = 128;
  shape.index_topk = 64;
  shape.heads = 2;
  return shape;
}

TEST(MemoryPlan, IsWhatALongRunTakes) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer takes memory of its own";
#if defined(__GLIBC__)
  // What is freed goes back, so that it is counted again; blocks, which stay, lie close together.
  mallopt(M_MMAP_THRESHOLD, 131072);
#endif
  const char* named = std::getenv("FINBACK_TEST_CONTEXT");
  const int64_t context = named == nullptr ? 32768 : std::atoll(named);
  const ModelShape shape = Small();
  std::string text = ShapeConfig(shape, {0, 4, 128}, shape.experts);
  const std::vector<PublishedTensor> tensors = PublishedTensors(ParseConfig(text, "config.json"));
  const Parallel parallel(2);
  Watch watch(nullptr);
  const RandomCheckpoint checkpoint({std::move(text), tensors}, "", parallel, &watch);
  const auto model =
      Model::Open(checkpoint.folder(), {.threads = 2, .weights = {.memory = checkpoint.memory()}});
  std::vector<int32_t> ids(static_cast<size_t>(context));
  uint64_t state = 1;
  for (int32_t& id : ids) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    id = static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(shape.vocab));
  }
  {  // weights, threads' stacks and the like
    Sequence first(*model, 2048, kChunk);
    Evaluator evaluator(*model, 2048, kChunk);
    const Segment all{&first, std::span(ids).first(2048)};
    evaluator.Run({&all, 1});
  }
#if defined(__GLIBC__)
  malloc_trim(0);  // what other tests left behind would be taken again without being counted
#endif
  const uint64_t before = ResidentBytes();
  if (before == 0) GTEST_SKIP() << "no /proc/self/statm";
  Sequence sequence(*model, context, kChunk);
  Evaluator evaluator(*model, context, kChunk);
  std::vector<float> logits(static_cast<size_t>(shape.vocab));
  const Segment all{&sequence, ids, LogitRows::kLast, logits.data()};
  evaluator.Run({&all, 1});
  EXPECT_EQ(sequence.position(), context);
  const double taken = static_cast<double>(ResidentBytes()) - static_cast<double>(before);
  const double planned = static_cast<double>(
      Sequence::PlanBytes(model->config(), model->precision(), context, kChunk) +
      Evaluator::PlanBytes(*model, context, kChunk));
  printf("%lld tokens: planned %.1f MB, taken %.1f MB\n", static_cast<long long>(context),
         planned / 1e6, taken / 1e6);
  const double of_others = 256 << 10;  // stacks and small blocks that come and go
  EXPECT_LE(taken, planned * 1.02 + of_others);
  EXPECT_GE(taken, planned * 0.98 - of_others);
}

}  // namespace
}  // namespace finback
