// The parts of an answer as JSON, which the whole response and its chunks share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/engine/event.h"
#include "core/json/json_writer.h"

namespace finback {

// What an answer is called, as a whole and in its chunks, unless a service calls it otherwise.
struct AnswerName {
  enum class Shape : uint8_t { kChat, kText };
  Shape shape = Shape::kChat;
  std::string model, id;
  int64_t created = 0;  // seconds since 1970
};

enum class MessageForm : uint8_t {
  kAnswer,  // as services send it: reasoning is null where there is none, tool_calls absent
  kParsed,  // what a text was parsed into: every part though it is empty, calls without ids
};

// {"role": "assistant", "content", "reasoning_content", "tool_calls"}; `reasoning_details`: JSON
// to be given back as it is, or "".
std::string MessageJson(const ParsedCompletion& message, MessageForm form,
                        const std::string& reasoning_details = {});

// Appends the tokens as a JSON list's items, after what is there.
void AppendLogprobs(const std::vector<TokenLogprob>& tokens, std::string* out);

// The value of "logprobs" of both lists' items; plain completions have the first alone.
void WriteLogprobs(const std::string& content, const std::string& reasoning,
                   AnswerName::Shape shape, JsonWriter* json);

// The value of "usage".
void WriteUsage(const Usage& usage, JsonWriter* json);
// The member "system_fingerprint", if there is one.
void WriteFingerprint(const ServiceAnswer& service, JsonWriter* json);
// The value of "service".
void WriteService(const ServiceAnswer& service, JsonWriter* json);

}  // namespace finback
