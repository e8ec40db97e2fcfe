// What the opaque types of finback.h hold. Members are destroyed last to first: a stream goes
// before its session, and that before the engine, whoever held on longest.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/engine/backend.h"
#include "core/engine/chunk.h"
#include "core/engine/options.h"
#include "core/engine/response.h"
#include "finback/finback.h"

struct finback_engine {
  std::shared_ptr<finback::Backend> backend;
  std::string model_name;
  std::mutex info_lock;
  std::string info;  // made on first use; never changes afterwards
};

struct finback_session {
  std::shared_ptr<finback::Backend> backend;
  std::string model_name;
  std::shared_ptr<finback::Session> session;
};

struct finback_stream {
  std::shared_ptr<finback::Backend> backend;
  std::shared_ptr<finback::Session> session;  // null: the engine's default
  std::unique_ptr<finback::Stream> stream;
  finback::Event event;
  finback::ResponseBuilder response;
  mutable finback::ChunkWriter chunk;
  mutable std::string logprobs_json, response_json, message_json, chunk_json;
};

struct finback_sequence {
  std::shared_ptr<finback::Backend> backend;
  std::unique_ptr<finback::TokenSequence> sequence;
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
