// The only virtual interfaces: where a conversation runs (in-process or at a service) and its stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/engine/event.h"
#include "core/engine/request.h"

namespace finback {

class Stream {
 public:
  virtual ~Stream() = default;
  // True: `*event` holds the next event. False: the stream is over (after kFinish).
  // Throws Error on failure; kCancelled after Cancel().
  virtual bool Step(Event* event) = 0;
  // Any thread, any time; the running or next Step ends with kCancelled within one token.
  virtual void Cancel() noexcept = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::unique_ptr<Stream> Start(Request request) = 0;
};

}  // namespace finback
