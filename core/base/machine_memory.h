// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace finback {

struct MachineMemory {
  int64_t available_bytes = 0;
  bool limited = false;  // by a control group, not by what the machine has
};

// What the system has available, or what is left to the control group, whichever is less; empty if
// the system does not tell. `root` is where /proc and /sys are.
std::optional<MachineMemory> AvailableMemory(const std::string& root = "");

}  // namespace finback
