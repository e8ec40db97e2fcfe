// Whether a JSON document is a JSON Schema, as the service judges it: any keyword of draft 2020-12,
// known to Finback's own judge of answers or not.
#pragma once

#include <string>

#include "core/json/json.h"
#include "core/service_rules/problem_list.h"

namespace finback {

void FindSchemaProblem(const Json& schema, const std::string& path, ProblemList* problems);

}  // namespace finback
