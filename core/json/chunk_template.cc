#include "core/json/chunk_template.h"

#include <algorithm>

#include "core/base/utf8.h"

namespace finback {
namespace {

// Whether it stands in JSON as it is.
bool IsPlain(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) {
                        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
                      }) &&
         FindInvalidUtf8(text) == kValidUtf8;
}

}  // namespace

bool ChunkTemplate::Learn(std::string_view chunk, std::string_view name, std::string_view text) {
  // Quotes within strings are escaped: what looks like the name is the name, or a whole value.
  std::string quoted = "\"";
  quoted.append(name).append("\"");
  const size_t key = chunk.find(quoted);
  if (key == std::string_view::npos || chunk.rfind(quoted) != key || !IsPlain(text)) return false;
  const size_t open = chunk.find_first_not_of(": ", key + quoted.size());
  if (open == std::string_view::npos || chunk[open] != '"') return false;
  const size_t close = open + 1 + text.size();
  if (chunk.substr(open + 1, text.size()) != text || chunk.substr(close, 1) != "\"") return false;
  before_ = chunk.substr(0, open + 1);
  after_ = chunk.substr(close);
  return true;
}

std::optional<std::string_view> ChunkTemplate::Match(std::string_view chunk) const {
  if (before_.empty() || chunk.size() < before_.size() + after_.size()) return std::nullopt;
  if (chunk.substr(0, before_.size()) != before_) return std::nullopt;
  if (chunk.substr(chunk.size() - after_.size()) != after_) return std::nullopt;
  chunk.remove_prefix(before_.size());
  chunk.remove_suffix(after_.size());
  return IsPlain(chunk) ? std::optional(chunk) : std::nullopt;
}

}  // namespace finback
