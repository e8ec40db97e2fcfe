// What a reader of a streaming parser ends up with, the same for any pieces of the text.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/chat/completion_parser.h"
#include "tests/core/chat/conversation.h"

namespace finback {

using Kind = ParserEvent::Kind;
inline constexpr ThinkingMode kChat = ThinkingMode::kChat, kThinking = ThinkingMode::kThinking;

// What a reader of the stream ends up with.
struct Heard {
  std::string reasoning, content;
  struct Call {
    std::string name, arguments, complete;
    bool ended = false, is_retold = false;
    bool operator==(const Call&) const = default;
  };
  std::vector<Call> calls;
  std::string order;  // of the kinds, repeats left out
  bool done = false, in_reasoning = false, has_tool_calls = false;
  bool operator==(const Heard&) const = default;
};

inline void PrintTo(const Heard& heard, std::ostream* out) {
  *out << heard.order << (heard.done ? " done" : "") << (heard.in_reasoning ? " reasoning" : "")
       << "\nreasoning: " << heard.reasoning << "\ncontent: " << heard.content;
  for (const Heard::Call& call : heard.calls) {
    *out << "\ncall: " << call.name << " " << call.arguments << (call.ended ? " ended" : "");
  }
}

inline void Hear(const std::vector<ParserEvent>& events, Heard* heard) {
  for (const ParserEvent& event : events) {
    EXPECT_EQ(FindInvalidUtf8(event.text), kValidUtf8);
    const bool is_call = event.kind != Kind::kReasoning && event.kind != Kind::kContent;
    const char letter = "rctae"[static_cast<int>(event.kind)];
    if (heard->order.empty() || heard->order.back() != letter) heard->order += letter;
    if (event.kind == Kind::kReasoning) heard->reasoning += event.text;
    if (event.kind == Kind::kContent) heard->content += event.text;
    if (event.kind == Kind::kToolCall) heard->calls.push_back({event.text, "", "", false, false});
    if (event.kind == Kind::kToolArguments) heard->calls.back().arguments += event.text;
    if (event.kind == Kind::kToolCallEnd) {
      heard->calls.back().complete = event.text;
      heard->calls.back().ended = true;
      heard->calls.back().is_retold = event.is_retold;
    }
    EXPECT_FALSE(event.text.empty() && (!is_call || event.kind == Kind::kToolArguments));
    EXPECT_EQ(event.tool_index, is_call ? static_cast<int>(heard->calls.size()) - 1 : 0);
  }
}

inline Heard Listen(const std::vector<std::string>& chunks, ThinkingMode mode) {
  CompletionParser parser({.thinking = mode});
  Heard heard;
  for (const std::string& chunk : chunks) {
    std::vector<ParserEvent> events;
    parser.Push(chunk, &events);
    Hear(events, &heard);
  }
  std::vector<ParserEvent> events;
  parser.Finish(&events);
  Hear(events, &heard);
  heard.done = parser.done();
  heard.in_reasoning = parser.in_reasoning();
  heard.has_tool_calls = parser.has_tool_calls();
  EXPECT_EQ(heard.has_tool_calls, !heard.calls.empty());
  for (const Heard::Call& call : heard.calls) {
    if (!call.ended) continue;
    if (call.complete.starts_with(Wire("<{D}invoke"))) {  // not understood
      EXPECT_THROW(ParseJson(call.arguments, "arguments"), Error) << call.arguments;
      continue;
    }
    EXPECT_EQ(call.arguments == call.complete, !call.is_retold) << call.arguments;
    EXPECT_NO_THROW(ParseJson(call.complete, "arguments")) << call.complete;
  }
  for (const char* marker : {"{BOS}", "{EOS}", "<think>", "</think>"}) {
    EXPECT_EQ(heard.content.find(Wire(marker)), std::string::npos) << marker;
    EXPECT_EQ(heard.reasoning.find(Wire(marker)), std::string::npos) << marker;
  }
  return heard;
}

inline std::vector<std::string> Bytes(const std::string& text) {
  std::vector<std::string> chunks;
  for (char c : text) chunks.emplace_back(1, c);
  return chunks;
}

// In one piece, byte by byte and cut once anywhere: always the same.
inline Heard Hear(const std::string& marked, ThinkingMode mode) {
  const std::string text = Wire(marked);
  const Heard heard = Listen({text}, mode);
  EXPECT_EQ(Listen(Bytes(text), mode), heard) << text;
  for (size_t i = 1; i < text.size(); ++i) {
    EXPECT_EQ(Listen({text.substr(0, i), text.substr(i)}, mode), heard) << text << " cut at " << i;
  }
  return heard;
}

inline std::string Block(const std::string& invokes) {
  return "\n\n<{D}tool_calls>\n" + invokes + "</{D}tool_calls>";
}
inline std::string Invoke(const std::string& name, const std::string& parameters) {
  return "<{D}invoke name=\"" + name + "\">\n" + parameters + "</{D}invoke>\n";
}
inline std::string Parameter(const std::string& name, const std::string& is_string,
                             const std::string& value) {
  return "<{D}parameter name=\"" + name + "\" string=\"" + is_string + "\">" + value +
         "</{D}parameter>\n";
}
inline const std::string kCall = Invoke("f", Parameter("k", "true", "v"));

inline void ExpectOneCall(const Heard& heard, const std::string& arguments = "{\"k\": \"v\"}") {
  ASSERT_EQ(heard.calls.size(), 1u);
  EXPECT_EQ(heard.calls[0].name, "f");
  EXPECT_TRUE(heard.calls[0].ended);
  EXPECT_EQ(heard.calls[0].complete, arguments);
  EXPECT_TRUE(heard.done);
}

}  // namespace finback
