// The part of a request that becomes the prompt: messages, tools, response format.
#pragma once

#include <string>
#include <vector>

#include "core/chat/messages.h"

namespace finback {

// A Chat Completions conversation: roles, text parts, "prefix"; the last message must call for an
// answer. Throws Error(kInvalidRequest) naming the JSON path, as all of these do.
std::vector<Message> ParseChatMessages(const Json& array, const std::string& path);

// Tool definitions -> their `function` objects.
std::vector<Json> ParseTools(const Json& array, const std::string& path);

// Put on the leading system message; an empty one is made when the conversation has none.
void PlaceTools(std::vector<Json> tools, std::vector<Message>* messages);
void PlaceResponseFormat(const Json& format, std::vector<Message>* messages);

}  // namespace finback
