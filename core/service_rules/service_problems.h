// What DeepSeek's Chat Completions service would refuse in a request.
#pragma once

#include <string>
#include <vector>

#include "core/json/json.h"

namespace finback {

struct ServiceProblem {
  std::string path;     // "messages[2].tool_calls"; "" for the request itself
  std::string message;  // what is wrong
  std::string fix;      // what to do
};

// In the order of the request's parts; the service itself tells the first alone. At most
// kMostServiceProblems. The model's name is the engine's to give, so a request may have none.
inline constexpr size_t kMostServiceProblems = 100;
std::vector<ServiceProblem> FindServiceProblems(const Json& request);

// The same as a JSON list of {"path", "message", "fix"}.
std::string ServiceProblemsJson(const std::vector<ServiceProblem>& problems);

}  // namespace finback
