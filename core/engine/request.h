// A Chat Completions request (or a plain completion), parsed and validated once. Everything later
// may rely on its bounds; what only a model can judge (token ids, lengths)
// is checked when a stream starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/chat/chat_encoding.h"
#include "core/chat/messages.h"
#include "core/engine/effort.h"
#include "core/json/unknown_members.h"

namespace finback {

enum class Toggle : uint8_t { kDefault, kOff, kOn };
enum class ToolChoice : uint8_t { kAuto, kNone, kRequired, kNamed };
enum class ResponseFormat : uint8_t { kText, kJsonObject, kJsonSchema };

struct Request {
  bool is_chat = true;
  std::string model;  // as the request says it; echoed in the response
  std::vector<Message> messages;
  std::vector<Json> tools;  // the `function` objects, as they came
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;  // kNamed
  ResponseFormat response_format = ResponseFormat::kText;
  Json format;         // the response_format object as it came; null without
  std::string prompt;  // plain completion
  Toggle thinking = Toggle::kDefault;
  Effort effort = Effort::kDefault;
  // Sampling; has_* tells an explicit value from the model's default.
  bool has_temperature = false, has_top_p = false, has_top_k = false, has_seed = false,
       has_min_p = false;
  double temperature = 1, top_p = 1, min_p = 0;
  double frequency_penalty = 0, presence_penalty = 0;  // 0: none
  int32_t top_k = 0;
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<std::string> stop;
  int64_t max_tokens = -1;    // -1: until the context is full
  int32_t top_logprobs = -1;  // -1: no logprobs; 0..20
  bool drop_thinking = true;
  Toggle trust_all = Toggle::kDefault;  // kDefault: as the engine's option says
  bool parallel_tool_calls = true;
  bool progress_events = false;
  bool recognize_special = true;          // plain completion: added tokens in the prompt
  Toggle add_bos = Toggle::kDefault;      // plain completion: kDefault puts it where it is missing
  bool has_suffix = false, echo = false;  // plain completion
  std::string suffix;
  // Fields that say nothing about the text to be produced, as they came: a service may want them.
  std::vector<std::pair<std::string, Json>> service_fields;
  UnknownMembers unknown;  // fields that were not read; unknown_fields.h judges them
  // Fields that only the service knows, for the top level of what it is sent.
  std::vector<std::pair<std::string, Json>> extra_body;
};

// Throw Error(kInvalidRequest); every message begins with the JSON path, e.g. `messages[0].content:
// ...`. They take all that some backend can do: what one cannot, it refuses when a stream starts.
Request ParseChatRequest(std::string_view json);
Request ParseCompletionRequest(std::string_view json);

// What the prompt encoder alone takes: a list of messages, or an object around one.
struct EncodeRequest {
  std::vector<PromptMessage> messages, context;
  EncodeOptions options;
};
EncodeRequest ParseEncodeRequest(const Json& document);
EncodeRequest ParseEncodeRequest(std::string_view json);

}  // namespace finback
