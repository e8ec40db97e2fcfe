#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace finback {

// Members of a document that nobody knows: the first paths, and how many there are.
struct UnknownMembers {
  static constexpr size_t kMostPaths = 16;
  std::vector<std::string> paths;
  size_t count = 0;

  // "a, b and 3 more", with at most `most` paths.
  std::string Listed(size_t most = kMostPaths) const;
};

}  // namespace finback
