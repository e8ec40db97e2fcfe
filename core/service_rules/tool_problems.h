// Tools, the choice among them and the form of the answer, as the service wants them.
#pragma once

#include "core/json/json.h"
#include "core/service_rules/message_problems.h"
#include "core/service_rules/problem_list.h"

namespace finback {

// tools, tool_choice, response_format, and what does not go together with them.
void FindToolProblems(const Json& request, bool thinking, const ConversationFacts& conversation,
                      ProblemList* problems);

}  // namespace finback
