// Collects a stream's events into one chat.completion (or text_completion) object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/engine/answer_json.h"
#include "core/engine/event.h"

namespace finback {

class ResponseBuilder {
 public:
  void Start(AnswerName name) { name_ = std::move(name); }
  void Add(const Event& event);
  // `service`: what a service said of the answer, or nullptr.
  std::string Json(const Usage& usage, const ServiceAnswer* service) const;
  // The message in it.
  std::string Message(const ServiceAnswer* service) const;
  const AnswerName& name() const { return name_; }
  FinishReason finish_reason() const { return finish_reason_; }
  // What the call's arguments are so far; "" when there is no such call.
  std::string_view ArgumentsOf(int32_t tool_index) const;

 private:
  size_t FindCall(int32_t tool_index) const;  // the number of calls: there is none

  AnswerName name_;
  FinishReason finish_reason_ = FinishReason::kNone;
  ParsedCompletion message_;
  std::vector<int32_t> tool_indexes_;  // of the message's calls: they may come in turns
  // Lists without their brackets, so that they grow by appending.
  std::string reasoning_logprobs_, content_logprobs_;
};

}  // namespace finback
