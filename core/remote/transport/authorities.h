// The certificates of the authorities that the system trusts, which libcurl reads from two places:
// one file with all of them, read and parsed for every connection (measured: 25 ms and 0.9 MB), and
// a folder in which OpenSSL looks up the one that it needs.
#pragma once

#include <string>

namespace finback {

// Whether the folder alone will do: it exists, and has as many certificates as the file under the
// names that they are looked up by.
bool FolderHasAuthorities(const std::string& folder, const std::string& file);

// libcurl's own folder if it will do; else "": take what libcurl takes.
std::string AuthoritiesFolder();

}  // namespace finback
