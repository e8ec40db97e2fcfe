// Events as JSON, one object each: how recorded exchanges and tests spell them. Members that say
// nothing are left out; texts that are not UTF-8 go as "..._bytes": [226, 130].
#pragma once

#include <string>
#include <string_view>

#include "core/engine/event.h"

namespace finback {

// Appends one line without its end: {"kind": "content", "text": "Hello"}.
void AppendEventJson(const Event& event, std::string* out);

// Throws Error naming `what` and the member that is wrong or not known.
Event ParseEventJson(std::string_view line, const std::string& what);

}  // namespace finback
