// Where a conversation runs, in-process or at a service, behind interfaces that each backend
// implements. A backend is used from any thread and outlives what it made; the rest is one thread's
// at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/request.h"

namespace finback {

class Stream {
 public:
  virtual ~Stream() = default;
  // True: `*event` holds the next event (its buffers are reused: pass the same one every time).
  // False: the stream is over (after kFinish). Throws Error on failure, the same one ever after;
  // kCancelled after Cancel().
  virtual bool Step(Event* event) = 0;
  // As of now; final after kFinish.
  virtual Usage usage() const = 0;
  // nullptr: the answer comes from this process. As of now; final after kFinish.
  virtual const ServiceAnswer* service() const { return nullptr; }
  // Any thread, any time; the running or next Step ends with kCancelled within one token.
  virtual void Cancel() noexcept = 0;
};

// What one conversation has computed. Its streams may outlive it only if the caller keeps it.
class Session {
 public:
  virtual ~Session() = default;
  // Throws kInvalidArgument while an earlier stream is neither over nor destroyed.
  virtual std::unique_ptr<Stream> Start(Request request) = 0;
};

// The network without text. One thread at a time, but for Cancel().
class TokenSequence {
 public:
  enum class Rows : uint8_t { kNone, kLast, kAll };
  virtual ~TokenSequence() = default;
  virtual void Evaluate(std::span<const int32_t> ids, Rows rows, float* logits) = 0;
  virtual int64_t position() const = 0;
  virtual int64_t context_tokens() const = 0;
  virtual int32_t vocab() const = 0;
  virtual void RollBack(int64_t tokens) = 0;
  virtual std::unique_ptr<TokenSequence> Fork() const = 0;
  virtual std::vector<uint8_t> Snapshot() const = 0;
  virtual void Restore(std::span<const uint8_t> bytes) = 0;
  virtual void Cancel() noexcept = 0;
};

enum class SpecialTokens : uint8_t { kRecognize, kIgnore };

class Backend {
 public:
  virtual ~Backend() = default;
  // From the longest beginning of the prompt that any conversation has had.
  virtual std::unique_ptr<Stream> Start(Request request) = 0;
  virtual std::unique_ptr<Session> NewSession() = 0;

  // What only a model in this process can do; elsewhere kUnsupported.
  virtual std::string Info();
  virtual void Verify(const std::string* sha256_list);
  virtual std::vector<int32_t> Tokenize(std::string_view text, SpecialTokens special);
  virtual std::string Detokenize(std::span<const int32_t> ids);
  virtual std::string EncodeText(const Request& request);
  virtual std::vector<int32_t> EncodeTokens(const Request& request);
  virtual std::unique_ptr<TokenSequence> NewSequence();

  // What only a service can tell, as JSON; elsewhere kUnsupported.
  virtual std::string Models();
  virtual std::string Balance();
};

}  // namespace finback
