#include "core/json/unknown_members.h"

#include <algorithm>

#include "core/base/status.h"

namespace finback {

std::string UnknownMembers::Listed(size_t most) const {
  std::string list;
  const size_t shown = std::min(paths.size(), most);
  for (size_t i = 0; i < shown; ++i) list += (i == 0 ? "" : ", ") + paths[i];
  if (count > shown) list += Format(" and %zu more", count - shown);
  return list;
}

}  // namespace finback
