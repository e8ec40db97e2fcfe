// Where the command keeps conversations.
#pragma once

#include <string>

// finback/conversations where the desktop conventions keep such things; "" where there is no home.
std::string DefaultCacheFolder();
