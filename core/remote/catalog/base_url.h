// The address of a service, before the paths of its calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

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

// What of a proxy's or a service's address must not be shown: its user and password, as they are,
// decoded, and in the header that carries both.
std::vector<std::string> SecretsOfUrl(std::string_view url);

}  // namespace finback
