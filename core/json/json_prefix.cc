#include "core/json/json_prefix.h"

#include <algorithm>
#include <iterator>

#include "core/base/contains.h"
#include "core/json/json.h"

namespace finback {
namespace {

constexpr std::string_view kLiterals[] = {"true", "false", "null"};
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kNumberCharacters = "0123456789+-.eE";

bool IsIn(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

bool IsHexDigit(char c) {
  return IsIn(c, kDigits) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

size_t JsonPrefix::Push(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (state_ != State::kRefused && Take(text[i])) continue;
    state_ = State::kRefused;
    return i;
  }
  return text.size();
}

bool JsonPrefix::Take(char c) {
  switch (state_) {
    case State::kString:
    case State::kEscape:
    case State::kHexDigits:
      return TakeInString(c);
    case State::kWord:
      if (TakeInWord(c)) return true;
      break;
    default:
      break;
  }
  if (IsIn(c, " \t\r\n")) return true;
  switch (state_) {
    case State::kFirstItem:
      if (c == ']') return End('[');
      return Begin(c);
    case State::kValue:
      return Begin(c);
    case State::kFirstName:
      if (c == '}') return End('{');
      [[fallthrough]];
    case State::kName:
      is_name_ = true;
      state_ = State::kString;
      return c == '"';
    case State::kColon:
      state_ = State::kValue;
      return c == ':';
    case State::kNext:
      if (c == '}' || c == ']') return End(c == '}' ? '{' : '[');
      if (c != ',' || open_.empty()) return false;
      state_ = open_.back() == '{' ? State::kName : State::kValue;
      return true;
    default:
      return false;
  }
}

bool JsonPrefix::Begin(char c) {
  if (c == '{' || c == '[') {
    open_ += c;
    state_ = c == '{' ? State::kFirstName : State::kFirstItem;
    return open_.size() <= static_cast<size_t>(kJsonMaxDepth);
  }
  if (c == '"') {
    is_name_ = false;
    state_ = State::kString;
    return true;
  }
  word_ = c;
  state_ = State::kWord;
  return IsIn(c, "-0123456789tfn");
}

bool JsonPrefix::End(char open) {
  if (open_.empty() || open_.back() != open) return false;
  open_.pop_back();
  state_ = State::kNext;
  return true;
}

// False: the word is over before `c`, or was none, which leaves a state that refuses `c`.
bool JsonPrefix::TakeInWord(char c) {
  const bool is_number = IsIn(word_[0], "-0123456789");
  if (is_number && IsIn(c, kNumberCharacters)) {
    word_ = word_[0];  // its length does not matter
    word_ += c;
    return true;
  }
  if (is_number) {
    state_ = IsIn(word_.back(), kDigits) ? State::kNext : State::kRefused;
    return false;
  }
  word_ += c;
  const bool begins =
      std::any_of(std::begin(kLiterals), std::end(kLiterals),
                  [&](std::string_view literal) { return literal.starts_with(word_); });
  if (begins) return true;
  word_.pop_back();
  state_ = Contains(kLiterals, word_) ? State::kNext : State::kRefused;
  return false;
}

bool JsonPrefix::TakeInString(char c) {
  if (state_ == State::kEscape) {
    digits_ = 4;
    state_ = c == 'u' ? State::kHexDigits : State::kString;
    return IsIn(c, "\"\\/bfnrtu");
  }
  if (state_ == State::kHexDigits) {
    if (--digits_ == 0) state_ = State::kString;
    return IsHexDigit(c);
  }
  if (c == '"') state_ = is_name_ ? State::kColon : State::kNext;
  if (c == '\\') state_ = State::kEscape;
  return static_cast<unsigned char>(c) >= 0x20;
}

}  // namespace finback
