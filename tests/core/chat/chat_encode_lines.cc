// For the comparison with reference_encoding.py: reads one JSON request per line and answers in one
// line of JSON each.
//   {"messages": [...], "context": [...], "thinking_mode": "chat", "drop_thinking": true,
//    "add_bos": true, "effort_prefix": "none|max|beyond_max"}
//     -> {"text": ..., "spans": [[trusted, text], ...], "trusted_text": ...} or {"error": ...}
//   {"parse": text, "thinking_mode": ...}
//     -> {"strict": {...} or null, "streamed": {...}, "error": ...}
#include <cstdio>
#include <iostream>
#include <string>

#include "core/chat/chat_encoding.h"
#include "core/chat/completion_parser.h"
#include "core/chat/messages.h"
#include "core/json/json.h"

namespace {

using finback::Json;

bool Flag(const Json& request, const char* name) {
  const Json* value = request.Find(name);
  return value == nullptr || value->boolean;
}

std::string Text(const Json& request, const char* name) {
  const Json* value = request.Find(name);
  return value == nullptr ? "" : value->text;
}

std::string Quoted(const std::string& text) {
  std::string quoted;
  finback::AppendJsonString(text, &quoted);
  return quoted;
}

finback::ThinkingMode Mode(const Json& request) {
  const bool chat = Text(request, "thinking_mode") == "chat";
  return chat ? finback::ThinkingMode::kChat : finback::ThinkingMode::kThinking;
}

std::string Encode(const Json& request) {
  const auto messages = finback::ParsePromptMessages(*request.Find("messages"), "messages");
  std::vector<finback::PromptMessage> context;
  if (const Json* list = request.Find("context"))
    context = finback::ParsePromptMessages(*list, "context");
  finback::EncodeOptions options;
  options.thinking = Mode(request);
  if (Text(request, "dialect") == "served") options.dialect = finback::PromptDialect::kServed;
  options.drop_thinking = Flag(request, "drop_thinking");
  options.add_bos = Flag(request, "add_bos");
  const std::string effort = Text(request, "effort_prefix");
  if (effort == "max") options.effort = finback::EffortPrefix::kMax;
  if (effort == "beyond_max") options.effort = finback::EffortPrefix::kBeyondMax;
  const finback::EncodedPrompt prompt = finback::EncodeChat(messages, context, options);
  options.trust_all = true;
  const finback::EncodedPrompt trusted = finback::EncodeChat(messages, context, options);
  std::string out = "{\"text\": " + Quoted(prompt.Text()) + ", \"spans\": [";
  for (size_t i = 0; i < prompt.spans.size(); ++i) {
    out += i > 0 ? ", [" : "[";
    out += prompt.spans[i].trusted ? "true, " : "false, ";
    out += Quoted(prompt.spans[i].text) + "]";
  }
  return out + "], \"trusted_text\": " + Quoted(trusted.Text()) + "}";
}

std::string Completion(const finback::ParsedCompletion& parsed) {
  std::string out = "{\"reasoning_content\": " + Quoted(parsed.reasoning_content) +
                    ", \"content\": " + Quoted(parsed.content) + ", \"tool_calls\": [";
  for (size_t i = 0; i < parsed.tool_calls.size(); ++i) {
    if (i > 0) out += ", ";
    out += "{\"name\": " + Quoted(parsed.tool_calls[i].name) +
           ", \"arguments\": " + Quoted(parsed.tool_calls[i].arguments) + "}";
  }
  return out + "]}";
}

finback::ParsedCompletion Streamed(const std::string& text, finback::ThinkingMode mode) {
  using Kind = finback::ParserEvent::Kind;
  finback::CompletionParser parser({.thinking = mode});
  std::vector<finback::ParserEvent> events;
  for (char c : text) parser.Push(std::string_view(&c, 1), &events);
  parser.Finish(&events);
  finback::ParsedCompletion parsed;
  for (const finback::ParserEvent& event : events) {
    if (event.kind == Kind::kReasoning) parsed.reasoning_content += event.text;
    if (event.kind == Kind::kContent) parsed.content += event.text;
    if (event.kind == Kind::kToolCall) parsed.tool_calls.push_back({"", event.text, ""});
    if (event.kind == Kind::kToolArguments) parsed.tool_calls.back().arguments += event.text;
  }
  return parsed;
}

std::string Parse(const Json& request) {
  const std::string text = Text(request, "parse");
  std::string strict = "null", error;
  try {
    strict = Completion(finback::ParseCompletion(text, Mode(request)));
  } catch (const finback::Error& e) {
    error = e.what();
  }
  return "{\"strict\": " + strict + ", \"streamed\": " + Completion(Streamed(text, Mode(request))) +
         ", \"error\": " + Quoted(error) + "}";
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      const Json request = finback::ParseJson(line, "request");
      puts((request.Find("parse") != nullptr ? Parse(request) : Encode(request)).c_str());
    } catch (const finback::Error& error) {
      puts(("{\"error\": " + Quoted(error.what()) + "}").c_str());
    }
    fflush(stdout);
  }
  return 0;
}
