// Text that comes from the system or a user, who may have written anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Where the first byte stands that is no UTF-8; npos if all is.
size_t FindInvalidUtf8(std::string_view text);

// The same text with U+FFFD for each byte that is no UTF-8.
std::string ValidUtf8(std::string_view text);

// Throws unless `text` is UTF-8 without a NUL, naming `source` and what stands where.
void CheckIsText(std::string_view text, const std::string& source);

// A figure in three digits, or all of those before the point: 0.25, 7.31, 42.0, 128, 2580.
std::string ThreeDigits(double figure);

std::string Grouped(int64_t number);    // "1,234,567"
std::string ShortBytes(int64_t bytes);  // "1.23 MB", "999 bytes"

std::string Trim(std::string_view text);
bool IsBlank(std::string_view text);
