// Completion text -> reasoning, content and tool calls. Strict: the published grammar, raises on
// any deviation. Streaming: tolerant, holds back at most what could still become markup; tool
// markup is understood whole or left whole.
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
  // kToolCall: the name. kToolCallEnd: the whole arguments, a JSON object; of a call that was not
  // understood the invoke as it was written, which is no JSON.
  std::string text;
  int32_t tool_index = 0;
  bool is_retold = false;  // kToolCallEnd: the text is not what the pieces said
};

// Feed text in any chunking; concatenated text per kind does not depend on the chunking. What the
// strict parser accepts gives the same result here, but for string="false" values that are no JSON,
// which become JSON strings, for names of a kilobyte or with a DSML or end-of-sentence token in
// them, which are no names here, and for newlines at the seams: those at both ends of the
// reasoning, before the content, and between content and tool block are left out. Where the text
// deviates:
//  - Without `</think>` everything is reasoning. BOS, `<think>` and `</think>` out of place are
//    removed; but `<think>` where the content would begin opens reasoning. The first
//    end-of-sentence marker ends the completion; what follows is ignored, as is what follows the
//    tool block.
//  - Whitespace around and inside tags may vary, and the tags that close a parameter list or a
//    block may be missing. In reasoning a tool block counts only at the start of a line and with a
//    well-formed invoke in it; it ends the reasoning. In content a bare invoke is a call too.
//  - Tags have their attributes in any order, in either quotes or none, with others beside them;
//    the block has any name of IsBlockWord. Without `string`, a value is JSON or else text.
//  - Tags that make no call are text like what stands around them; but in content a block without
//    anything in it is removed, as is an unfinished tag at the very end.
//  - A stop string ends the completion before it, in content alone. It may hold newlines of a seam
//    before a block.
//  - A call begins (kToolCall) when its header is complete and its body begins. Its body may be one
//    JSON object, or nothing (`/>`). A repeated parameter name appears twice in the arguments: JSON
//    readers take the last value. A body with a parameter that cannot be read, or with text beside
//    its parameters, was not understood: see ParserEvent::text.
//  - Values that are JSON are told as they come, as are strings. One that turns out not to be JSON
//    is a string in the end: see ParserEvent::is_retold.
//  - A parameter that is not closed ends with its call, where that is the last of its block or
//    followed by another.
//  - A call that the end of the text cuts off gets no kToolCallEnd; its arguments are unfinished.
//  - Bytes that are not UTF-8 become U+FFFD.
class CompletionParser {
 public:
  // kText: where others part the reasoning, `<think>` and `</think>` are text like any other.
  enum class ThinkMarkers : uint8_t { kMarkup, kText };
  // kText: where no tools were offered, their markup is text.
  enum class ToolMarkup : uint8_t { kMarkup, kText };
  // kGoesOn: of an answer that has begun already. Newlines at its start are text.
  enum class Start : uint8_t { kAnew, kGoesOn };
  struct Options {
    ThinkingMode thinking = ThinkingMode::kChat;  // kThinking starts inside reasoning
    ThinkMarkers think_markers = ThinkMarkers::kMarkup;
    ToolMarkup tool_markup = ToolMarkup::kMarkup;
    Start start = Start::kAnew;
    std::vector<std::string> stop = {};
  };
  explicit CompletionParser(Options options);
  ~CompletionParser();
  void Push(std::string_view text, std::vector<ParserEvent>* events);
  void Finish(std::vector<ParserEvent>* events);  // releases what was held back
  bool done() const;     // an end-of-sentence marker, a stop string or the end of a tool block came
  bool stopped() const;  // a stop string
  bool in_reasoning() const;  // true while `</think>` has not come
  bool has_tool_calls() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// All of a text by CompletionParser. A call that the end cuts off has the arguments that it got.
ParsedCompletion ParseCompletionTolerantly(std::string_view text, ThinkingMode thinking);

}  // namespace finback
