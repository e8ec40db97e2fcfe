// An answer's events as the pieces that a streaming service sends: chat.completion.chunk objects,
// of plain completions text_completion. Put together they are what ResponseBuilder collects.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "core/engine/response.h"
#include "core/json/json_writer.h"

namespace finback {

class ChunkWriter {
 public:
  void Start(AnswerName name) { name_ = std::move(name); }
  // The next event, before `response` gets it: what its chunk takes from those before it.
  void Add(const Event& event, const ResponseBuilder& response);
  // The chunk of `event`, the one added last; "" when it has none. What a service calls the answer
  // is asked of `service` (nullptr: there is none) at the first chunk and then kept.
  std::string Json(const Event& event, const Usage& usage, const ServiceAnswer* service);

 private:
  void WriteDelta(const Event& event, const ServiceAnswer* service, JsonWriter* json) const;

  AnswerName name_;
  bool named_ = false;
  bool begun_ = false;                // an event with a chunk came
  bool first_ = false, has_ = false;  // the present event has the first chunk; has one
  size_t said_ = 0;                   // kToolCallEnd: bytes of the arguments that came before
};

}  // namespace finback
