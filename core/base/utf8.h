// UTF-8 checks, the one place that cuts text, and an incremental decoder that never emits half a
// character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace finback {

inline constexpr size_t kValidUtf8 = static_cast<size_t>(-1);

// Byte offset of the first byte that is not part of a valid UTF-8 sequence, or kValidUtf8.
// Overlong forms, surrogates and code points beyond U+10FFFF are invalid.
size_t FindInvalidUtf8(std::string_view text);

// `bytes` with what is no UTF-8 replaced, as the stream below does.
std::string ValidUtf8(std::string_view bytes);

// The longest beginning of `text` that has at most `most_bytes` and ends between two characters.
// What is no UTF-8 may lose three bytes more.
std::string_view CutUtf8(std::string_view text, size_t most_bytes) noexcept;

size_t CountCharacters(std::string_view utf8) noexcept;

// Takes bytes as they come; gives out the longest valid prefix. Bytes that can no longer become a
// character are replaced by U+FFFD, one per maximal ill-formed subpart.
class Utf8Stream {
 public:
  // Appends to `out` all characters completed by `bytes`.
  void Push(std::string_view bytes, std::string* out);
  // At the end: an unfinished character becomes U+FFFD.
  void Finish(std::string* out);

 private:
  std::string pending_;
};

}  // namespace finback
