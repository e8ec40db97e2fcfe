// Tools and response format of a request, which the prompt shows on its leading system message.
#pragma once

#include <string>
#include <vector>

#include "core/chat/messages.h"

namespace finback {

// Tool definitions -> their `function` objects. Throws Error(kInvalidRequest) naming the JSON path,
// as all of these do. Unknown fields are listed in `unknown`; nullptr: passed over.
std::vector<Json> ParseTools(const Json& array, const std::string& path,
                             UnknownMembers* unknown = nullptr);

// Put on the leading system message; an empty one is made when the conversation has none.
void PlaceTools(std::vector<Json> tools, std::vector<PromptMessage>* messages);
void PlaceResponseFormat(const Json& format, std::vector<PromptMessage>* messages);

}  // namespace finback
