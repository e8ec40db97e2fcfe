// What a file is that is not what its name says: pointers to large files, web pages, archives,
// other formats. Told from its first bytes, for messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace finback {

// "a git-lfs pointer, not the file itself: run `git lfs pull` ...", or "" when the bytes look like
// none of what we know. `head` is the beginning of the file, a kilobyte of it is enough.
std::string FileNature(std::string_view head, uint64_t file_bytes);

// Throws Error(kCheckpoint) with the nature, if there is one.
void RefuseOtherNature(const std::string& path, std::string_view head, uint64_t file_bytes);

}  // namespace finback
