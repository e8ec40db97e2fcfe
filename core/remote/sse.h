// Server-sent events from bytes in any chunking (remote API 6): line ends LF, CRLF or CR, an
// optional byte-order mark, several data lines joined by LF; comments count as activity only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace finback {

class SseParser {
 public:
  static constexpr size_t kMaxEventBytes = 16u << 20;

  // Bytes to be parsed; taken before the next Push. Throws Error(kIo) when an event outgrows
  // kMaxEventBytes.
  void Push(std::string_view bytes);
  // The next complete event; views are valid until the next call of either function.
  bool Next(std::string_view* event, std::string_view* data);
  size_t comments() const { return comments_; }

 private:
  // The implementation's own.
  std::string buffer_, event_, data_;
  size_t read_ = 0, comments_ = 0;
  bool begun_ = false, after_cr_ = false, has_data_ = false;
};

}  // namespace finback
