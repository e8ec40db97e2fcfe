// The completion parsers on any text. Byte 0 chooses the mode, byte 1 seeds the chunk lengths; of
// the rest, bytes 1 to 15 stand for pieces of markup, so that a fuzzer without
// a dictionary finds them.
#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/utf8.h"
#include "core/chat/completion_parser.h"
#include "core/chat/wire_strings.h"
#include "core/json/json.h"

namespace {

using finback::ParserEvent;
using Kind = finback::ParserEvent::Kind;

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

std::string Expand(const uint8_t* data, size_t size) {
  static const std::string_view kPieces[16] = {
      "",
      finback::wire::kDsml,
      "<\uFF5CDSML\uFF5Ctool_calls>\n",
      "</\uFF5CDSML\uFF5Ctool_calls>",
      "<\uFF5CDSML\uFF5Cinvoke",
      "</\uFF5CDSML\uFF5Cinvoke>\n",
      "<\uFF5CDSML\uFF5Cparameter",
      "</\uFF5CDSML\uFF5Cparameter>\n",
      " name=\"",
      "\">\n",
      "\n\n",
      "\" string=\"true\">",
      "\" string=\"false\">",
      finback::wire::kThinkClose,
      finback::wire::kThinkOpen,
      finback::wire::kEos,
  };
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    if (data[i] > 0 && data[i] < 16 && data[i] != '\n') {
      text += kPieces[data[i]];
    } else {
      text += static_cast<char>(data[i]);
    }
  }
  return text;
}

// Those at the seams are no text to the streaming parser.
std::string WithoutNewlines(std::string text, bool at_both_ends) {
  text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
  if (at_both_ends) text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

struct Heard {
  std::string reasoning, content, calls;
  bool done = false, in_reasoning = false;
  bool operator==(const Heard&) const = default;
};

struct Listener {
  Heard heard;
  std::string arguments;

  void Hear(const std::vector<ParserEvent>& events) {
    for (const ParserEvent& event : events) {
      Require(finback::FindInvalidUtf8(event.text) == finback::kValidUtf8);
      switch (event.kind) {
        case Kind::kReasoning:
          heard.reasoning += event.text;
          break;
        case Kind::kContent:
          heard.content += event.text;
          break;
        case Kind::kToolCall:
          heard.calls += "call " + event.text + "\n";
          arguments.clear();
          break;
        case Kind::kToolArguments:
          heard.calls += event.text;
          arguments += event.text;
          break;
        case Kind::kToolCallEnd:
          heard.calls += "\nend\n";
          if (event.text.starts_with("<\uFF5CDSML\uFF5Cinvoke")) break;  // not understood
          Require((event.text == arguments) != event.is_retold);
          finback::ParseJson(event.text, "arguments");  // throws on a defect, which ends the run
          break;
      }
    }
  }
};

// Chunk lengths follow from the seed; 0 feeds all at once, 1 byte by byte.
Heard Listen(std::string_view text, finback::ThinkingMode mode, uint32_t seed) {
  finback::CompletionParser parser({.thinking = mode});
  Listener listener;
  uint32_t random = seed;
  for (size_t i = 0; i < text.size();) {
    random = random * 1664525u + 1013904223u;
    const size_t chunk = seed == 0 ? text.size() : seed == 1 ? 1 : 1 + (random >> 16) % 24;
    std::vector<ParserEvent> events;
    parser.Push(text.substr(i, chunk), &events);
    listener.Hear(events);
    i += chunk;
  }
  std::vector<ParserEvent> events;
  parser.Finish(&events);
  listener.Hear(events);
  listener.heard.done = parser.done();
  listener.heard.in_reasoning = parser.in_reasoning();
  return listener.heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto mode =
      (data[0] & 1) != 0 ? finback::ThinkingMode::kThinking : finback::ThinkingMode::kChat;
  const std::string text = Expand(data + 2, size - 2);
  const Heard whole = Listen(text, mode, 0);
  Require(Listen(text, mode, 1) == whole);
  Require(Listen(text, mode, 2u + data[1]) == whole);
  for (std::string_view marker : {finback::wire::kBos, finback::wire::kEos,
                                  finback::wire::kThinkOpen, finback::wire::kThinkClose}) {
    Require(whole.content.find(marker) == std::string::npos);
    Require(whole.reasoning.find(marker) == std::string::npos);
  }
  try {
    const finback::ParsedCompletion strict = finback::ParseCompletion(text, mode);
    for (const finback::ToolCall& call : strict.tool_calls) {
      // The streaming parser does not take markup or a kilobyte for a name; values may hold both.
      const std::string both = call.name + call.arguments;
      if (both.size() > 1000 || both.find(finback::wire::kDsml) != std::string::npos ||
          both.find(finback::wire::kEos) != std::string::npos) {
        return 0;
      }
    }
    const bool block = text.find(finback::wire::kToolCallsMarker) != std::string::npos;
    Require(WithoutNewlines(strict.content, block) == whole.content);
    Require(WithoutNewlines(strict.reasoning_content, true) == whole.reasoning);
  } catch (const finback::Error&) {
  }
  return 0;
}
