// Matching of text that is still arriving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace finback {

enum class Match : uint8_t { kFails, kYes, kNeedMore };

// Matches `literal` at `*i` and, when it is there, steps over it.
inline Match Literal(std::string_view text, std::string_view literal, size_t* i) {
  const std::string_view rest = text.substr(*i, literal.size());
  if (rest == literal) {
    *i += literal.size();
    return Match::kYes;
  }
  return rest == literal.substr(0, rest.size()) ? Match::kNeedMore : Match::kFails;
}

}  // namespace finback
