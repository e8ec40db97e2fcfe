#include "tools/cache_folder.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

std::string DefaultCacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  std::error_code error;
  if (cache != nullptr && *cache == '/') {
    folder = cache;
  } else if (home != nullptr && *home == '/' && std::filesystem::is_directory(home, error)) {
    folder = std::filesystem::path(home) / ".cache";
  } else {
    return "";
  }
  return (folder / "finback" / "conversations").string();
}
