#include "core/tokenizer/added_token_matcher.h"

#include <algorithm>

namespace finback {

void AddedTokenMatcher::Add(std::string content, int32_t id) {
  tokens_.push_back({std::move(content), id});
}

void AddedTokenMatcher::Finish() {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const Token& a, const Token& b) { return a.content < b.content; });
  for (uint32_t i = 0; i < tokens_.size(); ++i) {
    Range& range = by_first_byte_[static_cast<uint8_t>(tokens_[i].content[0])];
    if (range.begin == range.end) range.begin = i;
    range.end = i + 1;
  }
}

bool AddedTokenMatcher::Find(std::string_view text, size_t start, Match* match) const {
  for (size_t begin = start; begin < text.size(); ++begin) {
    Range range = by_first_byte_[static_cast<uint8_t>(text[begin])];
    // All tokens of the range share their first `length` bytes with the text.
    size_t length = 1;
    const Token* longest = nullptr;
    while (range.begin < range.end) {
      const Token* const first = &tokens_[range.begin];
      if (first->content.size() == length) {  // the shortest of a range sorts first
        longest = first;
        ++range.begin;
      }
      if (begin + length == text.size()) break;
      const auto byte = static_cast<uint8_t>(text[begin + length]);
      const auto lower = std::partition_point(
          tokens_.begin() + range.begin, tokens_.begin() + range.end,
          [&](const Token& t) { return static_cast<uint8_t>(t.content[length]) < byte; });
      const auto upper = std::partition_point(
          lower, tokens_.begin() + range.end,
          [&](const Token& t) { return static_cast<uint8_t>(t.content[length]) == byte; });
      range = {static_cast<uint32_t>(lower - tokens_.begin()),
               static_cast<uint32_t>(upper - tokens_.begin())};
      ++length;
    }
    if (longest != nullptr) {
      *match = {begin, begin + longest->content.size(), longest->id};
      return true;
    }
  }
  return false;
}

}  // namespace finback
