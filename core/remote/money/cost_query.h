// What was spent, asked of a ledger.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/options.h"

namespace finback {

// What the ledger of `options` says, re-priced with their tables if the query asks for it:
// {"group_by": "day", "since": "2026-11-01", "until": .., "reprice": false}, all optional. Throws
// Error(kInvalidRequest) naming the path, and what the ledger throws.
std::string CostReportJson(const ServiceOptions& options, std::string_view query_json);

}  // namespace finback
