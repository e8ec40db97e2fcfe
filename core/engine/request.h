// A Chat Completions request (or a plain completion), parsed and validated once.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/chat/messages.h"

namespace finback {

enum class Effort : uint8_t { kDefault, kNone, kLow, kHigh, kMax };
enum class Toggle : uint8_t { kDefault, kOff, kOn };

struct Request {
  bool is_chat = true;
  std::string model;
  std::vector<Message> messages;  // top-level tools and response_format already placed on them
  std::string prompt;             // plain completion
  Toggle thinking = Toggle::kDefault;
  Effort effort = Effort::kDefault;
  // Sampling; has_* tells an explicit value from the model's default.
  bool has_temperature = false, has_top_p = false, has_top_k = false, has_seed = false;
  double temperature = 1, top_p = 1, min_p = 0;
  int32_t top_k = 0;
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<std::string> stop;
  int64_t max_tokens = -1;  // -1: until the context is full
  int32_t top_logprobs = -1;  // -1: no logprobs; 0..20
  bool drop_thinking = true, trust_all = false;
  bool progress_events = false;
};

// Throw Error(kInvalidRequest); every message begins with the JSON path, e.g. `messages[0].content: ...`.
Request ParseChatRequest(std::string_view json);
Request ParseCompletionRequest(std::string_view json);

}  // namespace finback
