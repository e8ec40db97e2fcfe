#include <memory>
#include <string>
#include <vector>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "core/base/utf8.h"
#include "core/chat/chat_encoding.h"
#include "core/chat/completion_parser.h"
#include "core/engine/request.h"
#include "core/json/json_writer.h"

using finback::Code;
using finback::Guard;
using finback::ParsedCompletion;
using finback::Require;

namespace {

ParsedCompletion ParseTolerant(std::string_view text, finback::ThinkingMode thinking) {
  finback::CompletionParser parser(thinking);
  std::vector<finback::ParserEvent> events;
  parser.Push(text, &events);
  parser.Finish(&events);
  ParsedCompletion parsed;
  for (const finback::ParserEvent& event : events) {
    using Kind = finback::ParserEvent::Kind;
    switch (event.kind) {
      case Kind::kReasoning:
        parsed.reasoning_content += event.text;
        break;
      case Kind::kContent:
        parsed.content += event.text;
        break;
      case Kind::kToolCall:
        parsed.tool_calls.push_back({"", event.text, ""});
        break;
      case Kind::kToolArguments:
        if (!parsed.tool_calls.empty()) parsed.tool_calls.back().arguments += event.text;
        break;
      case Kind::kToolCallEnd:
        if (!parsed.tool_calls.empty()) parsed.tool_calls.back().arguments = event.text;
        break;
    }
  }
  return parsed;
}

std::string MessageJson(const ParsedCompletion& parsed) {
  std::string out;
  finback::JsonWriter json(&out);
  json.BeginObject().Key("role").String("assistant");
  json.Key("content").String(parsed.content);
  json.Key("reasoning_content").String(parsed.reasoning_content);
  json.Key("tool_calls").BeginList();
  for (const finback::ToolCall& call : parsed.tool_calls) {
    json.BeginObject().Key("type").String("function").Key("function").BeginObject();
    json.Key("name").String(call.name).Key("arguments").String(call.arguments);
    json.EndObject().EndObject();
  }
  json.EndList().EndObject();
  return out;
}

}  // namespace

finback_text* finback_encode_messages(const char* json) {
  return Guard<finback_text*>(nullptr, [&] {
    const finback::EncodeRequest request = finback::ParseEncodeRequest(&Require(json, "json"));
    auto text = std::make_unique<finback_text>();
    text->text = finback::EncodeChat(request.messages, request.context, request.options).Text();
    return text.release();
  });
}

finback_text* finback_parse_completion(const char* text, size_t size, int32_t thinking,
                                       int32_t strict) {
  return Guard<finback_text*>(nullptr, [&] {
    if (size > 0) Require(text, "text");
    const std::string_view view(size > 0 ? text : "", size);
    const size_t bad = finback::FindInvalidUtf8(view);
    if (bad != finback::kValidUtf8) {
      finback::Throw(Code::kInvalidArgument, "text: invalid UTF-8 at byte %zu", bad);
    }
    const auto mode =
        thinking != 0 ? finback::ThinkingMode::kThinking : finback::ThinkingMode::kChat;
    const ParsedCompletion parsed =
        strict != 0 ? finback::ParseCompletion(view, mode) : ParseTolerant(view, mode);
    auto out = std::make_unique<finback_text>();
    out->text = MessageJson(parsed);
    return out.release();
  });
}

const char* finback_text_data(const finback_text* self) {
  return Guard<const char*>("", [&] { return Require(self, "self").text.c_str(); });
}

size_t finback_text_size(const finback_text* self) {
  return Guard<size_t>(0, [&] { return Require(self, "self").text.size(); });
}

void finback_text_free(finback_text* self) { delete self; }
