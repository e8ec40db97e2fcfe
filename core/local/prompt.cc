#include "core/local/prompt.h"

namespace finback {
namespace {

// The text that opens the prompt for an effort, by the checkpoint's ladder. Each ladder's first
// step has none; "low" on the preview's ladder and anything between steps goes to the nearest.
EffortPrefix PrefixFor(Effort effort, EffortLadder ladder) {
  const bool preview = ladder == EffortLadder::kPreview;
  switch (effort) {
    case Effort::kLow:
      return EffortPrefix::kNone;
    case Effort::kDefault:
    case Effort::kHigh:
      return preview ? EffortPrefix::kNone : EffortPrefix::kMax;
    case Effort::kMax:
      return preview ? EffortPrefix::kMax : EffortPrefix::kBeyondMax;
  }
  return EffortPrefix::kNone;
}

}  // namespace

EncodeOptions ChatOptions(const Request& request, const PromptRules& rules) {
  const bool thinking =
      request.thinking == Toggle::kDefault ? rules.thinking : request.thinking == Toggle::kOn;
  EncodeOptions options;
  options.thinking = thinking ? ThinkingMode::kThinking : ThinkingMode::kChat;
  options.effort = thinking ? PrefixFor(request.effort, rules.ladder) : EffortPrefix::kNone;
  options.drop_thinking = request.drop_thinking;
  options.trust_all =
      request.trust_all == Toggle::kDefault ? rules.trust_all : request.trust_all == Toggle::kOn;
  return options;
}

ThinkingMode AnswerMode(const Request& request, const EncodeOptions& options) {
  if (options.thinking == ThinkingMode::kChat || request.messages.empty()) {
    return ThinkingMode::kChat;
  }
  const Message& last = request.messages.back();
  // A continued answer is past its reasoning, and tasks have none.
  return last.role == "assistant" || !last.task.empty() ? ThinkingMode::kChat
                                                        : ThinkingMode::kThinking;
}

PromptTokenizer::PromptTokenizer(std::unique_ptr<Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)) {
  for (int32_t id = 0; id < tokenizer_->size(); ++id) {
    if (tokenizer_->IsAdded(id)) added_.Add(std::string(tokenizer_->Bytes(id)), id);
  }
  added_.Finish();
}

std::vector<int32_t> PromptTokenizer::Encode(const std::vector<PromptSpan>& spans) const {
  std::vector<int32_t> ids;
  std::string piece;
  bool plain = true;  // nothing untrusted in the piece
  const auto flush = [&] {
    if (!piece.empty()) {
      tokenizer_->Encode(piece, plain ? AddedTokens::kRecognize : AddedTokens::kIgnore, &ids);
    }
    piece.clear();
    plain = true;
  };
  for (const PromptSpan& span : spans) {
    if (!span.trusted) {
      piece += span.text;
      plain = plain && span.text.empty();
      continue;
    }
    size_t done = 0;
    AddedTokenMatcher::Match match;
    while (!added_.empty() && added_.Find(span.text, done, &match)) {
      piece.append(span.text, done, match.begin - done);
      flush();
      ids.push_back(match.id);
      done = match.end;
    }
    piece.append(span.text, done, std::string::npos);
  }
  flush();
  return ids;
}

}  // namespace finback
