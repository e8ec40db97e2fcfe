// A name for a running process that no later process gets, so that others can tell when it is gone.
#pragma once

#include <string>
#include <string_view>

namespace finback {

// Boot, process namespace, process id and start time; "" where the system does not tell.
std::string ThisProcess();

// Whether the process of that name has certainly ended. False when that cannot be known from here:
// another namespace of processes, or a name that is none.
bool IsGone(std::string_view process);

}  // namespace finback
