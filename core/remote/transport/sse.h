// Server-sent events from bytes in any chunking (docs/services.md 6): line ends LF, CRLF or CR, an
// optional byte-order mark, several data lines joined by LF; comments count as activity only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace finback {

// Owns the bytes of the events that Next has not given yet. Work is linear in what was pushed,
// however it was cut; after warm-up nothing is allocated.
class SseParser {
 public:
  static constexpr size_t kMaxEventBytes = 16u << 20;

  // More bytes of the stream. Take every event before the next Push, or they pile up.
  void Push(std::string_view bytes);
  // The next complete event that has data; views are valid until the next call of either function.
  // Throws Error(kIo) when an event outgrows kMaxEventBytes.
  bool Next(std::string_view* event, std::string_view* data);

  size_t comments() const { return comments_; }
  // Bytes searched or moved so far: the measure of work.
  size_t work_bytes() const { return work_bytes_; }

 private:
  bool Begin();
  bool NextLine(std::string_view* line);
  size_t Seek(char wanted, size_t* from);
  void Take(std::string_view line);
  void AppendData(std::string_view value);

  // All positions are offsets into buffer_.
  std::string buffer_;
  std::string event_;       // a copy: joining data lines may overwrite the original
  size_t event_begin_ = 0;  // what is before was given out, or means nothing
  size_t line_ = 0;         // start of the first line not taken yet
  size_t lf_ = 0, cr_ = 0;  // the next of its kind at or after line_, or how far was searched
  size_t data_ = 0, data_bytes_ = 0;
  bool has_data_ = false;
  bool begun_ = false;    // past the byte-order mark
  bool skip_lf_ = false;  // the last line ended in CR: an LF here belongs to it
  size_t comments_ = 0, work_bytes_ = 0;
};

}  // namespace finback
