// Models for tests that need text: a random one, whose answers depend on every token before, and a
// scripted one, which says what the test tells it to.
#pragma once

#include <string>
#include <vector>

#include "tests/core/tokenizer/tokenizer_json.h"

namespace finback {

// The special tokens of the tokenizers below; base tokens 0..255 are the bytes.
enum TestToken : int32_t {
  kBos = 256,
  kEos,
  kUser,
  kAssistant,
  kThink,
  kEndThink,
  kDsml,
  kReminder,
  kFirstTask,
  kFirstChunk = kFirstTask + 6,
};

// In the random model, "answer" tokens fill the vocabulary: short words, so that its text is text.
std::string MakeRandomModel(const std::string& folder, uint64_t seed);

// After token `from`, `to` follows with a logit of about 40 * strength. Both are a special token's
// text, a byte, or any other text, which becomes a token of its own.
// A prompt ends with <think> or </think>.
struct ScriptStep {
  std::string from, to;
  double strength = 1;
};
// The steps of a chain: from the first text to the last.
std::vector<ScriptStep> Chain(const std::vector<std::string>& texts);

std::string MakeScriptedModel(const std::string& folder, const std::vector<ScriptStep>& steps);

// The special tokens' texts.
inline const std::string kEosText = "<\uff5cend\u2581of\u2581sentence\uff5c>";
inline const std::string kDsmlText = "\uff5cDSML\uff5c";

}  // namespace finback
