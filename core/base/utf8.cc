#include "core/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace finback {
namespace {

constexpr bool IsContinuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

enum class Sequence { kComplete, kUnfinished, kInvalid };

// Looks at the sequence that `text` (not empty) begins with. `*length`: its bytes if complete, the
// bytes so far if unfinished, the maximal ill-formed subpart (Unicode 15, 3.9) if invalid.
Sequence Classify(std::string_view text, size_t* length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  *length = 1;
  if (lead < 0x80) return Sequence::kComplete;
  if (lead < 0xC2 || lead > 0xF4) return Sequence::kInvalid;
  const size_t needed = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  while (*length < needed) {
    if (*length == text.size()) return Sequence::kUnfinished;
    const uint8_t next = byte(*length);
    const bool fits = *length == 1 ? next >= low && next <= high : IsContinuation(next);
    if (!fits) return Sequence::kInvalid;
    ++*length;
  }
  return Sequence::kComplete;
}

size_t AsciiLength(std::string_view text) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    memcpy(&word, text.data() + i, sizeof word);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) ++i;
  return i;
}

constexpr char kReplacement[] = "\xEF\xBF\xBD";

}  // namespace

size_t FindInvalidUtf8(std::string_view text) {
  size_t i = 0;
  while (true) {
    i += AsciiLength(text.substr(i));
    if (i == text.size()) return kValidUtf8;
    size_t length;
    if (Classify(text.substr(i), &length) != Sequence::kComplete) return i;
    i += length;
  }
}

std::string_view CutUtf8(std::string_view text, size_t most_bytes) noexcept {
  if (text.size() <= most_bytes) return text;
  constexpr size_t kMostContinuations = 3;
  size_t end = most_bytes;
  while (end > 0 && most_bytes - end < kMostContinuations &&
         IsContinuation(static_cast<uint8_t>(text[end]))) {
    --end;
  }
  text.remove_suffix(text.size() - end);
  return text;
}

size_t CountCharacters(std::string_view utf8) noexcept {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return !IsContinuation(static_cast<uint8_t>(c)); }));
}

void Utf8Stream::Push(std::string_view bytes, std::string* out) {
  // A pending character takes one byte at a time until it is decided; the rest is never copied.
  while (!pending_.empty() && !bytes.empty()) {
    pending_ += bytes[0];
    size_t length;
    const Sequence sequence = Classify(pending_, &length);
    if (sequence == Sequence::kUnfinished) {
      bytes.remove_prefix(1);
      continue;
    }
    if (sequence == Sequence::kComplete) {
      *out += pending_;
      bytes.remove_prefix(1);
    } else {
      *out += kReplacement;  // the new byte did not fit: it begins something else
    }
    pending_.clear();
  }
  while (!bytes.empty()) {
    const size_t ascii = AsciiLength(bytes);
    out->append(bytes.substr(0, ascii));
    bytes.remove_prefix(ascii);
    if (bytes.empty()) return;
    size_t length;
    switch (Classify(bytes, &length)) {
      case Sequence::kComplete:
        out->append(bytes.substr(0, length));
        break;
      case Sequence::kUnfinished:
        pending_ = bytes;
        return;
      case Sequence::kInvalid:
        *out += kReplacement;
        break;
    }
    bytes.remove_prefix(length);
  }
}

void Utf8Stream::Finish(std::string* out) {
  if (!pending_.empty()) *out += kReplacement;
  pending_.clear();
}

std::string ValidUtf8(std::string_view bytes) {
  std::string text;
  Utf8Stream stream;
  stream.Push(bytes, &text);
  stream.Finish(&text);
  return text;
}

}  // namespace finback
