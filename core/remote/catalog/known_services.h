// What is known of services and models without asking them.
#pragma once

#include <string>
#include <string_view>

namespace finback {

// The services and models that are known without asking, those of `providers_file` ("" for none)
// among them; see finback_services(). Throws what reading the file throws.
std::string KnownServicesJson(const std::string& providers_file);

// For a `name` that is no folder: how a service's model is named, if it is one of those or the name
// of a service; else "".
std::string ServiceHint(const std::string& providers_file, std::string_view name);

}  // namespace finback
