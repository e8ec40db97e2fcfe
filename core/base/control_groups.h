// The control groups that this process is bound by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finback {

struct ControlGroup {
  std::string folder;    // where its files are
  bool unified = false;  // of the unified hierarchy (cgroup2)
};

// The process's own group and those above it, of the unified hierarchy and of that of `controller`,
// as far as they are mounted. `root` is the folder that /proc and /sys are in; other than "" it is
// for tests.
std::vector<ControlGroup> ControlGroups(std::string_view controller, const std::string& root);

}  // namespace finback
