// A conversation as the prompt encoder reads it.
#pragma once

#include <string>
#include <vector>

#include "core/json/json.h"

namespace finback {

struct ToolCall {
  std::string id, name;
  std::string arguments;  // JSON text as received, never re-serialized
};

struct ContentBlock {
  enum class Kind : uint8_t { kText, kToolResult, kUnsupported };
  Kind kind = Kind::kText;
  std::string text;          // kUnsupported: the type's name
  std::string tool_call_id;  // kToolResult
};

struct Message {
  std::string role;  // system, developer, user, assistant, tool, latest_reminder
  std::string content;
  std::vector<ContentBlock> blocks;  // user: list-valued content, in place of `content`
  std::string reasoning_content;
  bool has_reasoning = false;  // reasoning_content was given, though it may be empty
  std::vector<ToolCall> tool_calls;
  std::string tool_call_id;
  std::vector<Json> tools;  // the `function` objects
  bool has_response_format = false;
  Json response_format;
  std::string task;          // "", action, query, authority, domain, title, read_url
  bool without_eos = false;  // wo_eos: the answer goes on
  std::string path;          // where it stood, for error messages: "messages[2]"

  // What only a service can take; the prompt encoder knows nothing of it.
  std::string name;
  std::vector<Json> parts;  // the content as it came, when not all of it is text
  Json reasoning_details;   // a gateway's own form of the reasoning, to be given back as it is
};

// One message of the reference encoder's input (role, content, tools, response_format, tool_calls,
// reasoning_content, task, wo_eos, tool_call_id); other keys are ignored, as are tools and
// response_format of user and tool messages. Content may be a list of parts: text parts are joined
// by an empty line; other parts become "[Unsupported type]" in user and tool messages and are
// refused elsewhere. Throws Error(kInvalidRequest) with "<path>.<key>: ...".
Message ParseMessage(const Json& json, const std::string& path);
std::vector<Message> ParseMessages(const Json& array, const std::string& path);

}  // namespace finback
