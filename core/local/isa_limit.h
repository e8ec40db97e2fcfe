// The environment's limit of the instruction set.
#pragma once

namespace finback {

// Throws Error(kInvalidArgument) for a value that names no tier: it would be no limit, which is not
// what it was set for.
void CheckIsaLimit();

}  // namespace finback
