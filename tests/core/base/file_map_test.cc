#include "core/base/file_map.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

class FileMapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "finback_file_map_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    for (const std::string& path : made_) remove(path.c_str());
    rmdir(folder_.c_str());
  }
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    made_.push_back(path);
    return path;
  }

  std::string folder_;
  std::vector<std::string> made_;
};

template <typename Call>
void ExpectError(Code code, const std::string& part, const Call& call) {
  try {
    call();
    ADD_FAILURE() << "no error; expected: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST_F(FileMapTest, ShowsTheBytesOfTheFile) {
  const std::string bytes(
      "a\0b\xFF"
      "c",
      5);
  const FileMap map(Write("plain", bytes));
  EXPECT_EQ(std::string(map.bytes().begin(), map.bytes().end()), bytes);
  EXPECT_EQ(map.path(), folder_ + "/plain");
}

TEST_F(FileMapTest, AnEmptyFileIsAnEmptySpan) {
  const FileMap map(Write("empty", ""));
  EXPECT_TRUE(map.bytes().empty());
}

TEST_F(FileMapTest, MovingKeepsTheMappingInPlace) {
  FileMap first(Write("one", "one"));
  const uint8_t* data = first.bytes().data();
  FileMap second(std::move(first));
  EXPECT_EQ(second.bytes().data(), data);
  FileMap third(Write("two", "two"));
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), data);
  EXPECT_EQ(third.path(), folder_ + "/one");
}

TEST_F(FileMapTest, TellsAFileThatWasCutOrGrown) {
  const std::string path = Write("whole", "whole");
  const FileMap map(path);
  map.CheckUnchanged();
  ASSERT_EQ(truncate(path.c_str(), 2), 0);
  ExpectError(Code::kIo, "5 bytes when it was opened, 2 now", [&] { map.CheckUnchanged(); });
  ASSERT_EQ(truncate(path.c_str(), 6), 0);
  ExpectError(Code::kIo, "5 bytes when it was opened, 6 now", [&] { map.CheckUnchanged(); });
}

TEST_F(FileMapTest, ACopyOutlivesItsFile) {
  const std::string path = Write("copied", "copied");
  FileMap map(path);
  map.CopyIntoMemory([](uint64_t) {});
  ASSERT_EQ(truncate(path.c_str(), 0), 0);
  map.CheckUnchanged();
  EXPECT_EQ(std::string(map.bytes().begin(), map.bytes().end()), "copied");
}

TEST_F(FileMapTest, ACopyOfAFileThatWasCutIsRefused) {
  for (const int size : {0, 3}) {
    const std::string path = Write("cut", "to be cut");
    FileMap map(path);
    ASSERT_EQ(truncate(path.c_str(), size), 0);
    ExpectError(Code::kIo, Format("ends after %d bytes, 9 expected", size),
                [&] { map.CopyIntoMemory([](uint64_t) {}); });
  }
}

TEST_F(FileMapTest, ACopyOfAFileThatGrewMeanwhileIsRefused) {
  const std::string path = Write("grown", "grown");
  FileMap map(path);
  ExpectError(Code::kIo, "5 bytes when it was opened, 9 now", [&] {
    map.CopyIntoMemory([&](uint64_t) { ASSERT_EQ(truncate(path.c_str(), 9), 0); });
  });
}

TEST_F(FileMapTest, LeavesADescriptorAloneThatIsAnotherFilesNow) {
  const std::string path = Write("mapped", "mapped"), other = Write("other", "other");
  int number = -1;
  {
    const FileMap map(path);
    for (int fd = 3; fd < 1024 && number < 0; ++fd) {
      struct stat here, there;
      if (fstat(fd, &here) == 0 && stat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
          here.st_dev == there.st_dev) {
        number = fd;
      }
    }
    ASSERT_GE(number, 3);
    const int fd = open(other.c_str(), O_RDONLY);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(dup2(fd, number), number);
    close(fd);
    map.CheckUnchanged();
    ASSERT_EQ(truncate(path.c_str(), 0), 0);
    ExpectError(Code::kIo, "0 now", [&] { map.CheckUnchanged(); });  // by its name
  }
  EXPECT_EQ(close(number), 0);  // still open
}

TEST_F(FileMapTest, AMissingFileIsNotFoundAndNamed) {
  const std::string path = folder_ + "/absent";
  ExpectError(Code::kNotFound, path, [&] { FileMap map(path); });
  ExpectError(Code::kNotFound, path, [&] { ReadFile(path, 10); });
}

TEST_F(FileMapTest, AFileUsedAsAFolderIsNotFound) {
  const std::string path = Write("leaf", "x") + "/inner";
  ExpectError(Code::kNotFound, path, [&] { FileMap map(path); });
}

TEST_F(FileMapTest, AFolderIsRefused) {
  ExpectError(Code::kIo, folder_, [&] { FileMap map(folder_); });
  ExpectError(Code::kIo, folder_, [&] { ReadFile(folder_, 10); });
}

TEST_F(FileMapTest, ADeviceIsNotMapped) {
  ExpectError(Code::kIo, "not a regular file", [&] { FileMap map("/dev/null"); });
}

TEST_F(FileMapTest, APipeIsRefusedWithoutWaitingForAWriter) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  made_.push_back(path);
  ExpectError(Code::kIo, "not a regular file", [&] { FileMap map(path); });
}

TEST_F(FileMapTest, ReadFileReturnsTheWholeFileUpToTheLimit) {
  const std::string bytes(5000, 'q');
  const std::string path = Write("big", bytes);
  EXPECT_EQ(ReadFile(path, 5000), bytes);
  EXPECT_EQ(ReadFile(Write("none", ""), 0), "");
  ExpectError(Code::kCheckpoint, "5000 bytes, at most 4999", [&] { ReadFile(path, 4999); });
}

TEST_F(FileMapTest, ReadFileStopsAnEndlessDevice) {
  ExpectError(Code::kCheckpoint, "/dev/zero", [&] { ReadFile("/dev/zero", 100000); });
}

size_t PagesInMemory(const FileMap& map) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((map.bytes().size() + page - 1) / page);
  EXPECT_EQ(mincore(const_cast<uint8_t*>(map.bytes().data()), map.bytes().size(), pages.data()), 0);
  return static_cast<size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
}

// Written, and thrown out of the page cache where the file system can be asked to.
void Evict(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  ASSERT_GE(fd, 0);
  fsync(fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  close(fd);
}

TEST_F(FileMapTest, PrefaultBringsTheWholeFileIntoMemoryAndTellsOfIt) {
  const std::string bytes((65u << 20) + 5, 'w');
  const std::string path = Write("large", bytes);
  Evict(path);
  const FileMap map(path);
  map.Advise(FileMap::Access::kPieces);
  std::vector<uint64_t> told;
  map.Prefault([&](uint64_t done) { told.push_back(done); });
  EXPECT_EQ(PagesInMemory(map), (bytes.size() + 4095) / 4096);
  EXPECT_EQ(told, (std::vector<uint64_t>{64u << 20, bytes.size()}));
}

TEST_F(FileMapTest, PrefaultStopsWhereProgressThrows) {
  const FileMap map(Write("stopped", "x"));
  ExpectError(Code::kCancelled, "enough",
              [&] { map.Prefault([](uint64_t) { Throw(Code::kCancelled, "enough"); }); });
}

TEST_F(FileMapTest, PrefaultOfACutFileIsAnError) {
  const std::string path = Write("cut", std::string(100000, 'c'));
  const FileMap map(path);
  ASSERT_EQ(truncate(path.c_str(), 10), 0);
  ExpectError(Code::kIo, path + ": 100000 bytes when it was opened, 10 now",
              [&] { map.Prefault([](uint64_t) {}); });
}

TEST_F(FileMapTest, HintsAreFineForEmptyFilesAndCopies) {
  const FileMap empty(Write("empty_hints", ""));
  empty.Advise(FileMap::Access::kWhole);
  empty.ReadAhead(empty.bytes());
  empty.Prefault([](uint64_t) { FAIL() << "nothing to tell"; });
  FileMap copy(Write("copy_hints", "abc"));
  copy.CopyIntoMemory([](uint64_t) {});
  copy.Advise(FileMap::Access::kPieces);
  copy.ReadAhead(copy.bytes().subspan(1));
  copy.Prefault([](uint64_t) { FAIL() << "nothing to tell"; });
  EXPECT_EQ(std::string(copy.bytes().begin(), copy.bytes().end()), "abc");
}

}  // namespace
}  // namespace finback
