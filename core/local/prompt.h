// Request -> prompt text -> token ids, as one checkpoint wants them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/chat/chat_encoding.h"
#include "core/checkpoint/config.h"
#include "core/engine/options.h"
#include "core/engine/request.h"
#include "core/tokenizer/added_token_matcher.h"
#include "core/tokenizer/tokenizer.h"

namespace finback {

// What a checkpoint and the engine's options say about prompts.
struct PromptRules {
  EffortLadder ladder = EffortLadder::kPreview;
  bool thinking = true;    // when a request does not say
  bool trust_all = false;  // the same
};

// Throws Error(kInvalidRequest), naming its path, for what a request may ask of a service but not
// of a model in this process.
void RequireInProcess(const Request& request);

// The text of the notice that names what says nothing to a model in this process; "" without any.
std::string LeftOutInProcess(const Request& request);

// The conversation as the prompt encoder takes it: tools and response format placed on the leading
// system message, which is made when there is none.
std::vector<PromptMessage> PromptMessages(const Request& request);

// The tools that these messages offer.
std::vector<Json> OfferedTools(const std::vector<PromptMessage>& messages);

// The text of a notice that names the parts that the model is not shown, and what stands for them;
// "" without any.
std::string UnreadParts(const Request& request);

// How a chat request is to be rendered.
EncodeOptions ChatOptions(const Request& request, const PromptRules& rules);

// Whether the answer begins inside reasoning.
ThinkingMode AnswerMode(const Request& request, const EncodeOptions& options);
// Whether the answer goes on with one that the request has begun.
bool GoesOn(const Request& request);

// The marks of the prompt format that are no token of their own, "" when there are none: such a
// tokenizer would make plain text of a prompt's roles.
std::string MissingMarkup(const Tokenizer& tokenizer);

// The same by the text of a tokenizer.json alone, without making a tokenizer of it: the marks that
// stand nowhere in it.
std::string UnspelledMarkup(std::string_view file);

struct TokenizedPrompt {
  std::vector<int32_t> ids;
  std::vector<PromptPart> parts;  // that end within the prompt, in tokens: the last whole one's end
};

// Text to ids. Untrusted spans never give added tokens; all text between two added tokens is one
// piece for the tokenizer, so text without added tokens gives the same ids trusted or not.
class PromptTokenizer {
 public:
  // Added tokens from `vocab` on are text like any other: the model has no such ids.
  PromptTokenizer(std::unique_ptr<Tokenizer> tokenizer, int32_t vocab);
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::vector<int32_t> Encode(const std::vector<PromptSpan>& spans) const {
    return Encode(EncodedPrompt{spans, {}}).ids;
  }
  TokenizedPrompt Encode(const EncodedPrompt& prompt) const;

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  AddedTokenMatcher added_;
};

}  // namespace finback
