// How many processors this process may use.
#pragma once

#include <string>

namespace finback {

// The smaller of the calling thread's affinity mask and the control groups' quota (cpu.max, or
// cpu.cfs_quota_us, at every level), rounded down, at least 1.
// `root` is the folder that /proc and /sys are in; other than "" it is for tests.
int AvailableProcessors(const std::string& root = "");

}  // namespace finback
