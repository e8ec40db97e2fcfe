#include "tools/token_ids.h"

#include <charconv>

#include "tools/failure.h"

std::vector<int32_t> ParseTokenIds(std::string_view text, const std::string& source) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  std::vector<int32_t> ids;
  for (size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    int32_t id = -1;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size() || id < 0) {
      throw Failure(kExitFailure, source + ": number " + std::to_string(ids.size() + 1) +
                                      " is no token id: \"" + std::string(word.substr(0, 40)) +
                                      "\"");
    }
    ids.push_back(id);
    begin = text.find_first_not_of(kSpace, end);
  }
  return ids;
}
