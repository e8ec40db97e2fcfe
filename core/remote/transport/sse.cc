#include "core/remote/transport/sse.h"

#include <algorithm>
#include <cstring>

#include "core/base/status.h"

namespace finback {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

void SseParser::Push(std::string_view bytes) {
  // What is left began in the last push, so moving it costs no more than that push did.
  if (event_begin_ > 0) {
    work_bytes_ += buffer_.size() - event_begin_;
    buffer_.erase(0, event_begin_);
    line_ -= event_begin_;
    lf_ -= std::min(lf_, event_begin_);
    cr_ -= std::min(cr_, event_begin_);
    data_ -= std::min(data_, event_begin_);
    event_begin_ = 0;
  }
  buffer_.append(bytes);
  work_bytes_ += bytes.size();
}

bool SseParser::Next(std::string_view* event, std::string_view* data) {
  if (!begun_ && !Begin()) return false;
  if (event_begin_ == line_) event_.clear();  // the last event's
  std::string_view line;
  while (NextLine(&line)) {
    if (!line.empty()) {
      Take(line);
      continue;
    }
    event_begin_ = line_;
    if (has_data_) {
      has_data_ = false;
      *event = event_;
      *data = std::string_view(buffer_).substr(data_, data_bytes_);
      return true;
    }
    event_.clear();
  }
  return false;
}

// False: too few bytes to tell whether the stream starts with a byte-order mark.
bool SseParser::Begin() {
  const std::string_view start = std::string_view(buffer_).substr(0, kByteOrderMark.size());
  if (start == kByteOrderMark) {
    line_ = event_begin_ = start.size();
  } else if (kByteOrderMark.starts_with(start)) {
    return false;
  }
  begun_ = true;
  return true;
}

bool SseParser::NextLine(std::string_view* line) {
  if (skip_lf_ && line_ < buffer_.size()) {
    if (buffer_[line_] == '\n') ++line_;
    skip_lf_ = false;
  }
  if (!has_data_ && event_.empty()) event_begin_ = line_;
  const size_t end = std::min(Seek('\n', &lf_), Seek('\r', &cr_));
  if (end - event_begin_ > kMaxEventBytes) {
    Throw(Code::kIo, "a server-sent event is larger than %zu bytes", kMaxEventBytes);
  }
  if (end == buffer_.size()) return false;
  *line = std::string_view(buffer_).substr(line_, end - line_);
  skip_lf_ = buffer_[end] == '\r';
  line_ = end + 1;
  return true;
}

// The first `wanted` from line_ on, or the buffer's size. Remembered, so that a stream in which it
// is rare is searched once and not once per line.
size_t SseParser::Seek(char wanted, size_t* from) {
  *from = std::max(*from, line_);
  if (*from < buffer_.size()) {
    const char* start = buffer_.data() + *from;
    const auto* found = static_cast<const char*>(memchr(start, wanted, buffer_.size() - *from));
    const size_t passed = found ? static_cast<size_t>(found - start) : buffer_.size() - *from;
    work_bytes_ += passed;
    *from += passed;
  }
  return *from;
}

void SseParser::Take(std::string_view line) {
  const size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field.empty()) {
    ++comments_;
  } else if (field == "data") {
    AppendData(value);
  } else if (field == "event") {
    event_ = value;
  }
}

// Further lines are moved up to the first, in place: the field's name and the line end before them
// are longer than the LF that joins them.
void SseParser::AppendData(std::string_view value) {
  if (!has_data_) {
    data_ = static_cast<size_t>(value.data() - buffer_.data());
    data_bytes_ = value.size();
    has_data_ = true;
    return;
  }
  char* end = buffer_.data() + data_ + data_bytes_;
  *end = '\n';
  memmove(end + 1, value.data(), value.size());
  data_bytes_ += 1 + value.size();
  work_bytes_ += value.size();
}

}  // namespace finback
