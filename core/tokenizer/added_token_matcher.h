// Finds added tokens in text: leftmost, and the longest of those that begin at the same place.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

// The contents sorted, which makes them a trie without nodes: a prefix is a range of them.
// Immutable; any thread.
class AddedTokenMatcher {
 public:
  struct Match {
    size_t begin = 0;
    size_t end = 0;
    int32_t id = -1;
  };

  // `content` must not be empty nor added twice. Finish() comes after the last Add()
  // and before Find().
  void Add(std::string content, int32_t id);
  void Finish();

  bool empty() const { return tokens_.empty(); }
  // The first match at or after `start`; false if there is none. Takes at most (length of the
  // longest content) steps per byte of text.
  bool Find(std::string_view text, size_t start, Match* match) const;

 private:
  struct Token {
    std::string content;
    int32_t id = -1;
  };
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };

  std::vector<Token> tokens_;                  // sorted by content, bytes unsigned
  std::array<Range, 256> by_first_byte_ = {};  // into tokens_
};

}  // namespace finback
