#include "tools/nearest.h"

#include <algorithm>
#include <cctype>

namespace {

// Insertions, deletions, exchanges and swaps of neighbours that turn one into the other.
size_t EditDistance(std::string_view from, std::string_view to) {
  std::vector<std::vector<size_t>> rows(from.size() + 1, std::vector<size_t>(to.size() + 1));
  for (size_t i = 0; i <= from.size(); ++i) rows[i][0] = i;
  for (size_t j = 0; j <= to.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    for (size_t j = 1; j <= to.size(); ++j) {
      const size_t exchanged = rows[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, exchanged});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[from.size()][to.size()];
}

// Case, and which of - and _ stands between words, are the likeliest mistakes: they cost nothing.
std::string Folded(std::string_view word) {
  std::string folded;
  for (const char c : word.substr(0, 128)) {
    folded += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string typed = Folded(word);
  if (typed.empty()) return "";
  // One mistake in three letters; a short word is near to too many.
  const size_t tolerated = std::max<size_t>(1, typed.size() / 3);
  std::string nearest, begun;
  size_t least = tolerated + 1, beginning = 0;
  for (const std::string& candidate : candidates) {
    const std::string known = Folded(candidate);
    const size_t distance = EditDistance(typed, known);
    if (distance < least && distance < known.size()) {
      least = distance;
      nearest = candidate;
    }
    if (typed.size() > 2 && known.compare(0, typed.size(), typed) == 0) {
      ++beginning;
      begun = candidate;
    }
  }
  return beginning == 1 && least > 1 ? begun : nearest;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : "did you mean " + nearest + "?";
}

CLI::Validator OneOf(std::vector<std::string> values) {
  const auto check = [values = std::move(values)](std::string& value) {
    if (std::find(values.begin(), values.end(), value) != values.end()) return std::string();
    std::string list;
    for (const std::string& known : values) list += (list.empty() ? "" : ", ") + known;
    const std::string meant = DidYouMean(value, values);
    return "\"" + value + "\" is not one of " + list + (meant.empty() ? "" : "; " + meant);
  };
  return CLI::Validator(check, "");
}
