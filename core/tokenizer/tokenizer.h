// Byte-level BPE read from tokenizer.json. Immutable once loaded; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/utf8.h"

namespace finback {

enum class AddedTokens : uint8_t { kRecognize, kIgnore };  // kIgnore: untrusted text stays text

class Tokenizer {
 public:
  // `path` is used in messages. Throws Error(kCheckpoint) naming what is malformed.
  static std::unique_ptr<Tokenizer> Parse(std::string_view json, const std::string& path);
  static std::unique_ptr<Tokenizer> Load(const std::string& folder);  // <folder>/tokenizer.json
  ~Tokenizer();

  // Appends the ids of `text`. Throws Error(kInvalidArgument)
  // with the byte offset on invalid UTF-8.
  void Encode(std::string_view text, AddedTokens added, std::vector<int32_t>* ids) const;

  int32_t size() const;                      // highest id + 1
  std::string_view Bytes(int32_t id) const;  // raw bytes; empty for unknown ids
  bool IsAdded(int32_t id) const;
  bool IsSpecial(int32_t id) const;                   // carries the file's "special" flag
  int32_t FindToken(std::string_view content) const;  // id of an added or base token's text, or -1
  std::string Decode(const std::vector<int32_t>& ids) const;  // ill-formed bytes become U+FFFD

 private:
  Tokenizer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Streaming detokenization that never splits a character.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}
  void Push(int32_t id, std::string* out) { stream_.Push(tokenizer_->Bytes(id), out); }
  void Finish(std::string* out) { stream_.Finish(out); }

 private:
  const Tokenizer* tokenizer_;
  Utf8Stream stream_;
};

}  // namespace finback
