#include "core/base/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "core/base/control_groups.h"

namespace finback {
namespace {

std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (!(file >> number)) return std::nullopt;  // "max" is no limit
  return number;
}

std::optional<int64_t> SystemAvailable(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name, unit;
  int64_t kilobytes = 0;
  while (file >> name >> kilobytes && std::getline(file, unit)) {
    if (name == "MemAvailable:") return kilobytes * 1024;
  }
  return std::nullopt;
}

// What a control group has left; the page cache in it can be given back.
std::optional<int64_t> GroupAvailable(const ControlGroup& group) {
  const std::optional<int64_t> limit =
      ReadNumber(group.folder + (group.unified ? "/memory.max" : "/memory.limit_in_bytes"));
  if (!limit || *limit > std::numeric_limits<int64_t>::max() / 2) return std::nullopt;
  const char* used_name = group.unified ? "/memory.current" : "/memory.usage_in_bytes";
  int64_t used = ReadNumber(group.folder + used_name).value_or(0);
  std::ifstream file(group.folder + "/memory.stat");
  std::string name;
  int64_t bytes = 0;
  while (file >> name >> bytes) {
    if (name == "inactive_file" || name == "active_file") used -= bytes;
  }
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, used));
}

}  // namespace

std::optional<MachineMemory> AvailableMemory(const std::string& root) {
  const std::optional<int64_t> system = SystemAvailable(root);
  if (!system) return std::nullopt;
  MachineMemory memory{*system, false};
  for (const ControlGroup& group : ControlGroups("memory", root)) {
    const std::optional<int64_t> left = GroupAvailable(group);
    if (left && *left < memory.available_bytes) memory = {*left, true};
  }
  return memory;
}

}  // namespace finback
