// Rewrites the regular expressions of tokenizer.json, which are Oniguruma's (Ruby syntax, UTF-8),
// for PCRE2 with UTF, UCP, MULTILINE and newline LF, so that both match the same text. What the two
// read differently is spelled out (\s, \v, {,n}, scripts) or refused by name:
// nothing is passed on unread.
#pragma once

#include <string>
#include <string_view>

namespace finback {

inline constexpr size_t kMaxPatternBytes = 16384;

// `pattern` is valid UTF-8; `where` opens the messages. Throws Error(kCheckpoint) on a malformed
// pattern and Error(kUnsupported) on a construct that is not translated.
std::string TranslatePattern(std::string_view pattern, const std::string& where);

}  // namespace finback
