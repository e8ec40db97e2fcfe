// Completion text -> reasoning, content and tool calls. Strict: the published grammar, raises on any
// deviation. Streaming: tolerant, holds back at most what could still become markup, never leaks DSML.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/chat_encoding.h"
#include "core/chat/messages.h"

namespace finback {

struct ParsedCompletion {
  std::string reasoning_content, content;
  std::vector<ToolCall> tool_calls;  // ids empty
};

// Throws Error(kInvalidArgument) saying what deviates at which byte.
ParsedCompletion ParseCompletion(std::string_view text, ThinkingMode thinking);

struct ParserEvent {
  enum class Kind : uint8_t { kReasoning, kContent, kToolCall, kToolArguments, kToolCallEnd };
  Kind kind;
  std::string text;      // kToolCall: the name; kToolCallEnd: the whole arguments
  int32_t tool_index = 0;
};

// Feed text in any chunking; concatenated text per kind does not depend on the chunking.
class CompletionParser {
 public:
  explicit CompletionParser(ThinkingMode thinking);  // kThinking starts inside reasoning
  ~CompletionParser();
  void Push(std::string_view text, std::vector<ParserEvent>* events);
  void Finish(std::vector<ParserEvent>* events);  // releases what was held back
  bool done() const;             // an end-of-sentence marker, or the end of a tool block, was seen
  bool in_reasoning() const;     // true while `</think>` has not come
  bool has_tool_calls() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace finback
