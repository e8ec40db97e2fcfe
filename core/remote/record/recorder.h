// Exchanges with services as folders of files, to look at and to run again without a network:
//
//   request.json    {"method", "url", "headers": ["Name: value"], "body"}; the body stands on
//                   a line of its own with its very bytes, so that a replay can compare them
//   response.json   {"status": 200, "headers": ["name: value"]}
//   response.sse    the body of the response
//   events.jsonl    what was made of it: one event a line (event_json.h)
//   error.json      {"code", "message", "details"}: how the transfer failed, if it did
//
// The first exchange lies in the folder itself, later ones in its subfolders 2, 3, ... Keys are
// removed before anything is written. Each file holds whole lines at all times, so that what a
// crash leaves can be read.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/engine/event.h"
#include "core/remote/transport/failure.h"
#include "core/remote/transport/http.h"

namespace finback {

// One exchange being written. One thread at a time. Every function throws Error(kIo)
// naming the file.
class Recording {
 public:
  ~Recording();  // closes; what can then not be written is lost
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void Response(int status, const HeaderList& headers);
  void Bytes(std::string_view bytes);  // of the response's body, in any chunking
  void Add(const Event& event);
  void Failed(const Error& error);  // the transfer, not what its answer said
  void Close();                     // the rest of an unfinished line of the body
  const std::string& folder() const { return folder_; }

 private:
  friend class Recorder;
  class File;
  Recording(std::string folder, const std::vector<std::string>& secrets);
  void Write(std::unique_ptr<File>* file, const char* name, std::string_view text);

  std::string folder_;
  std::vector<std::string> secrets_;
  std::string line_;  // of the body, not yet written: a key may go on in the next chunk
  std::unique_ptr<File> body_, events_;
};

// Owns the order of a folder's exchanges. Any thread.
class Recorder {
 public:
  // `secrets`: the keys in use.
  explicit Recorder(std::string folder, std::vector<std::string> secrets = {});
  // Takes the next free place and writes request.json. Throws Error(kIo).
  std::unique_ptr<Recording> Start(const HttpRequest& request);

 private:
  const std::string folder_;
  const std::vector<std::string> secrets_;
  std::atomic<int> next_ = 1;  // where to look first; no free place is before it
};

}  // namespace finback
