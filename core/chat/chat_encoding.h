// Messages -> prompt, as spans that are trusted (markup, assistant turns: special tokens are
// recognized) or not (user, tool, system and developer text: encoded as plain text).
// The rules are DeepSeek-V4's published prompt encoding. Spans meet at special tokens wherever the
// prompt allows it, because the tokenizer cuts there anyway: markup that is plain text (the effort
// text, the tools section between its tokens, tool_result tags)
// lies in the untrusted span beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/chat/messages.h"

namespace finback {

enum class ThinkingMode : uint8_t { kChat, kThinking };
// Which effort text opens the prompt.
enum class EffortPrefix : uint8_t { kNone, kMax, kBeyondMax };

// Whose rules a prompt follows where they differ.
enum class PromptDialect : uint8_t {
  kPublished,  // the published prompt encoder: plain messages
  kServed,     // DeepSeek's services: what a request becomes, which the served models were shown
};

// The token ids that were sampled for a text of an answer, or none.
using SampledIds = std::vector<int32_t>;
struct SampledText {
  std::function<SampledIds(const std::string& reasoning)> reasoning;
  std::function<SampledIds(const PromptMessage& answer)> answer;  // its content and calls
};

struct EncodeOptions {
  PromptDialect dialect = PromptDialect::kPublished;
  ThinkingMode thinking = ThinkingMode::kThinking;
  EffortPrefix effort = EffortPrefix::kNone;
  bool drop_thinking = true;
  bool add_bos = true;
  bool trust_all = false;                // one trusted span: the reference path
  const SampledText* sampled = nullptr;  // of kServed: what comes back as it was written
};

struct PromptSpan {
  std::string text;
  bool trusted = true;
  SampledIds ids = {};  // if any: what it is to be encoded as
};

// A part of a prompt that can stay when what follows changes: a turn, or what stands before them.
struct PromptPart {
  std::string name;      // "messages[2] (user)", "the system text", "the tools"
  bool is_head = false;  // others begin with it, too
  size_t end = 0;        // bytes of the prompt's text
};

struct EncodedPrompt {
  std::vector<PromptSpan> spans;  // adjacent spans differ in trust
  std::vector<PromptPart> parts;  // in order
  std::string Text() const;
};

// Throws Error(kInvalidRequest) naming the message, e.g. `messages[2].content: ...`.
EncodedPrompt EncodeChat(const std::vector<PromptMessage>& messages,
                         const std::vector<PromptMessage>& context, const EncodeOptions& options);

}  // namespace finback
