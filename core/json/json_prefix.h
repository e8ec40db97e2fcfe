// Whether text that is still arriving can be the beginning of one JSON value, byte by byte. What it
// refuses is no JSON; what it takes may still be none (spelling of numbers, surrogates), which
// ParseJson says of the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace finback {

class JsonPrefix {
 public:
  // How many bytes of `text`, which follows what was pushed before, it takes: all, or those before
  // the first that no JSON value can go on with. Nothing is taken after that.
  size_t Push(std::string_view text);

 private:
  enum class State : uint8_t {
    kValue,      // a value must come
    kFirstItem,  // a value or `]`
    kFirstName,  // a name or `}`
    kName,       // a name
    kColon,      // behind a name
    kNext,       // behind a value: `,` or the end of what it is in
    kString,     // inside one, of a name or a value
    kEscape,     // behind a backslash
    kHexDigits,  // of `\uXXXX`
    kWord,       // inside a number or a literal
    kRefused
  };

  bool Take(char c);
  bool Begin(char c);
  bool End(char open);
  bool TakeInWord(char c);
  bool TakeInString(char c);

  State state_ = State::kValue;
  std::string open_;      // the brackets that are open
  bool is_name_ = false;  // the string at hand
  int digits_ = 0;        // that are missing
  std::string word_;
};

}  // namespace finback
