// What the opaque types of finback.h hold. Members are destroyed last to first: a stream goes
// before its session, and that before the engine, whoever held on longest.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/base/status.h"
#include "core/engine/backend.h"
#include "core/engine/chunk.h"
#include "core/engine/options.h"
#include "core/engine/response.h"
#include "core/engine/unknown_fields.h"
#include "finback/finback.h"

namespace finback {

// What a handle of one thread knows of fork(): a child may find it in the middle of a call that a
// thread of the parent was in.
class Occupancy {
 public:
  // Made in this process, or taken over by it.
  bool Own() const { return process_ == ProcessGeneration(); }
  // Not to be touched, not even freed.
  bool Orphaned() const { return !Own() && inside_; }

  class Call {
   public:
    Call(Occupancy* self, const char* what) : self_(self) {
      if (self->Orphaned()) {
        Throw(Code::kInvalidArgument,
              "%s: at fork() a thread of the parent was inside; make another in this process",
              what);
      }
      self->process_ = ProcessGeneration();
      self->inside_ = true;
    }
    ~Call() { self_->inside_ = false; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Occupancy* self_;
  };

 private:
  std::atomic<uint64_t> process_{ProcessGeneration()};
  std::atomic<bool> inside_{false};
};

}  // namespace finback

struct finback_engine {
  std::shared_ptr<finback::Backend> backend;
  std::string model_name;
  finback::UnknownFieldsRule unknown_fields;
  finback::ForkMutex info_lock;
  std::string info;  // made on first use; never changes afterwards
};

struct finback_session {
  std::shared_ptr<finback::Backend> backend;
  std::string model_name;
  finback::UnknownFieldsRule unknown_fields;
  std::shared_ptr<finback::Session> session;
};

struct finback_stream {
  std::shared_ptr<finback::Backend> backend;
  std::shared_ptr<finback::Session> session;  // null: the engine's default
  std::unique_ptr<finback::Stream> stream;
  finback::Occupancy occupancy;
  std::string notice;  // about the request: the first event, then empty
  finback::Event event;
  finback::ResponseBuilder response;
  mutable finback::ChunkWriter chunk;
  mutable std::string logprobs_json, response_json, message_json, chunk_json;
};

struct finback_sequence {
  std::shared_ptr<finback::Backend> backend;
  std::unique_ptr<finback::TokenSequence> sequence;
  mutable finback::Occupancy occupancy;
};

struct finback_tokens {
  std::vector<int32_t> ids;
};

struct finback_text {
  std::string text;
};

struct finback_bytes {
  std::vector<uint8_t> bytes;
};

namespace finback {

// The engine options that the handle's values stand for.
EngineOptions ToEngineOptions(const finback_options& options);

}  // namespace finback
