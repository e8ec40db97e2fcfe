// For compare_recipe.py: reads one Chat Completions request per line and answers in one line of
// JSON each:
//   {"text": the prompt, "ids": [...], "refusal": why no model in this process takes it, or "",
//    "service": what the service would refuse}
//   or {"error": ..., "service": ...} for what is no request at all
// Token ids are krill's.
#include <cstdio>
#include <iostream>
#include <string>

#include "core/chat/chat_encoding.h"
#include "core/engine/request.h"
#include "core/json/json.h"
#include "core/local/prompt.h"
#include "core/service_rules/service_problems.h"

namespace {

using finback::Error;
using finback::Request;

std::string Quoted(const std::string& text) {
  std::string quoted;
  finback::AppendJsonString(text, &quoted);
  return quoted;
}

std::string Refusal(const Request& request) {
  try {
    finback::RequireInProcess(request);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string Answer(const std::string& line, const finback::PromptTokenizer& tokenizer) {
  const Request request = finback::ParseChatRequest(line);
  finback::PromptRules rules;
  rules.ladder = finback::EffortLadder::k0731;
  const finback::EncodedPrompt prompt = finback::EncodeChat(finback::PromptMessages(request), {},
                                                            finback::ChatOptions(request, rules));
  std::string out = "{\"text\": " + Quoted(prompt.Text()) + ", \"ids\": [";
  const char* separator = "";
  for (const int32_t id : tokenizer.Encode(prompt.spans)) {
    out += separator + std::to_string(id);
    separator = ", ";
  }
  return out + "], \"refusal\": " + Quoted(Refusal(request));
}

}  // namespace

int main() {
  auto loaded = finback::Tokenizer::Load(FINBACK_SOURCE_DIR "/examples/krill");
  const int32_t vocab = loaded->size();
  const finback::PromptTokenizer tokenizer(std::move(loaded), vocab);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string answer;
    try {
      answer = Answer(line, tokenizer);
    } catch (const Error& error) {
      answer = "{\"error\": " + Quoted(error.what());
    }
    const auto problems = finback::FindServiceProblems(finback::ParseJson(line, "request"));
    puts((answer + ", \"service\": " + finback::ServiceProblemsJson(problems) + "}").c_str());
    fflush(stdout);
  }
  return 0;
}
