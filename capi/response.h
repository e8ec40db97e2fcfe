// Collects a stream's events into one chat.completion (or text_completion) object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/event.h"

namespace finback {

class ResponseBuilder {
 public:
  enum class Shape : uint8_t { kChat, kText };
  void Start(Shape shape, std::string model, std::string id, int64_t created);
  void Add(const Event& event);
  // `service`: what a service said of the answer, or nullptr.
  std::string Json(const Usage& usage, const ServiceAnswer* service) const;
  // The message in it.
  std::string Message(const ServiceAnswer* service) const;
  FinishReason finish_reason() const { return finish_reason_; }

 private:
  struct Call {
    int32_t index;  // the event's tool_index: calls may come in turns
    std::string id, name, arguments;
  };
  Call* FindCall(int32_t tool_index);

  Shape shape_ = Shape::kChat;
  std::string model_, id_;
  FinishReason finish_reason_ = FinishReason::kNone;
  int64_t created_ = 0;
  std::string reasoning_, content_;
  std::vector<Call> calls_;
  // Lists without their brackets, so that they grow by appending.
  std::string reasoning_logprobs_, content_logprobs_;
};

// Appends the tokens as a JSON list's items, after what is there.
void AppendLogprobs(const std::vector<TokenLogprob>& tokens, std::string* out);

}  // namespace finback
