// A regular expression of a JSON Schema: ECMAScript's, as far as PCRE2 means the same by it
// (Unicode; \d, \w and \s are ASCII; $ is the very end). Searches anywhere in a text, in bounded
// time. Immutable once made; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace finback {

class JsonPattern {
 public:
  // Throws Error(kInvalidRequest) "<path>: ..." on what is no pattern.
  JsonPattern(std::string_view pattern, std::string path);
  ~JsonPattern();
  JsonPattern(JsonPattern&&) noexcept;

  // `text` is UTF-8. Throws Error(kInvalidRequest) when the search takes too many steps.
  bool Finds(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
  std::string path_;
};

}  // namespace finback
