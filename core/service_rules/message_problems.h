// Roles, contents, calls and results of a conversation, as the service wants them.
#pragma once

#include "core/json/json.h"
#include "core/service_rules/problem_list.h"

namespace finback {

// What the rest of a request is judged by.
struct ConversationFacts {
  bool says_json = false;       // in the text of some message
  bool has_calls = false;       // calls, or results of calls
  bool ends_in_prefix = false;  // the last message is to be continued
};

// What messages are judged by.
struct ConversationScope {
  bool thinking = false;   // the request thinks
  bool has_tools = false;  // it has tools, offered or not
};

// `messages` is a list.
ConversationFacts FindMessageProblems(const Json& messages, ConversationScope scope,
                                      ProblemList* problems);

}  // namespace finback
