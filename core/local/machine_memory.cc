#include "core/local/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>

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
std::optional<int64_t> GroupAvailable(const std::string& folder, const char* limit_name,
                                      const char* used_name) {
  const std::optional<int64_t> limit = ReadNumber(folder + "/" + limit_name);
  if (!limit || *limit > std::numeric_limits<int64_t>::max() / 2) return std::nullopt;
  int64_t used = ReadNumber(folder + "/" + used_name).value_or(0);
  std::ifstream file(folder + "/memory.stat");
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
  const auto consider = [&](std::optional<int64_t> left) {
    if (!left || *left >= memory.available_bytes) return;
    memory = {*left, true};
  };
  // Lines are ID:CONTROLLERS:PATH; a group is bound by those above it too.
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers.find("memory") == std::string::npos) continue;
    const std::string base = root + "/sys/fs/cgroup" + (unified ? "" : "/memory");
    std::string path = line.substr(second + 1);
    for (;;) {
      while (!path.empty() && path.back() == '/') path.pop_back();
      consider(unified
                   ? GroupAvailable(base + path, "memory.max", "memory.current")
                   : GroupAvailable(base + path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
      if (path.empty()) break;
      path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
  }
  return memory;
}

}  // namespace finback
