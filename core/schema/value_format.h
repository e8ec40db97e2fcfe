// What "format" says of a string in a JSON Schema.
#pragma once

#include <string_view>

namespace finback {

// True for formats that are not known. Known: date, time, date-time (RFC 3339, where the offset may
// be missing: common libraries write such), email, hostname, ipv4, ipv6, uuid, uri.
bool FitsFormat(std::string_view format, std::string_view text);

}  // namespace finback
