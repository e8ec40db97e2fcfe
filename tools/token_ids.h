// Token ids as text: whitespace-separated decimal numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Anything else is a Failure that names `source` and what was found where.
std::vector<int32_t> ParseTokenIds(std::string_view text, const std::string& source);
