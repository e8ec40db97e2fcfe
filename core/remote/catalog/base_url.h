// The address of a service, before the paths of its calls.
#pragma once

#include <string>
#include <string_view>

namespace finback {

// "" if `url` can stand before a path, else what is wrong with it. Nothing secret goes into one: a
// name and a password before the host are refused.
std::string BaseUrlProblem(std::string_view url);
std::string WithoutSlash(std::string_view url);  // at its end

// The same without blanks and line ends around it, and without the path of a call at its end: what
// documentation shows is often ".../v1/chat/completions". The path of another format's call stays,
// and `wrong_format` says so.
std::string TidyBaseUrl(std::string_view url, std::string_view wire_format,
                        std::string* wrong_format);

}  // namespace finback
