// Reading what others send, which is seldom exactly what they document: null is absent, numbers
// come as strings, a text may be cut inside a character. Nothing here throws for what it reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/json/json.h"

namespace finback {

// False, with the reason, for what is no JSON even with these pardoned: a byte-order mark, bytes
// that are not UTF-8 and escaped halves of surrogate pairs (both become U+FFFD), NaN and Infinity.
bool ParseLenientJson(std::string_view text, Json* json, std::string* reason);

// The member, or nullptr if it is absent, null, or of another kind.
const Json* FindValue(const Json& object, std::string_view name);
const Json* FindObject(const Json& object, std::string_view name);
const Json* FindArray(const Json& object, std::string_view name);
// The member if it is a string, else "". The view lives as long as the object.
std::string_view FindText(const Json& object, std::string_view name);
// The member if it is a whole number from 0 on, perhaps spelled as a string; else -1.
int64_t FindCount(const Json& object, std::string_view name);

}  // namespace finback
