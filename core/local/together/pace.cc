#include "core/local/together/pace.h"

#include <algorithm>

namespace finback {

void Pace::Took(size_t few, size_t prompt, double seconds) {
  if (few == 0) return;
  if (prompt == 0) {
    constexpr double kNew = 0.25;  // a pass that the system held up is forgotten soon
    double& known = few_seconds_[std::min(few, kMost)];
    known = known == 0 ? seconds : known + kNew * (seconds - known);
    return;
  }
  // Most of the first rows' time is that of weights which nobody else reads, so that the time of a
  // row falls with their number: from pass to pass it is found.
  const double longer = std::max(seconds - FewSeconds(few), 0.01 * seconds);
  last_rows_ = prompt;
  row_seconds_ = longer / static_cast<double>(prompt);
}

// Of the largest number not above it that was seen: too little rather than too much.
double Pace::FewSeconds(size_t few) const {
  size_t known = std::min(few, kMost);
  while (known > 0 && few_seconds_[known] == 0) --known;
  return few_seconds_[known];
}

size_t Pace::PromptRows(double pause) const {
  const double most = 2.0 * static_cast<double>(last_rows_);
  const double rows = row_seconds_ == 0 ? most : std::min(most, pause / row_seconds_);
  return std::max<size_t>(1, static_cast<size_t>(rows));
}

}  // namespace finback
