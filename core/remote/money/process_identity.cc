#include "core/remote/money/process_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

// The first 4 KiB of a small file of /proc; nothing when it cannot be read.
std::optional<std::string> ReadSmall(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  char bytes[4096];
  const ssize_t size = read(file, bytes, sizeof bytes);
  close(file);
  if (size < 0) return std::nullopt;
  return std::string(bytes, static_cast<size_t>(size));
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

struct ProcessStatus {
  bool alive = false;
  std::string start;  // clock ticks since boot
};

// Fields of /proc/PID/stat; the program's name in brackets may hold anything, brackets and spaces
// too, so counting begins after the last bracket.
std::optional<ProcessStatus> ParseStat(std::string_view stat) {
  constexpr size_t kState = 1, kStart = 20;
  const size_t bracket = stat.rfind(')');
  if (bracket == stat.npos) return std::nullopt;
  const std::vector<std::string_view> fields = Split(stat.substr(bracket + 1), ' ');
  if (fields.size() <= kStart) return std::nullopt;
  // Zombies and the dead write nothing more.
  const bool alive = fields[kState] != "Z" && fields[kState] != "X";
  return ProcessStatus{alive, std::string(fields[kStart])};
}

// 0: not a number.
pid_t PidOf(std::string_view text) {
  pid_t pid = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), pid);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() ? pid : 0;
}

std::string BootId() {
  const std::string id = ReadSmall("/proc/sys/kernel/random/boot_id").value_or("");
  return id.substr(0, id.find('\n'));
}

std::string NamespaceId() {
  char link[64];
  const ssize_t size = readlink("/proc/self/ns/pid", link, sizeof link);
  return size <= 0 ? "" : std::string(link, static_cast<size_t>(size));
}

}  // namespace

std::string ThisProcess() {
  const std::optional<std::string> stat = ReadSmall("/proc/self/stat");
  const std::optional<ProcessStatus> status = stat ? ParseStat(*stat) : std::nullopt;
  const std::string boot = BootId(), space = NamespaceId();
  if (!status || boot.empty() || space.empty()) return {};
  // A /proc of another namespace numbers processes differently.
  if (PidOf(stat->substr(0, stat->find(' '))) != getpid()) return {};
  return Format("%s/%s/%d/%s", boot.c_str(), space.c_str(), static_cast<int>(getpid()),
                status->start.c_str());
}

bool IsGone(std::string_view process) {
  const std::vector<std::string_view> parts = Split(process, '/');
  const std::string boot = BootId(), space = NamespaceId();
  if (parts.size() != 4 || boot.empty() || space.empty()) return false;
  if (parts[0] != boot) return true;
  if (parts[1] != space) return false;
  if (PidOf(parts[2]) <= 0) return false;
  const std::optional<std::string> stat = ReadSmall("/proc/" + std::string(parts[2]) + "/stat");
  // /proc may hide other users' processes; their groups it does not.
  if (!stat) return getpgid(PidOf(parts[2])) < 0 && errno == ESRCH;
  const std::optional<ProcessStatus> status = ParseStat(*stat);
  return status && (!status->alive || status->start != parts[3]);
}

}  // namespace finback
