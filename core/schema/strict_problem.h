// What DeepSeek's strict mode takes of a tool's parameters.
#pragma once

#include <string>

#include "core/json/json.h"

namespace finback {

// Whether a tool's parameters satisfy the strict mode of DeepSeek (docs/services.md 8.3): "", or
// what does not, to be put behind the schema's own path: `.properties.name.minLength: not known in
// strict mode`.
std::string StrictProblem(const Json& schema);

}  // namespace finback
