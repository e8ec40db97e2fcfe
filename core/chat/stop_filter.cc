#include "core/chat/stop_filter.h"

#include <algorithm>

namespace finback {

void StopFilter::Configure(std::vector<std::string> stops) {
  stops_ = std::move(stops);
  held_.clear();
  stopped_ = false;
}

bool StopFilter::Push(std::string_view text, std::string* out) {
  if (stopped_) return true;
  if (stops_.empty()) {
    out->append(text);
    return false;
  }
  held_.append(text);
  // The stop string that is complete first wins, and the longest of those: so pieces do not matter.
  size_t cut = std::string::npos, end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t at = held_.find(stop);
    if (at == std::string::npos || at + stop.size() > end) continue;
    cut = at + stop.size() < end ? at : std::min(cut, at);
    end = at + stop.size();
  }
  if (cut != std::string::npos) {
    out->append(held_, 0, cut);
    held_.clear();
    stopped_ = true;
    return true;
  }
  // The longest end of what is here that is the beginning of a stop string.
  size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (size_t size = std::min(stop.size() - 1, held_.size()); size > keep; --size) {
      if (held_.compare(held_.size() - size, size, stop, 0, size) == 0) keep = size;
    }
  }
  out->append(held_, 0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return false;
}

void StopFilter::Flush(std::string* out) {
  if (!stopped_) out->append(held_);
  held_.clear();
}

}  // namespace finback
