#include "core/base/control_groups.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace finback {
namespace {

// A mounted hierarchy: `shown` of it is seen at `folder`.
struct Hierarchy {
  std::string folder, shown;
  bool unified = false;
};

bool Lists(std::string_view names, std::string_view wanted) {
  return ("," + std::string(names) + ",").find("," + std::string(wanted) + ",") !=
         std::string::npos;
}

// Of the lines of mountinfo: ID PARENT DEVICE ROOT FOLDER OPTIONS.. - TYPE SOURCE SUPER-OPTIONS
std::vector<Hierarchy> Hierarchies(std::string_view controller, const std::string& root) {
  std::vector<Hierarchy> found;
  std::ifstream lines(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skipped, type, options;
    Hierarchy hierarchy;
    before >> skipped >> skipped >> skipped >> hierarchy.shown >> hierarchy.folder;
    after >> type >> skipped >> options;
    hierarchy.unified = type == "cgroup2";
    if (hierarchy.unified || (type == "cgroup" && Lists(options, controller))) {
      found.push_back(hierarchy);
    }
  }
  return found;
}

// Of the lines of cgroup: ID:CONTROLLERS:PATH; the unified hierarchy's is 0::PATH.
std::string OwnGroup(bool unified, std::string_view controller, const std::string& root) {
  std::ifstream lines(root + "/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() : Lists(controllers, controller)) {
      return line.substr(second + 1);
    }
  }
  return {};
}

}  // namespace

std::vector<ControlGroup> ControlGroups(std::string_view controller, const std::string& root) {
  std::vector<ControlGroup> groups;
  for (const Hierarchy& hierarchy : Hierarchies(controller, root)) {
    std::string group = OwnGroup(hierarchy.unified, controller, root);
    // In a container the mount may begin at the group itself, under a path of the host.
    if (hierarchy.shown != "/" && group.rfind(hierarchy.shown, 0) == 0) {
      group.erase(0, hierarchy.shown.size());
    }
    while (true) {
      while (!group.empty() && group.back() == '/') group.pop_back();
      groups.push_back({root + hierarchy.folder + group, hierarchy.unified});
      if (group.empty()) break;
      group.erase(std::min(group.rfind('/'), group.size()));
    }
  }
  return groups;
}

}  // namespace finback
