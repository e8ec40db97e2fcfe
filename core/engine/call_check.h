// A tool call that has ended, judged alike whoever made it (docs/services.md 8.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"

namespace finback {

struct EndedCall {
  std::string_view name;
  std::string_view said;        // its arguments as they came
  std::string_view meant = {};  // what the pieces of them mean; mostly the same
  const char* how = "";         // how that was found; "" for the same
  bool cut = false;             // the answer ended before it did
  int32_t tool_index = 0;
};

// The offered tool of that name; nullptr without one.
const Json* FindTool(const std::vector<Json>& tools, std::string_view name);

// What the arguments are: one JSON object by the rules of RepairArguments, else as they came.
// `*notice`: the text of the notice about it; "" when they were such an object.
std::string CheckedArguments(const EndedCall& call, const Json* tool, std::string* notice);

// The text of the notice that no such tool was offered; `caller`: "model" or "service".
std::string ToolUnknown(const EndedCall& call, const char* caller);

}  // namespace finback
