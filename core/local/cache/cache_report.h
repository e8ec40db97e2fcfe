// What a cache folder holds, for people and programs: told, checked, and thrown away.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/options.h"

namespace finback {

// docs/cache.md has the query and the answer. Throws Error(kInvalidArgument) without a folder,
// kInvalidRequest for the query, kNotFound for a name in it, kIo where the folder cannot be read,
// and kCancelled.
std::string CacheReportJson(const EngineOptions& options, std::string_view query_json);

}  // namespace finback
