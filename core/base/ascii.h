// Text by its ASCII characters, whatever the locale; other bytes pass as they are.
#pragma once

#include <string>
#include <string_view>

namespace finback {

constexpr char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string LowerAscii(std::string_view text);

// Neither a blank nor a control character.
constexpr bool IsVisibleAscii(char c) { return c > 0x20 && c < 0x7F; }

// `text` without blanks, tabs and line ends around it.
std::string_view Trimmed(std::string_view text);

// Whether `pattern`, in which '*' stands for any characters, even none, is all of `text`, in either
// case. On a mismatch only the last star is tried again.
bool MatchesWildcard(std::string_view pattern, std::string_view text);

}  // namespace finback
