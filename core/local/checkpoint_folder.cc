#include "core/local/checkpoint_folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/base/file_nature.h"
#include "core/base/status.h"

namespace finback {
namespace {

namespace fs = std::filesystem;

constexpr int kMostEntries = 1000;  // looked at, of a folder that may be anything

std::string NatureOf(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string head(1024, '\0');
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  return FileNature(head, head.size());
}

// "owner/name", as hubs call models.
bool IsHubName(const std::string& path) {
  const size_t slash = path.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < path.size() && path[0] != '.' &&
         path[0] != '~' && path.find('/', slash + 1) == std::string::npos;
}

// What lies in the folder instead of a checkpoint, and what to do about it.
std::string Instead(const fs::path& folder) {
  std::error_code error;
  std::string inside, other;
  int left = kMostEntries;
  for (fs::recursive_directory_iterator
           it(folder, fs::directory_options::skip_permission_denied, error),
       end;
       !error && it != end && left-- > 0; it.increment(error)) {
    if (it.depth() > 2) it.disable_recursion_pending();
    const std::string name = it->path().filename().string();
    if (name == "config.json" && (inside.empty() || it->path().parent_path() < inside)) {
      inside = it->path().parent_path().string();
    }
    const std::string kind = it->path().extension().string();
    if (kind == ".gguf" || kind == ".pth" || kind == ".bin" || kind == ".incomplete" ||
        kind == ".part" || kind == ".aria2" || kind == ".crdownload") {
      other = name;
    }
  }
  if (!inside.empty()) return "one is in " + inside + ": name that folder";
  if (other.empty()) return "download the model's files into it";
  return "found " + other + ": " +
         (other.ends_with(".gguf") || other.ends_with(".pth") || other.ends_with(".bin")
              ? "that format is not read here, take the published safetensors files"
              : "the download is not finished");
}

}  // namespace

void RequireCheckpointFolder(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    Throw(Code::kNotFound, "no such model folder: %s%s", path.c_str(),
          IsHubName(path) ? "; a model's name on a hub is not looked up: download its files and "
                            "name their folder"
                          : "");
  }
  if (fs::is_regular_file(status)) {
    const std::string nature = NatureOf(path);
    Throw(Code::kNotFound, "%s: this is %s; expected the folder of a checkpoint", path.c_str(),
          nature.empty() ? "a file" : nature.c_str());
  }
  if (!fs::is_directory(status) || fs::exists(fs::path(path) / "config.json", error)) return;
  Throw(Code::kNotFound, "%s/config.json: not found; %s", path.c_str(), Instead(path).c_str());
}

}  // namespace finback
