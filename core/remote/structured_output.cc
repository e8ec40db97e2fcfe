#include "core/remote/structured_output.h"

#include <algorithm>
#include <utility>

#include "core/base/utf8.h"
#include "core/json/json_fields.h"
#include "core/remote/wire/wire_codec.h"
#include "core/schema/strict_problem.h"

namespace finback {
namespace {

constexpr std::string_view kJsonLine = "Answer with one JSON object and nothing else.";
constexpr std::string_view kDefaultToolName = "answer";
constexpr size_t kMaxToolNameBytes = 64;
constexpr size_t kMaxBodyBytes = 16 * 1024;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view WithoutBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

Json TextJson(std::string_view text) {
  Json json;
  json.kind = Json::Kind::kString;
  json.text = text;
  return json;
}

Json BoolJson(bool value) {
  Json json;
  json.kind = Json::Kind::kBool;
  json.boolean = value;
  return json;
}

Json ObjectJson(std::vector<std::pair<std::string, Json>> members) {
  Json json;
  json.kind = Json::Kind::kObject;
  json.members = std::move(members);
  return json;
}

// The json_schema object of the request's response_format; its schema is there by then.
const Json& FormatOf(const Request& request) {
  const Json* format = request.format.Find("json_schema");
  if (format == nullptr || format->Find("schema") == nullptr) {
    FailAt(JsonSchema::kRequestPath, "is missing");
  }
  return *format;
}

// Whether every value of the schema is known to be an object,
// which json_object and tool arguments always are.
bool IsObjectSchema(const Json& schema) {
  const Json* type = schema.Find("type");
  return type != nullptr ? type->IsString() && type->text == "object"
                         : schema.Find("properties") != nullptr;
}

bool Continues(const Request& request) {
  return !request.messages.empty() && request.messages.back().role == Role::kAssistant;
}

// Whether the request asks for nothing that a Responses endpoint ignores (docs/services.md 15).
bool FitsResponses(const Request& request, const Provider& responses) {
  const bool images = std::any_of(request.messages.begin(), request.messages.end(),
                                  [](const Message& message) { return !message.parts.empty(); });
  return responses.supports.json_schema && request.stop.empty() && !request.has_seed &&
         !request.has_top_k && request.min_p <= 0 && request.logit_bias.empty() &&
         !Continues(request) && (request.top_logprobs < 0 || responses.supports.logprobs) &&
         (!images || responses.supports.images);
}

bool MayForceTool(const Request& request, const Provider& provider) {
  const bool thinks = request.thinking != Toggle::kOff && provider.thinking != ThinkingStyle::kNone;
  return provider.supports.strict_tools && request.tools.empty() && !Continues(request) &&
         (!thinks || provider.supports.forced_tool_while_thinking);
}

void AppendToSystem(std::string_view text, Request* request) {
  std::vector<Message>& messages = request->messages;
  const bool has_system = !messages.empty() && (messages[0].role == Role::kSystem ||
                                                messages[0].role == Role::kDeveloper);
  if (!has_system) {
    Message system;
    system.role = Role::kSystem;
    system.path = "messages[0]";
    messages.insert(messages.begin(), std::move(system));
  }
  Message& system = messages[0];
  if (!system.content.empty()) system.content += "\n\n";
  system.content += text;
  if (system.parts.empty()) return;
  system.parts.push_back(ObjectJson({{"type", TextJson("text")}, {"text", TextJson(text)}}));
}

std::string Instruction(const Json& format) {
  std::string text =
      "Answer with one JSON value that fits the JSON Schema below, and nothing else: no other "
      "text, no code fence.";
  const Json* description = format.Find("description");
  if (description != nullptr && description->IsString()) {
    text += "\nThe value is: " + description->text;
  }
  text += "\nJSON Schema: ";
  AppendPythonJson(*format.Find("schema"), &text);
  return text;
}

void ForceTool(Request* request) {
  const Json& format = FormatOf(*request);
  const Json* description = format.Find("description");
  const bool described = description != nullptr && description->IsString();
  request->tool_name = SchemaToolName(*request);
  request->tool_choice = ToolChoice::kNamed;
  request->tools = {
      ObjectJson({{"name", TextJson(request->tool_name)},
                  {"description", TextJson(described ? std::string_view(description->text)
                                                     : "Takes the answer. It must be called.")},
                  {"parameters", *format.Find("schema")},
                  {"strict", BoolJson(true)}})};
}

bool MentionsJson(std::string_view text) {
  constexpr std::string_view kWord = "json";
  return std::search(text.begin(), text.end(), kWord.begin(), kWord.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         }) != text.end();
}

constexpr std::string_view kFence = "```";

// What the last code fence opens, in a text whose own end the fence's end was.
std::string_view AfterFence(std::string_view text) {
  const size_t open = text.rfind(kFence);
  if (open == std::string_view::npos) return {};
  text.remove_prefix(open + kFence.size());
  const size_t name = text.find_first_of(" \t\r\n{[");  // "json", mostly
  return name == std::string_view::npos ? text : WithoutBlanks(text.substr(name));
}

// The JSON value in an answer, and its text.
struct Found {
  Json json;
  std::string_view text;
};

bool Parse(std::string_view text, Found* found, std::string* reason) {
  try {
    found->json = ParseJson(text, "the answer is not JSON");
    found->text = text;
    return true;
  } catch (const Error& error) {
    *reason = error.what();
    return false;
  }
}

bool FindValue(std::string_view answer, Found* found, std::string* reason) {
  constexpr int kMaxTries = 8;  // each reads the rest of the answer
  std::string_view text = WithoutBlanks(answer);
  if (text.empty()) {
    *reason = "the answer is empty";
    return false;
  }
  if (Parse(text, found, reason)) return true;
  std::string ignored;
  if (text.ends_with(kFence)) {
    text = WithoutBlanks(text.substr(0, text.size() - kFence.size()));
    if (Parse(AfterFence(text), found, &ignored)) return true;
  }
  size_t at = text.find_first_of("{[");
  for (int i = 0; i < kMaxTries && at != std::string_view::npos; ++i) {
    if (Parse(text.substr(at), found, &ignored)) return true;
    at = text.find_first_of("{[", at + 1);
  }
  return false;
}

}  // namespace

SchemaRoute ChooseSchemaRoute(const Request& request, const Provider& provider,
                              const Provider* responses) {
  const bool speaks = CodecOf(provider).words.response_format;
  if (provider.supports.json_schema && speaks) return SchemaRoute::kNative;
  if (responses != nullptr && FitsResponses(request, *responses)) return SchemaRoute::kResponses;
  const Json& schema = *FormatOf(request).Find("schema");
  if (MayForceTool(request, provider) && StrictProblem(schema).empty()) {
    return SchemaRoute::kStrictTool;
  }
  return provider.supports.json_object && speaks && IsObjectSchema(schema)
             ? SchemaRoute::kJsonObject
             : SchemaRoute::kInstruction;
}

void ShapeRequest(SchemaRoute route, Request* request) {
  switch (route) {
    case SchemaRoute::kNative:
    case SchemaRoute::kResponses:
      return;
    case SchemaRoute::kStrictTool:
      ForceTool(request);
      request->thinking = Toggle::kOff;
      request->response_format = ResponseFormat::kText;
      request->format = Json();
      return;
    case SchemaRoute::kJsonObject:
      AppendToSystem(Instruction(FormatOf(*request)), request);
      request->response_format = ResponseFormat::kJsonObject;
      request->format = ObjectJson({{"type", TextJson("json_object")}});
      return;
    case SchemaRoute::kInstruction:
      AppendToSystem(Instruction(FormatOf(*request)), request);
      request->response_format = ResponseFormat::kText;
      request->format = Json();
      return;
  }
}

bool LacksJsonWord(const Request& request) {
  if (request.response_format != ResponseFormat::kJsonObject) return false;
  return std::none_of(request.messages.begin(), request.messages.end(), [](const Message& message) {
    return (message.role == Role::kSystem || message.role == Role::kDeveloper ||
            message.role == Role::kUser) &&
           MentionsJson(message.content);
  });
}

void AppendJsonWord(Request* request) { AppendToSystem(kJsonLine, request); }

std::string SchemaToolName(const Request& request) {
  const Json* name = FormatOf(request).Find("name");
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const bool usable = name != nullptr && name->IsString() && !name->text.empty() &&
                      name->text.size() <= kMaxToolNameBytes &&
                      std::all_of(name->text.begin(), name->text.end(), good);
  return usable ? name->text : std::string(kDefaultToolName);
}

void ToolAnswer::Turn(std::vector<Event>* events) {
  std::vector<Event> out;
  for (Event& event : *events) Take(&event, &out);
  events->swap(out);
}

void ToolAnswer::Take(Event* event, std::vector<Event>* out) {
  switch (event->kind) {
    case EventKind::kContent:
      content_ += event->text;
      return;
    case EventKind::kToolCall:
      if (tool_index_ < 0) tool_index_ = event->tool_index;
      return;
    case EventKind::kToolArguments:
      if (event->tool_index == tool_index_ && !delivered_) arguments_ += event->text;
      return;
    case EventKind::kToolCallEnd:
      if (event->tool_index != tool_index_ || delivered_) return;
      arguments_ = std::move(event->text);  // perhaps repaired, unlike the pieces
      return Release(out);
    case EventKind::kFinish:
      Release(out);
      if (event->finish_reason == FinishReason::kToolCalls) {
        event->finish_reason = FinishReason::kStop;
      }
      break;
    default:
      break;
  }
  out->push_back(std::move(*event));
}

void ToolAnswer::Release(std::vector<Event>* out) {
  if (delivered_) return;
  delivered_ = true;
  Event content;
  content.kind = EventKind::kContent;
  content.text = std::move(tool_index_ < 0 ? content_ : arguments_);
  if (!content.text.empty()) out->push_back(std::move(content));
}

JsonAnswer JudgeAnswer(std::string_view answer, const JsonSchema* schema) {
  Found found;
  JsonAnswer judged;
  if (!FindValue(answer, &found, &judged.problem)) return judged;
  judged.problem = "";
  if (schema != nullptr) {
    judged.problem = schema->Problem(found.json);
  } else if (!found.json.IsObject()) {
    judged.problem = "$: expected an object, found " + DescribeJson(found.json);
  }
  if (judged.problem.empty()) judged.value = found.text;
  return judged;
}

bool JsonWatch::Push(std::string_view content) {
  text_ += content;
  for (const char c : content) {
    if (in_string_) {
      if (!escaped_ && c == '"') in_string_ = false;
      escaped_ = !escaped_ && c == '\\';
      continue;
    }
    if (IsBlank(c)) {
      runaway_ = ++blank_ > max_blank_ || runaway_;
      continue;
    }
    blank_ = 0;
    begun_ = begun_ || c == '{' || c == '[';
    in_string_ = begun_ && c == '"';
  }
  return !runaway_;
}

void RepairRequest(std::string_view answer, std::string_view problem, Request* shaped) {
  const std::string_view said = WithoutBlanks(answer);
  if (Continues(*shaped)) {
    // The answer went on where the conversation ended; it is one turn with that.
    Message& begun = shaped->messages.back();
    begun.content += answer;
    begun.without_eos = false;
  } else if (!said.empty()) {
    Message turn;
    turn.role = Role::kAssistant;
    turn.content = said;
    turn.path = Format("messages[%zu]", shaped->messages.size());
    shaped->messages.push_back(std::move(turn));
  }
  Message request;
  request.role = Role::kUser;
  request.path = Format("messages[%zu]", shaped->messages.size());
  request.content = "Your answer was not accepted: " + std::string(problem) +
                    ".\nGive the complete, corrected JSON value and nothing else.";
  shaped->messages.push_back(std::move(request));
}

Failure SchemaFailure(std::string_view answer, std::string_view problem, int repairs) {
  Failure failure;
  failure.kind = FailureKind::kSchema;
  failure.message = "response_format: the answer does not fit: " + Redact(problem);
  if (repairs > 0) {
    failure.message += Format(" (after %d repair%s)", repairs, repairs == 1 ? "" : "s");
  }
  failure.http_status = 200;
  failure.body = Redact(answer);
  failure.body.resize(CutUtf8(failure.body, kMaxBodyBytes).size());
  return failure;
}

}  // namespace finback
