// Token ids for tests of what sequences and conversations have.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace finback {

// The same for the same seed.
inline std::vector<int32_t> RandomIds(size_t count, uint64_t seed, int32_t vocab) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab));
  return ids;
}

inline std::vector<int32_t> Joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace finback
