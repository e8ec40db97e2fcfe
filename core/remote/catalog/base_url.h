// The address of a service, before the paths of its calls.
#pragma once

#include <string>
#include <string_view>

namespace finback {

// "" if `url` can stand before a path, else what is wrong with it. Nothing secret goes into one: a
// name and a password before the host are refused.
std::string BaseUrlProblem(std::string_view url);
std::string WithoutSlash(std::string_view url);  // at its end

}  // namespace finback
