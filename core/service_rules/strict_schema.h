// What the service itself refuses of a strict tool's parameters. (Its documentation refuses more:
// core/schema/strict_problem.h.)
#pragma once

#include <string>

#include "core/json/json.h"
#include "core/service_rules/problem_list.h"

namespace finback {

void FindStrictProblem(const Json& parameters, const std::string& path, ProblemList* problems);

}  // namespace finback
