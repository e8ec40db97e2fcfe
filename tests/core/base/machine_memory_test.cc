#include "core/base/machine_memory.h"

#include <gtest/gtest.h>

#include "tests/core/base/made_up_machine.h"

namespace finback {
namespace {

class MachineMemoryTest : public MadeUpMachine {};

TEST_F(MachineMemoryTest, IsUnknownWhereNothingTells) {
  EXPECT_FALSE(AvailableMemory(root_).has_value());
}

TEST_F(MachineMemoryTest, IsTheSystemsWithoutALimit) {
  Write("/proc/meminfo", "MemTotal: 900 kB\nMemAvailable:   100 kB\n");
  Unified("/some");
  Write("/sys/fs/cgroup/some/memory.max", "max\n");
  const auto memory = AvailableMemory(root_);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->available_bytes, 102400);
  EXPECT_FALSE(memory->limited);
}

TEST_F(MachineMemoryTest, IsWhatAGroupAboveHasLeft) {
  Write("/proc/meminfo", "MemAvailable: 100 kB\n");
  Unified("/some/deep");
  Write("/sys/fs/cgroup/some/memory.max", "5000\n");
  Write("/sys/fs/cgroup/some/memory.current", "4000\n");
  Write("/sys/fs/cgroup/some/memory.stat", "anon 3000\ninactive_file 700\nactive_file 300\n");
  const auto memory = AvailableMemory(root_);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->available_bytes, 2000);
  EXPECT_TRUE(memory->limited);
}

// What a container of the older hierarchies sees.
TEST_F(MachineMemoryTest, IsFoundWhereTheMountBeginsAtTheGroup) {
  Write("/proc/meminfo", "MemAvailable: 100 kB\n");
  Write("/proc/self/mountinfo",
        "41 32 0:36 /docker/one /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
  Write("/proc/self/cgroup", "4:memory:/docker/one\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n");
  const auto memory = AvailableMemory(root_);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->available_bytes, 1000);
  EXPECT_TRUE(memory->limited);
}

}  // namespace
}  // namespace finback
