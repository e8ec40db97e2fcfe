// HTTP over libcurl without threads of our own: a transfer is pulled by the thread that reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/remote/transport/failure.h"

namespace finback {

struct HttpSettings {
  std::string proxy;  // "": the environment's, unless ignore_environment
  bool ignore_environment = false;
  std::string ca_file;  // "": the system's
  std::string user_agent;
};

struct HttpTimeouts {  // milliseconds; 0: none
  int64_t connect_ms = 10'000;
  int64_t first_byte_ms = 600'000;  // until the body's first byte that is no keep-alive
  int64_t idle_ms = 300'000;        // re-armed by every byte, comments included
  int64_t total_ms = 0;
};

struct HttpRequest {
  std::string method = "POST", url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  HttpTimeouts timeouts;
};

// One request. One thread at a time reads it; Cancel is anyone's, at any time. Bytes move only
// while Status or Read waits, and only then do its clocks run, but for total_ms.
class HttpTransfer {
 public:
  virtual ~HttpTransfer() = default;  // closes; never blocks for longer than a poll
  // Waits for the status line and headers. Throws as Read does.
  virtual int Status() = 0;
  virtual const HeaderList& headers() const = 0;
  // Waits for bytes of the body and appends them; false at its end. Throws Error with a Failure's
  // details: kTransport, kTimeout (naming which), kCancelled.
  virtual bool Read(std::string* bytes) = 0;
  // Nothing more of the body is of interest: waits at most so long for its end, after which the
  // connection can serve again. A failure here is none of the answer's.
  virtual void Finish(int64_t wait_ms) = 0;
  // From here on the first_byte limit is met: a token came, and not only comments. The reader's.
  virtual void TokenSeen() = 0;
  // Closes the connection before it returns, or has whoever reads close it at once.
  virtual void Cancel() noexcept = 0;
};

// Owns the connections that finished transfers leave behind for the next, until they were idle for
// two minutes. Any thread. Three file descriptors per transfer that runs.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Throws kInvalidArgument for a URL, method or header that cannot be sent.
  virtual std::unique_ptr<HttpTransfer> Start(HttpRequest request) = 0;
  static std::unique_ptr<HttpClient> Open(const HttpSettings& settings);
};

}  // namespace finback
