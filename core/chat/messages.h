// A conversation as data: what the prompt encoder reads of it, and what a service may take besides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/json/unknown_members.h"

namespace finback {

enum class Role : uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool, kLatestReminder };
std::string_view RoleName(Role role);  // as JSON spells it

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

// A message as the prompt encoder reads it.
struct PromptMessage {
  Role role = Role::kUser;
  std::string content;
  std::vector<ContentBlock> blocks;  // user: list-valued content, in place of `content`
  std::string reasoning_content;
  std::vector<ToolCall> tool_calls;
  std::string tool_call_id;
  std::vector<Json> tools;  // the `function` objects
  bool has_response_format = false;
  Json response_format;
  std::string task;          // "", action, query, authority, domain, title, read_url
  bool without_eos = false;  // wo_eos: the answer goes on
  std::string path;          // where it stood, for error messages: "messages[2]"
};

// A message of a request, with what only a service can take.
struct Message : PromptMessage {
  bool has_reasoning = false;  // reasoning_content was given, though it may be empty
  std::string name;
  std::vector<Json> parts;  // the content as it came, when not all of it is text; `content` has
                            // what stands for the others
  Json reasoning_details;   // a gateway's own form of the reasoning, to be given back as it is
};

// What a model that reads text alone is shown in place of a part of that type; "" for types that
// have none.
std::string_view UnreadPart(std::string_view type);

// Two dialects, read by one reader; both throw Error(kInvalidRequest) with "<path>: ...".
//
// A Chat Completions conversation. Fields of other roles than the message's are refused; unknown
// ones are listed in `unknown`; nullptr: refused. A list of text parts is one text, its parts
// joined by an empty line. "prefix": true continues an answer; after any other last message a new
// one begins.
std::vector<Message> ParseChatMessages(const Json& list, const std::string& path,
                                       UnknownMembers* unknown = nullptr);

// The reference encoder's input: role, content, tools, response_format, tool_calls,
// reasoning_content, task, wo_eos, tool_call_id. Other keys are ignored, as are tools and
// response_format of user and tool messages. Content may be a list of parts: text parts are joined
// by an empty line; other parts become "[Unsupported type]" in user and tool messages and are
// refused elsewhere.
std::vector<PromptMessage> ParsePromptMessages(const Json& list, const std::string& path);

}  // namespace finback
