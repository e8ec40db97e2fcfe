#include <string>
#include <string_view>

#include "core/base/contains.h"
#include "core/json/json_writer.h"
#include "core/service_rules/message_problems.h"
#include "core/service_rules/problem_list.h"
#include "core/service_rules/service_problems.h"
#include "core/service_rules/tool_problems.h"

namespace finback {
namespace {

constexpr size_t kMostStops = 16;
constexpr std::string_view kEfforts[] = {"none", "minimal", "low",   "medium",
                                         "high", "xhigh",   "ultra", "max"};

struct Bounds {
  const char* name;
  bool is_integer;
  double low, high;
  bool above_low;  // low itself is not taken
  const char* fix;
};
constexpr Bounds kNumbers[] = {
    {"temperature", false, 0, 2, false, "give a number from 0 to 2"},
    {"top_p", false, 0, 1, true, "give a number above 0, up to 1"},
    {"presence_penalty", false, -2, 2, false, "give a number from -2 to 2"},
    {"frequency_penalty", false, -2, 2, false, "give a number from -2 to 2"},
    {"n", true, 1, 1, false, "leave it out and ask again for each further answer"},
    {"max_tokens", true, 1, 393216, false, "give a whole number from 1 to 393216"},
    // 2^63 - 1 as a double is 2^63, which is told apart by its spelling below.
    {"seed", true, 0, 9223372036854775807.0, false, "give a whole number from 0 to 2^63 - 1"},
    {"top_logprobs", true, 0, 20, false, "give a whole number from 0 to 20"},
};

class RequestJudge {
 public:
  RequestJudge(const Json& request, ProblemList* problems)
      : request_(request), problems_(*problems) {}

  void Judge() {
    if (!request_.IsObject()) return problems_.AddKind("", "an object", request_);
    problems_.String(request_, "", "model");
    const bool thinking = JudgeThinking();
    ConversationFacts conversation;
    const Json* messages = request_.Find("messages");
    if (messages == nullptr || !messages->IsArray() || messages->items.empty()) {
      problems_.Add("messages", "there are none", "give a list with at least one message");
    } else {
      const Json* tools = FindGiven(request_, "tools");
      const bool has_tools = tools != nullptr && !tools->items.empty();
      conversation = FindMessageProblems(*messages, {thinking, has_tools}, &problems_);
    }
    FindToolProblems(request_, thinking, conversation, &problems_);
    for (const Bounds& bounds : kNumbers) JudgeNumber(bounds);
    JudgeStop();
    JudgeLogprobs();
    JudgeStream();
    problems_.Bool(request_, "", "parallel_tool_calls");
  }

 private:
  // Whether the request thinks.
  bool JudgeThinking() {
    const Json* effort = problems_.String(request_, "", "reasoning_effort");
    if (effort != nullptr && !Contains(kEfforts, effort->text)) {
      problems_.Add("reasoning_effort", "the service knows no effort " + Quoted(effort->text),
                    "say none, low, high or max");
    }
    const Json* thinking = problems_.Object(request_, "", "thinking");
    const bool is_none = effort != nullptr && effort->text == "none";
    if (thinking == nullptr) return !is_none;
    const Json* type = problems_.RequiredString(*thinking, "thinking.", "type");
    if (type == nullptr) return true;
    if (type->text != "enabled" && type->text != "adaptive" && type->text != "disabled") {
      problems_.Add("thinking.type", "the service knows no type " + Quoted(type->text),
                    "say enabled, adaptive or disabled");
    }
    const Json* budget = FindGiven(*thinking, "budget_tokens");
    if (budget != nullptr && !(budget->IsInteger() && budget->text[0] != '-')) {
      problems_.Add("thinking.budget_tokens", "must be a whole number",
                    "leave it out; it has no effect");
    }
    return type->text != "disabled";
  }

  void JudgeNumber(const Bounds& bounds) {
    const Json* value = FindGiven(request_, bounds.name);
    if (value == nullptr) return;
    if (bounds.is_integer ? !value->IsInteger() : !value->IsNumber()) {
      return problems_.AddKind(bounds.name, bounds.is_integer ? "a whole number" : "a number",
                               *value);
    }
    const bool is_too_low = value->number < bounds.low ||
                            (bounds.above_low && value->number == bounds.low) ||
                            (bounds.is_integer && value->text[0] == '-');
    const bool is_too_high =
        value->number > bounds.high || (bounds.is_integer && value->Integer(-1) < 0);
    if (!is_too_low && !is_too_high) return;
    problems_.Add(bounds.name, "is out of the service's range: " + Shown(value->text), bounds.fix);
  }

  void JudgeStop() {
    const Json* stop = FindGiven(request_, "stop");
    if (stop == nullptr) return;
    if (stop->IsString()) return JudgeStopText(*stop, "stop");
    if (!stop->IsArray()) return problems_.AddKind("stop", "a string or a list of strings", *stop);
    if (stop->items.size() > kMostStops) {
      problems_.Add("stop", Format("has %zu strings", stop->items.size()),
                    Format("give at most %zu", kMostStops));
    }
    for (size_t i = 0; i < stop->items.size(); ++i) {
      JudgeStopText(stop->items[i], ItemPath("stop", i));
    }
  }

  void JudgeStopText(const Json& text, const std::string& path) {
    if (!text.IsString()) return problems_.AddKind(path, "a string", text);
    if (text.text.empty()) problems_.Add(path, "must not be empty", "leave it out");
  }

  void JudgeLogprobs() {
    const Json* wanted = problems_.Bool(request_, "", "logprobs");
    if (FindGiven(request_, "top_logprobs") != nullptr && (wanted == nullptr || !wanted->boolean)) {
      problems_.Add("top_logprobs", "needs \"logprobs\": true", "say logprobs, or leave it out");
    }
  }

  void JudgeStream() {
    const Json* stream = problems_.Bool(request_, "", "stream");
    const Json* options = problems_.Object(request_, "", "stream_options");
    if (options == nullptr) return;
    problems_.Bool(*options, "stream_options.", "include_usage");
    if (stream == nullptr || !stream->boolean) {
      problems_.Add("stream_options", "needs \"stream\": true", "say stream, or leave it out");
    }
  }

  const Json& request_;
  ProblemList& problems_;
};

}  // namespace

std::vector<ServiceProblem> FindServiceProblems(const Json& request) {
  std::vector<ServiceProblem> problems;
  ProblemList list(&problems);
  RequestJudge(request, &list).Judge();
  return problems;
}

std::string ServiceProblemsJson(const std::vector<ServiceProblem>& problems) {
  std::string text;
  JsonWriter json(&text);
  json.BeginList();
  for (const ServiceProblem& problem : problems) {
    json.BeginObject();
    json.Key("path").String(problem.path);
    json.Key("message").String(problem.message);
    json.Key("fix").String(problem.fix);
    json.EndObject();
  }
  json.EndList();
  return text;
}

}  // namespace finback
