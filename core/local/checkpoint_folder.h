// Whether a path can be a checkpoint at all, said in words that help.
#pragma once

#include <string>

namespace finback {

// Throws Error(kNotFound) for a file, a hub's name, or a folder without config.json, with what to
// do about it.
void RequireCheckpointFolder(const std::string& path);

}  // namespace finback
