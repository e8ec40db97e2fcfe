#include "core/local/machine_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace finback {
namespace {

class MachineMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "machine_memory_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(MachineMemoryTest, IsUnknownWhereNothingTells) {
  EXPECT_FALSE(AvailableMemory(root_).has_value());
}

TEST_F(MachineMemoryTest, IsTheSystemsWithoutALimit) {
  Write("/proc/meminfo", "MemTotal: 900 kB\nMemAvailable:   100 kB\n");
  Write("/proc/self/cgroup", "0::/some\n");
  Write("/sys/fs/cgroup/some/memory.max", "max\n");
  const auto memory = AvailableMemory(root_);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->available_bytes, 102400);
  EXPECT_FALSE(memory->limited);
}

TEST_F(MachineMemoryTest, IsWhatAGroupAboveHasLeft) {
  Write("/proc/meminfo", "MemAvailable: 100 kB\n");
  Write("/proc/self/cgroup", "0::/some/deep\n");
  Write("/sys/fs/cgroup/some/memory.max", "5000\n");
  Write("/sys/fs/cgroup/some/memory.current", "4000\n");
  Write("/sys/fs/cgroup/some/memory.stat", "anon 3000\ninactive_file 700\nactive_file 300\n");
  const auto memory = AvailableMemory(root_);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->available_bytes, 2000);
  EXPECT_TRUE(memory->limited);
}

}  // namespace
}  // namespace finback
