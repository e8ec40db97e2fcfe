// The arguments of a tool call as models and gateways write them, brought back to one JSON object
// by a few rules (docs/services.md 8.2), never by guessing.
#pragma once

#include <string>
#include <string_view>

#include "core/json/json.h"

namespace finback {

struct RepairedArguments {
  std::string text;      // a JSON object if valid, else as it came
  bool valid = false;    // `text` is a JSON object
  const char* how = "";  // the first rule that changed something: "empty", "null", "fence",
                         // "trailing", "string", "wrapper", "mark"
};

// Each rule is applied at most once:
//  - nothing, an empty string, or a literal null: an object without members;
//  - a byte-order mark before it: left out;
//  - a code fence around it, or anything behind the first complete object: left out;
//  - a JSON string that holds an object: that object;
//  - {"arguments": {..}} or {"input": {..}}, when `schema` has no such property: the inner object.
// `schema`: the tool's parameters; nullptr if unknown.
RepairedArguments RepairArguments(std::string_view raw, const Json* schema);

}  // namespace finback
