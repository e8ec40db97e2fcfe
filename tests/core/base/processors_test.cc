#include "core/base/processors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/core/base/made_up_machine.h"

namespace finback {
namespace {

// What is expected holds on machines of any size.
class Processors : public MadeUpMachine {
 protected:
  int Here() const { return static_cast<int>(std::thread::hardware_concurrency()); }
};

TEST_F(Processors, AreTheAffinityMasksWithoutAQuota) {
  EXPECT_EQ(AvailableProcessors(root_), Here());  // nothing is there
  Unified("/");
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(AvailableProcessors(root_), Here());
  for (const char* odd : {"", "nonsense", "-1 100000", "100000", "100000 0"}) {
    Write("/sys/fs/cgroup/cpu.max", odd);
    EXPECT_EQ(AvailableProcessors(root_), Here()) << odd;
  }
}

TEST_F(Processors, AreRoundedDownButNeverNone) {
  Unified("/a");
  for (const char* quota : {"25000 100000", "100000 100000", "199999 100000", "1 1000000"}) {
    Write("/sys/fs/cgroup/a/cpu.max", quota);
    EXPECT_EQ(AvailableProcessors(root_), 1) << quota;
  }
  Write("/sys/fs/cgroup/a/cpu.max", "250000 100000");
  EXPECT_EQ(AvailableProcessors(root_), std::min(2, Here()));
}

TEST_F(Processors, AreTheSmallestOfEveryLevel) {
  for (const char* limited : {"", "/a", "/a/b", "/a/b/c"}) {
    std::filesystem::remove_all(root_);
    Unified("/a/b/c");
    for (const char* level : {"", "/a", "/a/b", "/a/b/c"}) {
      Write("/sys/fs/cgroup" + std::string(level) + "/cpu.max", "6400000 100000");
    }
    Write("/sys/fs/cgroup" + std::string(limited) + "/cpu.max", "100000 100000");
    EXPECT_EQ(AvailableProcessors(root_), 1) << limited;
  }
}

TEST_F(Processors, KnowTheOlderHierarchies) {
  Write("/proc/self/mountinfo",
        "40 32 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 32 0:36 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  Write("/proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/one\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(AvailableProcessors(root_), Here());
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/one/cpu.cfs_quota_us", "50000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/one/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(AvailableProcessors(root_), 1);
}

// What a container sees: the path of its group on the host, and that group's folder at the mount.
TEST_F(Processors, AreFoundWhereTheMountBeginsAtTheGroup) {
  Write("/proc/self/mountinfo",
        "41 32 0:36 /docker/one /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  Write("/proc/self/cgroup", "4:cpu:/docker/one\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(AvailableProcessors(root_), 1);
}

}  // namespace
}  // namespace finback
