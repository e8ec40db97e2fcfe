// Skeletons of the published models, true headers over sparse files, open with the inventory's
// totals. A program of its own, because it makes files of hundreds of gigabytes, if sparse ones.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/status.h"
#include "core/checkpoint/verify.h"
#include "tests/core/checkpoint/checkpoint_fixture.h"

namespace finback {
namespace {

struct Skeleton {
  const char* model;
  int shards;
  size_t tensors;
  uint64_t bytes;
  size_t drafts;
};

class PublishedSkeleton : public testing::TestWithParam<Skeleton> {};

TEST_P(PublishedSkeleton, OpensWithTheInventorysTotals) {
  const Skeleton& item = GetParam();
  TempFolder folder;
  const std::string command = Format(
      "python3 '%s/tests/core/checkpoint/make_skeleton.py' '%s' --model %s --shards %d >/dev/null",
      FINBACK_SOURCE_DIR, folder.path().c_str(), item.model, item.shards);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto start = std::chrono::steady_clock::now();
  const Config config = LoadConfig(folder.path());
  const auto weights = Weights::Open(folder.path(), config);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%s: opened in %.2f s, at most %ld MB resident so far\n", item.model, seconds,
         usage.ru_maxrss / 1024);
  EXPECT_EQ(weights->files().size(), static_cast<size_t>(item.shards));
  EXPECT_EQ(weights->tensors().size(), item.tensors);
  EXPECT_EQ(weights->total_bytes(), item.bytes);
  EXPECT_EQ(weights->drafts.size(), item.drafts);
  const CheckpointTotals totals = PublishedTotals(config);
  EXPECT_EQ(totals.tensors, item.tensors);
  EXPECT_EQ(totals.bytes, item.bytes);
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedSkeleton,
    testing::Values(Skeleton{"flash", 46, 69187, 159609485896, 1},
                    Skeleton{"pro", 64, 145116, 864704792696, 1},
                    Skeleton{"flash", 1, 69187, 159609485896, 1},
                    // Flash without its MTP block: 3 DSpark blocks are ignored.
                    Skeleton{"flash-0731", 46, 67612, 156015698140, 0}));

}  // namespace
}  // namespace finback
