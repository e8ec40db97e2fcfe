// A cache folder as it is never left by us: damaged, cut, foreign, half written, full, refused.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/local/cache/cache_report.h"
#include "core/local/cache/inventory.h"
#include "tests/core/local/cache/cache_fixture.h"

namespace finback {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTokens = 1100;

std::string Content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Replace(const fs::path& path, const std::string& content) {
  fs::remove_all(path);
  std::ofstream(path, std::ios::binary) << content;
}

class DamageTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    ids = SomeIds(kTokens, 31);
    Computed whole(256);
    whole.Evaluate(ids);
    DiskCache cache = Open();
    cache.Keep(whole.memory.Mark());
    snapshots[0] = Computed().memory.Snapshot();
    for (const size_t position : {size_t{512}, size_t{1024}, kTokens}) {
      Computed part(256);
      part.Evaluate(std::span(ids).first(position));
      snapshots[position] = part.memory.Snapshot();
    }
  }
  // Whatever can be restored has the bits of what was computed. Returns how much it is.
  size_t Restored() {
    const DiskCache cache = Open();
    Computed back;
    const size_t position = cache.Restore(ids, cache.FindLongest(ids), &back.memory);
    EXPECT_TRUE(snapshots.count(position) == 1 && snapshots[position] == back.memory.Snapshot())
        << position;
    return position;
  }
  fs::path FileOf(const std::string& start) const {
    for (const fs::path& path : Files()) {
      if (path.filename().string().starts_with(start)) return path;
    }
    return {};
  }
  // Whether a file with this in its place is not used, and gone afterwards.
  void ExpectRefused(const fs::path& path, size_t restored) {
    EXPECT_EQ(Restored(), restored);
    EXPECT_FALSE(fs::exists(fs::symlink_status(path))) << path;
  }

  // The files, and how much is left without each.
  const std::vector<std::pair<std::string, size_t>> kinds{
      {"p-0000044c", 1024}, {"p-00000400", kTokens}, {"s-00000400", 512}, {"s-00000200", 0}};
  std::vector<int32_t> ids;
  std::map<size_t, std::vector<uint8_t>> snapshots;
};

TEST_F(DamageTest, AFlippedBitAnywhereIsSeen) {
  for (const auto& [start, restored] : kinds) {
    if (start == "p-00000400") continue;  // not looked at while there is a longer one
    const fs::path path = FileOf(start);
    const std::string good = Content(path);
    std::vector<size_t> places;
    for (size_t i = 0; i < 152; i += 3) places.push_back(i);               // the header
    for (size_t i = 152; i < good.size(); i += 1499) places.push_back(i);  // ids and content
    places.push_back(good.size() - 1);
    for (const size_t place : places) {
      SCOPED_TRACE(start + " at " + std::to_string(place));
      std::string bad = good;
      bad[place] = static_cast<char>(bad[place] ^ (1 << place % 8));
      Replace(path, bad);
      ExpectRefused(path, restored);
    }
    Replace(path, good);
    EXPECT_EQ(Restored(), kTokens);
  }
}

TEST_F(DamageTest, AFileOfAnotherLengthIsSeen) {
  for (const auto& [start, restored] : kinds) {
    if (start == "p-00000400") continue;
    const fs::path path = FileOf(start);
    const std::string good = Content(path);
    for (const size_t size : {size_t{0}, size_t{1}, size_t{151}, size_t{152}, size_t{153},
                              size_t{400}, good.size() / 2, good.size() - 1}) {
      SCOPED_TRACE(start + " of " + std::to_string(size));
      Replace(path, good.substr(0, size));
      ExpectRefused(path, restored);
    }
    Replace(path, good + '\0');
    ExpectRefused(path, restored);
    Replace(path, good);
  }
}

TEST_F(DamageTest, WhatIsNoFileOfOursIsNeitherFollowedNorWaitedFor) {
  const fs::path path = FileOf("s-00000400"), aside = folder + "/aside";
  const std::string good = Content(path);
  Replace(aside, good);
  fs::remove(path);
  fs::create_symlink(aside, path);
  ExpectRefused(path, 512);
  EXPECT_EQ(Content(aside), good);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  ExpectRefused(path, 512);
  Replace(path, "");
  ASSERT_EQ(truncate(path.c_str(), int64_t{1} << 40), 0);  // a terabyte of nothing
  ExpectRefused(path, 512);
  fs::create_directory(path);  // stays: who knows what is in it
  EXPECT_EQ(Restored(), 512u);
  fs::remove(path);
  Replace(path, Content(FileOf("s-00000200")));  // another step's
  ExpectRefused(path, 512);
}

TEST_F(DamageTest, VerifyFindsAndRemovesDamage) {
  EngineOptions options;
  options.cache_folder = folder;
  const std::string before = CacheReportJson(options, R"({"verify": true})");
  EXPECT_NE(before.find("\"removed\": 0"), std::string::npos) << before;
  for (const auto& [start, restored] : kinds) {
    const fs::path path = FileOf(start);
    std::string bad = Content(path);
    bad[bad.size() - 5] ^= 16;
    Replace(path, bad);
  }
  const std::string after = CacheReportJson(options, R"({"verify": true})");
  EXPECT_NE(after.find("\"removed\": 4"), std::string::npos) << after;
  EXPECT_EQ(Restored(), 0u);
}

TEST_F(DamageTest, RecordsAreLookedAtToo) {
  DiskCache cache = Open();
  const std::vector<uint8_t> bytes(3000, 9);
  cache.PutRecord("ids", "a", bytes);
  for (const fs::path& path : Files()) {
    if (!path.filename().string().starts_with("r-")) continue;
    std::string bad = Content(path);
    bad[bad.size() - 1] ^= 1;
    Replace(path, bad);
  }
  EXPECT_FALSE(cache.GetRecord("ids", "a").has_value());
  cache.PutRecord("ids", "a", bytes);
  EXPECT_EQ(cache.GetRecord("ids", "a"), bytes);
}

TEST_F(DamageTest, RefreshedWeightsAreAnotherModel) {
  const std::string path = testing::TempDir() + "finback_cache_refreshed";
  fs::remove_all(path);
  fs::create_directories(path);
  MakeTinyCheckpoint(path, 7);
  const std::string weights = path + "/model.safetensors";
  const auto found = [&] {
    const std::unique_ptr<Model> model = Model::Open(path, {.threads = 1});
    return DiskCache(*model, {folder, 0, {}}).FindLongest(ids).tokens();
  };
  const auto keep = [&] {
    const std::unique_ptr<Model> model = Model::Open(path, {.threads = 1});
    Sequence sequence(*model, 2048, 64);
    Evaluator evaluator(*model, 2048, 64);
    const Segment segment{&sequence, ids, LogitRows::kNone, nullptr};
    evaluator.Run({&segment, 1});
    DiskCache cache(*model, {folder, 0, {}});
    cache.Keep(sequence.Mark());
  };
  keep();
  EXPECT_EQ(found(), kTokens);
  const fs::file_time_type date = fs::last_write_time(weights);
  fs::last_write_time(weights, date + std::chrono::seconds(1));
  EXPECT_EQ(found(), 0u) << "another date";
  fs::last_write_time(weights, date);
  EXPECT_EQ(found(), kTokens);
  std::string content = Content(weights);
  content[content.size() - 1] ^= 1;
  Replace(weights, content);
  fs::last_write_time(weights, date);
  EXPECT_EQ(found(), 0u) << "other weights of the same size and date";
  fs::remove_all(path);
}

// How many bytes are written before the disk is full.
std::atomic<int64_t> room{0};

ssize_t WriteUntilFull(int fd, const iovec* parts, int) {
  const int64_t bytes = std::min<int64_t>(room, static_cast<int64_t>(parts[0].iov_len));
  if (bytes == 0) {
    errno = ENOSPC;
    return -1;
  }
  room -= bytes;
  return write(fd, parts[0].iov_base, static_cast<size_t>(bytes));
}

TEST_F(DamageTest, AFullDiskCostsOnlyWhatIsNotWritten) {
  Computed whole(256);
  whole.Evaluate(ids);
  for (const int64_t bytes : {0, 1, 100, 5000, 20000, 40000, 80000}) {
    SCOPED_TRACE(bytes);
    fs::remove_all(folder);
    log.clear();
    room = bytes;
    DiskCache cache(TestModel(),
                    {folder, uint64_t{1} << 30,
                     [this](LogLevel, const char* text) { log.push_back(text); }, WriteUntilFull});
    cache.Keep(whole.memory.Mark());
    cache.Keep(whole.memory.Mark());
    ASSERT_EQ(log.size(), 1u);
    EXPECT_NE(log[0].find("make room on the disk"), std::string::npos) << log[0];
    for (const fs::path& path : Files()) {
      EXPECT_FALSE(path.filename().string().starts_with("t-")) << "half written";
    }
    Restored();
  }
  DiskCache cache = Open();
  cache.Keep(whole.memory.Mark());
  EXPECT_EQ(Restored(), kTokens);
}

TEST_F(DamageTest, ALimitOfFileSizesDoesNotEndTheProcess) {
  fs::remove_all(folder);
  Computed whole(256);
  whole.Evaluate(ids);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  DiskCache cache = Open();
  cache.Keep(whole.memory.Mark());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("ulimit -f"), std::string::npos) << log[0];
  EXPECT_EQ(Restored(), 0u);
}

TEST_F(DamageTest, FoldersThatCannotBeUsedAreToldOfOnce) {
  Computed whole(256);
  whole.Evaluate(ids);
  fs::permissions(folder, fs::perms::group_write, fs::perm_options::add);
  EXPECT_EQ(Restored(), 0u) << "others could put there what they like";
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("others can write"), std::string::npos) << log[0];
  for (const char* bad : {"/dev/null/cache", "/proc/finback/cache"}) {
    log.clear();
    DiskCache cache(TestModel(),
                    {bad, 0, [this](LogLevel, const char* text) { log.push_back(text); }});
    cache.Keep(whole.memory.Mark());
    cache.Keep(whole.memory.Mark());
    cache.PutRecord("ids", "a", {});
    EXPECT_EQ(log.size(), 1u);
  }
}

TEST_F(DamageTest, ManyConversationsStayWithinTheBudget) {
  fs::remove_all(folder);
  const auto taken = [this] {
    uint64_t bytes = 0;
    for (const fs::path& path : Files()) bytes += (fs::file_size(path) + 4095) / 4096 * 4096;
    return bytes;
  };
  constexpr uint64_t kMost = 600000;
  DiskCache cache = Open(kMost);
  for (uint64_t seed = 0; seed < 25; ++seed) {
    std::vector<int32_t> mine = SomeIds(200 + 60 * seed % 700, seed % 3);
    mine.push_back(static_cast<int32_t>(seed));
    Computed sequence(256);
    sequence.Evaluate(mine);
    cache.Keep(sequence.memory.Mark());
    EXPECT_EQ(cache.FindLongest(mine).tokens(), mine.size()) << "the last stays";
    cache.PutRecord("ids", std::to_string(seed), std::vector<uint8_t>(5000));
    EXPECT_LE(taken(), kMost + 8192) << "and the note of the model";
  }
  EXPECT_TRUE(log.empty());
  Open(1000).Keep(Computed().memory.Mark());
}

TEST_F(DamageTest, NothingIsKeptThatTakesMoreThanAll) {
  fs::remove_all(folder);
  Computed whole(256);
  whole.Evaluate(ids);
  DiskCache cache = Open(10000);
  cache.Keep(whole.memory.Mark());
  cache.Keep(whole.memory.Mark());
  EXPECT_TRUE(Files().empty());
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("cache_bytes"), std::string::npos) << log[0];
}

// Keeps, and perhaps clears, for ever, in a process of its own that ends with this.
class Keeper {
 public:
  Keeper(const std::string& folder, const std::vector<SequenceMark>& marks, bool clears) {
    child_ = fork();
    if (child_ == 0) Work(folder, marks, clears);
  }
  ~Keeper() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  bool started() const { return child_ > 0; }

 private:
  [[noreturn]] static void Work(const std::string& folder, const std::vector<SequenceMark>& marks,
                                bool clears) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    DiskCache cache(TestModel(), {folder, uint64_t{1} << 30, {}});
    EngineOptions options;
    options.cache_folder = folder;
    for (;;) {
      for (const SequenceMark& mark : marks) cache.Keep(mark);
      if (clears) CacheReportJson(options, R"({"clear": true})");
    }
  }

  pid_t child_ = -1;
};

TEST_F(DamageTest, KilledAtAnyPointItLeavesNothingThatIsWrong) {
  std::vector<SequenceMark> marks;
  for (const size_t position : {size_t{512}, size_t{1024}, kTokens}) {
    Computed part(256);
    part.Evaluate(std::span(ids).first(position));
    marks.push_back(part.memory.Mark());
  }
  std::mt19937 random(5);
  size_t seen = 0;
  EngineOptions options;
  options.cache_folder = folder;
  for (int i = 0; i < 100; ++i) {
    SCOPED_TRACE(i);
    {
      const Keeper keeper(folder, marks, true);
      ASSERT_TRUE(keeper.started());
      // For a random while, from before its first file to behind many.
      for (uint32_t turns = random() % 3000; turns > 0; --turns) sched_yield();
    }
    const std::string report = CacheReportJson(options, R"({"verify": true})");
    EXPECT_NE(report.find("\"removed\": 0"), std::string::npos) << report;
    for (const fs::path& path : Files()) {
      EXPECT_FALSE(path.filename().string().starts_with("t-")) << "left half written";
    }
    seen += Files().size();
    Restored();
  }
  EXPECT_GT(seen, 0u);
}

TEST_F(DamageTest, TwoProcessesMayUseOneFolder) {
  std::vector<SequenceMark> marks;
  Computed whole(256);
  whole.Evaluate(ids);
  marks.push_back(whole.memory.Mark());
  auto keeper = std::make_unique<Keeper>(folder, marks, false);
  auto clearer = std::make_unique<Keeper>(folder, marks, true);
  ASSERT_TRUE(keeper->started() && clearer->started());
  DiskCache small = Open(400000);  // and this one evicts
  for (int i = 0; i < 100; ++i) {
    Restored();
    small.Keep(marks[0]);
    Computed other(256);
    if (i % 20 == 0) {
      other.Evaluate(SomeIds(300, static_cast<uint64_t>(i)));
      small.Keep(other.memory.Mark());
    }
  }
  keeper.reset();
  clearer.reset();
  EngineOptions options;
  options.cache_folder = folder;
  const std::string report = CacheReportJson(options, R"({"verify": true})");
  EXPECT_NE(report.find("\"removed\": 0"), std::string::npos) << report;
  small.Keep(marks[0]);
  EXPECT_EQ(Restored(), kTokens);
}

}  // namespace
}  // namespace finback
