// What tokenizer.json says, checked: everything in the file is hostile until it has passed here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/bpe.h"

namespace finback {

struct TokenizerFile {
  static constexpr size_t kMaxBytes = size_t{64} << 20;
  static constexpr int64_t kMaxIds = int64_t{1} << 24;
  static constexpr size_t kMaxTokenBytes = 4096;
  static constexpr size_t kMaxSplits = 32;

  struct Token {
    int32_t id = -1;
    std::string bytes = {};  // what the token stands for in text
    bool spelled = false;    // its name is in the byte alphabet: BPE can make it
    bool added = false;
    bool special = false;
    bool normalized = false;  // added tokens: looked for after those that are not
  };
  struct Split {
    bool is_regex = false;
    std::string pattern;
    std::string where;  // path and field, for messages
  };

  std::vector<Token> tokens;  // ids are unique
  std::array<int32_t, 256> byte_ids = {};
  std::vector<Merge> merges;  // by rank
  std::string merges_where;
  std::vector<Split> splits;   // Isolated, in order
  bool ignore_merges = false;  // a piece that is a token needs no merges

  // `path` is used in messages. Throws Error(kCheckpoint or kUnsupported) naming path and field.
  static TokenizerFile Parse(std::string_view json, const std::string& path);
};

}  // namespace finback
