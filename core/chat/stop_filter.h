// Ends text at the stop string that is complete first, whatever pieces it comes in. Holds back at
// most what could still become one; never lets through a stop string or, at the end of a stopped
// answer, a part of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finback {

class StopFilter {
 public:
  void Configure(std::vector<std::string> stops);
  // Appends to `out` what is certain. Returns true once a stop string was found:
  // nothing follows then.
  bool Push(std::string_view text, std::string* out);
  // The text ends (or something else begins): what was held back is text after all.
  void Flush(std::string* out);
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace finback
