#include "core/local/cache/disk_cache.h"

#include <gtest/gtest.h>

#include "tests/core/local/cache/cache_fixture.h"

namespace finback {
namespace {

class DiskCacheTest : public CacheTest {
 protected:
  // Restores as much of `ids` as there is and computes the rest: the bits of a fresh sequence.
  void ExpectFresh(std::span<const int32_t> ids, size_t restored, int32_t chunk_tokens = 64) {
    const DiskCache cache = Open();
    Computed back(chunk_tokens), fresh;
    const std::span<const int32_t> most = ids.first(ids.size() - 1);
    const size_t position = cache.Restore(ids, cache.FindLongest(most), &back.memory);
    EXPECT_EQ(position, restored);
    EXPECT_EQ(back.memory.position(), static_cast<int64_t>(position));
    EXPECT_EQ(back.Evaluate(ids.subspan(position)), fresh.Evaluate(ids));
    EXPECT_EQ(back.memory.Snapshot(), fresh.memory.Snapshot());
  }
};

TEST_F(DiskCacheTest, FindsNothingWhereNothingWasKept) {
  const DiskCache cache = Open();
  EXPECT_EQ(cache.FindLongest(SomeIds(100, 1)).tokens(), 0u);
  EXPECT_FALSE(cache.GetRecord("kind", "key").has_value());
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(Files().empty());
}

TEST_F(DiskCacheTest, RestoresTheSameBitsAtAnyPosition) {
  for (const size_t size : {1u, 2u, 63u, 511u, 512u, 513u, 700u, 1024u, 1200u, 1537u, 2048u}) {
    SCOPED_TRACE(size);
    const std::vector<int32_t> ids = SomeIds(size + 5, size);
    Computed first(size % 2 == 0 ? 64 : 256);
    first.Evaluate(std::span(ids).first(size));
    DiskCache cache = Open();
    cache.Keep(first.memory.Mark());
    for (const int32_t chunk : {33, 512}) ExpectFresh(ids, size, chunk);
  }
  EXPECT_TRUE(log.empty());
}

TEST_F(DiskCacheTest, GoesOnAtAPointBeforeWhatDiffers) {
  std::vector<int32_t> ids = SomeIds(2000, 2);
  Computed first(256);
  first.Evaluate(ids);
  DiskCache cache = Open();
  cache.Keep(first.memory.Mark());
  ids[1800] = (ids[1800] + 1) % TestModel().config().vocab;
  ExpectFresh(ids, 1536);
  ids[1100] = (ids[1100] + 1) % TestModel().config().vocab;
  ExpectFresh(ids, 1024);
  ids[0] = (ids[0] + 1) % TestModel().config().vocab;
  ExpectFresh(ids, 0);
}

TEST_F(DiskCacheTest, RestoresBehindWhatASequenceHas) {
  const std::vector<int32_t> ids = SomeIds(1700, 3);
  Computed first(256);
  first.Evaluate(ids);
  DiskCache cache = Open();
  cache.Keep(first.memory.Mark());
  for (const size_t has : {100u, 511u, 512u, 900u, 1024u, 1699u, 1700u}) {
    SCOPED_TRACE(has);
    Computed back, fresh;
    back.Evaluate(std::span(ids).first(has));
    const std::unique_ptr<Sequence> fork = back.memory.Fork();  // its blocks must not change
    const std::vector<uint8_t> before = fork->Snapshot();
    EXPECT_EQ(cache.Restore(ids, cache.FindLongest(ids), &back.memory), 1700u);
    EXPECT_EQ(back.memory.Snapshot(), first.memory.Snapshot());
    EXPECT_EQ(fork->Snapshot(), before);
    const std::vector<int32_t> more = SomeIds(40, 4);
    fresh.Evaluate(ids);
    EXPECT_EQ(back.Evaluate(more), fresh.Evaluate(more));
  }
}

TEST_F(DiskCacheTest, GoesBackWhereASequenceHasOtherTokens) {
  const std::vector<int32_t> ids = SomeIds(1200, 5);
  Computed first(256);
  first.Evaluate(ids);
  DiskCache cache = Open();
  cache.Keep(first.memory.Mark());
  std::vector<int32_t> other = ids;
  other[700] = (other[700] + 1) % TestModel().config().vocab;
  Computed back;
  back.Evaluate(other);
  EXPECT_EQ(cache.Restore(ids, cache.FindLongest(ids), &back.memory), 1200u);
  EXPECT_EQ(back.memory.Snapshot(), first.memory.Snapshot());
}

TEST_F(DiskCacheTest, SharesTheStepsOfConversationsThatBeginAlike) {
  std::vector<int32_t> ids = SomeIds(1600, 6);
  DiskCache cache = Open();
  Computed one(256);
  one.Evaluate(ids);
  cache.Keep(one.memory.Mark());
  const size_t files = Files().size();
  cache.Keep(one.memory.Mark());
  EXPECT_EQ(Files().size(), files);
  ids[1550] = (ids[1550] + 1) % TestModel().config().vocab;
  Computed other(256);
  other.Evaluate(ids);
  cache.Keep(other.memory.Mark());
  EXPECT_EQ(Files().size(), files + 1) << "the point at its end";
}

TEST_F(DiskCacheTest, KeepsRecords) {
  DiskCache cache = Open();
  const std::vector<uint8_t> bytes{1, 2, 3}, others(100000, 7);
  cache.PutRecord("ids", "a", bytes);
  cache.PutRecord("ids", "b", others);
  cache.PutRecord("idsa", "", {});
  EXPECT_EQ(cache.GetRecord("ids", "a"), bytes);
  EXPECT_EQ(cache.GetRecord("ids", "b"), others);
  EXPECT_EQ(cache.GetRecord("idsa", ""), std::vector<uint8_t>());
  EXPECT_FALSE(cache.GetRecord("id", "sa").has_value());
  cache.PutRecord("ids", "a", others);
  EXPECT_EQ(Open().GetRecord("ids", "a"), others);
}

TEST_F(DiskCacheTest, ForgetsWhatWasUsedLeastRecently) {
  const std::vector<int32_t> old = SomeIds(1100, 8), used = SomeIds(1100, 9),
                             last = SomeIds(1100, 10);
  uint64_t each = 0;
  const auto keep = [&](DiskCache* cache, const std::vector<int32_t>& ids) {
    Computed sequence(256);
    sequence.Evaluate(ids);
    cache->Keep(sequence.memory.Mark());
  };
  DiskCache cache = Open();
  keep(&cache, old);
  for (const auto& file : Files()) each += (std::filesystem::file_size(file) + 4095) / 4096 * 4096;
  keep(&cache, used);
  Computed back;
  EXPECT_EQ(cache.Restore(old, cache.FindLongest(old), &back.memory), 1100u);
  DiskCache small = Open(each * 2 + each / 2);
  keep(&small, last);
  uint64_t bytes = 0;
  for (const auto& file : Files()) bytes += (std::filesystem::file_size(file) + 4095) / 4096 * 4096;
  EXPECT_LE(bytes, each * 2 + each / 2);
  EXPECT_EQ(small.FindLongest(old).tokens(), 1100u);
  EXPECT_EQ(small.FindLongest(last).tokens(), 1100u);
  EXPECT_LT(small.FindLongest(used).tokens(), 1100u);
  EXPECT_TRUE(log.empty());
}

}  // namespace
}  // namespace finback
