#include "core/base/processors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/file_map.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr double kNoQuota = 1e9;

// "" where there is no such file, or none that can be read.
std::string SmallFile(const std::string& path) {
  constexpr size_t kMostBytes = 4u << 20;
  try {
    return ReadFile(path, kMostBytes);
  } catch (const Error&) {
    return {};
  }
}

// "max" and what is no number count as no quota.
double Quota(const std::string& quota, const std::string& period) {
  const double microseconds = std::strtod(quota.c_str(), nullptr);
  const double of = std::strtod(period.c_str(), nullptr);
  return microseconds > 0 && of > 0 ? microseconds / of : kNoQuota;
}

double QuotaOf(const std::string& folder) {
  std::istringstream both(SmallFile(folder + "/cpu.max"));
  std::string quota, period;
  both >> quota >> period;
  return std::min(Quota(quota, period), Quota(SmallFile(folder + "/cpu.cfs_quota_us"),
                                              SmallFile(folder + "/cpu.cfs_period_us")));
}

// A mounted hierarchy: `shown` of it is seen at `folder`.
struct Hierarchy {
  std::string folder, shown;
  bool unified = false;
};

bool Contains(std::string_view list, std::string_view wanted) {
  return ("," + std::string(list) + ",").find("," + std::string(wanted) + ",") != std::string::npos;
}

// Of the lines of mountinfo: ID PARENT DEVICE ROOT FOLDER OPTIONS.. - TYPE SOURCE SUPER-OPTIONS
std::vector<Hierarchy> Hierarchies(const std::string& root) {
  std::vector<Hierarchy> found;
  std::istringstream lines(SmallFile(root + "/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skipped, type, options;
    Hierarchy hierarchy;
    before >> skipped >> skipped >> skipped >> hierarchy.shown >> hierarchy.folder;
    after >> type >> skipped >> options;
    hierarchy.unified = type == "cgroup2";
    if (hierarchy.unified || (type == "cgroup" && Contains(options, "cpu"))) {
      found.push_back(hierarchy);
    }
  }
  return found;
}

// Of the lines of cgroup: ID:CONTROLLERS:PATH; the unified hierarchy's is 0::PATH.
std::string OwnGroup(const std::string& groups, bool unified) {
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : Contains(controllers, "cpu"))
      return line.substr(second + 1);
  }
  return {};
}

double SmallestQuota(const std::string& root) {
  double smallest = kNoQuota;
  const std::string groups = SmallFile(root + "/proc/self/cgroup");
  for (const Hierarchy& hierarchy : Hierarchies(root)) {
    std::string group = OwnGroup(groups, hierarchy.unified);
    // In a container the mount may begin at the group itself, under a path of the host.
    if (hierarchy.shown != "/" && group.rfind(hierarchy.shown, 0) == 0) {
      group.erase(0, hierarchy.shown.size());
    }
    while (true) {
      while (!group.empty() && group.back() == '/') group.pop_back();
      smallest = std::min(smallest, QuotaOf(root + hierarchy.folder + group));
      if (group.empty()) break;
      group.erase(std::min(group.rfind('/'), group.size()));
    }
  }
  return smallest;
}

}  // namespace

int AvailableProcessors(const std::string& root) {
  const double allowed = std::max(1u, std::thread::hardware_concurrency());  // by affinity
  return static_cast<int>(std::max(1.0, std::floor(std::min(allowed, SmallestQuota(root)))));
}

}  // namespace finback
