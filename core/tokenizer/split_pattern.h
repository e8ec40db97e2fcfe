// One Split step of a pre-tokenizer: finds where a pattern matches inside a piece of text.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace finback {

// A compiled pattern, immutable, for any thread; what a match writes to is the caller's Scratch.
// Matching is bounded in steps and memory, so that a hostile pattern ends in an error.
class SplitPattern {
 public:
  struct Span {
    size_t begin = 0;
    size_t end = 0;
  };

  // Match data; one thread's at a time, good for every pattern.
  class Scratch {
   public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

   private:
    friend class SplitPattern;
    struct Data;
    std::unique_ptr<Data> data_;
  };

  // `regex` in Oniguruma's dialect; `where` names it in messages. Throws Error(kCheckpoint or
  // kUnsupported). Without `use_jit` the interpreter matches; the results are the same.
  static SplitPattern Regex(std::string_view regex, const std::string& where, bool use_jit = true);
  static SplitPattern Literal(std::string_view text);
  ~SplitPattern();
  SplitPattern(SplitPattern&& other) noexcept;
  SplitPattern& operator=(SplitPattern&& other) noexcept;

  // The first match at or after `start`, which is on a character boundary of the valid UTF-8
  // `text`. Throws Error(kCheckpoint) when the limits are hit.
  bool Find(std::string_view text, size_t start, Scratch* scratch, Span* span) const;

 private:
  SplitPattern();
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  std::string literal_;  // used when there is no code
  std::string where_;
};

}  // namespace finback
