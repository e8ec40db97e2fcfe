// An answer that is JSON of a given schema, from services that promise that, half of it, or nothing
// (docs/services.md 9): how to ask, what to watch for while it comes, how to judge it, how to ask
// once more. No state but the classes' own; no network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/transport/failure.h"
#include "core/schema/json_schema.h"

namespace finback {

enum class SchemaRoute : uint8_t {
  kNative,      // the service takes response_format json_schema, or the like, in its own format
  kResponses,   // its Responses endpoint does; the request goes there as it is
  kStrictTool,  // as the parameters of a strict tool that the model must call
  kJsonObject,  // json_object, and the schema in the system prompt
  kInstruction  // the system prompt alone
};

// The best documented route for a json_schema request. `responses`: the row of the service's
// Responses endpoint, or nullptr. A strict tool is taken only if that costs the request nothing: it
// has no tools of its own, and the model may be forced to call one.
SchemaRoute ChooseSchemaRoute(const Request& request, const Provider& provider,
                              const Provider* responses);

// Makes of the request one that takes the route; nothing changes for kNative and kResponses. What
// is added stands at the end of the system prompt and is the same for the same schema, so that
// prompt caches keep working.
void ShapeRequest(SchemaRoute route, Request* request);

// json_object needs the word "json" in the system's or the user's text, else the model may produce
// white space until its limit. Whether this is a json_object request without the word:
bool LacksJsonWord(const Request& request);
// A line at the end of the system prompt.
void AppendJsonWord(Request* request);

// The name that a strict tool has for this request's schema.
std::string SchemaToolName(const Request& request);

// Turns the answer of a kStrictTool request back into content: the arguments of the forced call.
// Content beside a call is dropped; without a call it is the answer.
class ToolAnswer {
 public:
  // Replaces what came by what it means. Keep one object per answer.
  void Turn(std::vector<Event>* events);

 private:
  void Take(Event* event, std::vector<Event>* out);
  void Release(std::vector<Event>* out);

  int32_t tool_index_ = -1;  // -1: no call yet
  std::string arguments_, content_;
  bool delivered_ = false;
};

struct JsonAnswer {
  std::string value;    // the JSON text alone; "" with a problem
  std::string problem;  // one line; "": none
};

// Judges a finished answer. Code fences around the value and prose before it are dropped: gateways
// add them. Without a schema the value must be an object. May throw as JsonSchema::Problem does.
JsonAnswer JudgeAnswer(std::string_view answer, const JsonSchema* schema);

// Follows an answer that should become JSON.
class JsonWatch {
 public:
  static constexpr size_t kMaxBlank = 512;
  explicit JsonWatch(size_t max_blank = kMaxBlank) : max_blank_(max_blank) {}

  // False, now and ever after, when more than max_blank characters of white space came in a row
  // outside the strings of a JSON value: the model will not stop. The value before it may
  // nevertheless be complete.
  bool Push(std::string_view content);
  const std::string& text() const { return text_; }
  JsonAnswer Judge(const JsonSchema* schema) const { return JudgeAnswer(text_, schema); }

 private:
  size_t max_blank_;
  std::string text_;
  size_t blank_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false, runaway_ = false;
};

// The one repair round: the answer, and what is wrong with it, become further turns of the shaped
// request.
void RepairRequest(std::string_view answer, std::string_view problem, Request* shaped);

// What is reported when the answer still does not fit after so many repair rounds;
// `body` keeps the raw answer.
Failure SchemaFailure(std::string_view answer, std::string_view problem, int repairs);

}  // namespace finback
