#include "core/base/processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "core/base/control_groups.h"

namespace finback {
namespace {

// Of one group: processors, by microseconds in each period. "max" and what is no number are no
// quota.
double QuotaOf(const ControlGroup& group) {
  double quota = 0, period = 0;
  if (group.unified) {
    std::ifstream(group.folder + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(group.folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(group.folder + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

}  // namespace

int AvailableProcessors(const std::string& root) {
  double allowed = std::max(1u, std::thread::hardware_concurrency());  // by affinity
  for (const ControlGroup& group : ControlGroups("cpu", root)) {
    allowed = std::min(allowed, QuotaOf(group));
  }
  return static_cast<int>(std::max(1.0, std::floor(allowed)));
}

}  // namespace finback
