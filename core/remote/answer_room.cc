#include "core/remote/answer_room.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/ascii.h"
#include "core/remote/transport/error_body.h"

namespace finback {
namespace {

using Words = std::initializer_list<std::string_view>;

constexpr size_t kMaxDigits = 18;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool Says(std::string_view text, Words words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

int64_t Number(std::string_view digits) {
  int64_t number = 0;
  for (const char c : digits) {
    if (c != ',') number = number * 10 + (c - '0');
  }
  return number;
}

// The first number right behind one of `words`, in their order; -1: none.
int64_t NumberBehind(std::string_view text, Words words) {
  for (const std::string_view word : words) {
    const int64_t number = NumberAfter(text, word);
    if (number >= 0) return number;
  }
  return -1;
}

// The first number right before one of `words`; -1: none, or no more than a lower bound.
int64_t NumberBefore(std::string_view text, Words words) {
  for (const std::string_view word : words) {
    for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
      size_t begin = at;
      while (begin > 0 && at - begin < kMaxDigits &&
             (IsDigit(text[begin - 1]) || text[begin - 1] == ',')) {
        --begin;
      }
      if (begin == at) continue;
      constexpr std::string_view kBound = "at least ";
      const bool bound =
          begin >= kBound.size() && text.substr(begin - kBound.size(), kBound.size()) == kBound;
      return bound ? -1 : Number(text.substr(begin, at - begin));
    }
  }
  return -1;
}

// The tokens of the prompt, where they are said or follow from the sum; -1: neither.
int64_t PromptOf(std::string_view text, int64_t asked) {
  const int64_t said =
      NumberBefore(text, {" in the messages", " in the prompt", " in your prompt", " input tokens",
                          " prompt tokens", " tokens from the input", " tokens in the messages",
                          " tokens in the prompt"});
  if (said >= 0) return said;
  const int64_t sum = NumberBehind(
      text, {"requested a total of ", "requested about ", "requested ", "request has "});
  return sum > asked && !Says(text, {"at least "}) ? sum - asked : -1;
}

}  // namespace

std::optional<int64_t> RoomForAnswer(const Failure& failure, int64_t asked, int64_t prompt_bound) {
  const bool overflow = failure.kind == FailureKind::kContextOverflow;
  if (asked <= 0 || (!overflow && failure.kind != FailureKind::kInvalidRequest)) return {};
  // Not the message: that ends with advice of our own.
  const std::string text = LowerAscii(failure.body.empty() ? failure.message : failure.body);
  const bool of_answer = Says(text, {"max_tokens", "max_completion_tokens", "max_output_tokens",
                                     "max_new_tokens", "output tokens", "completion"});
  int64_t context = NumberBehind(
      text,
      {"max_model_len=max_total_tokens=", "max_total_tokens=", "max_model_len=", "max_model_len (",
       "max_model_len of ", "max_model_len ", "context length is only ", "context length is ",
       "context length of ", "context length (", "context window of ", "model length of "});
  if (context < 0 && overflow) context = failure.limit;
  if (context > 0) {
    const int64_t prompt = PromptOf(text, asked);
    if (prompt >= context || (prompt < 0 && !of_answer)) return {};
    if (prompt < 0 && prompt_bound < 0) return 0;
    const int64_t room = context - (prompt < 0 ? prompt_bound : prompt);
    if (room <= 0 || room >= asked) return {};
    return room;
  }
  if (overflow) return {};
  int64_t most = failure.limit;
  if (most < 0 && of_answer) {
    most = NumberBehind(text, {"less than or equal to ", "cannot be greater than ", "at most ",
                               "maximum of ", "maximum value of ", "must be <= ", "limit of "});
  }
  if (most <= 0 || most >= asked) return {};
  return most;
}

}  // namespace finback
