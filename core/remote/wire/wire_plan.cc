#include "core/remote/wire/wire_plan.h"

#include <algorithm>
#include <cinttypes>
#include <set>

#include "core/base/status.h"
#include "core/engine/event.h"
#include "core/json/json_fields.h"
#include "core/json/lenient_json.h"
#include "core/remote/wire/wire_codec.h"
#include "core/remote/wire/wire_request.h"
#include "core/schema/strict_problem.h"

namespace finback {
namespace {

constexpr int64_t kFimTokens = 4096;  // the most that the beta endpoint gives
constexpr size_t kMaxUserIdBytes = 512;
constexpr int64_t kLeastThinkingBudget = 1024;

bool IsStrict(const Json& tool) {
  const Json* strict = tool.Find("strict");
  return strict != nullptr && strict->boolean;
}

class Planner {
 public:
  Planner(const Request& request, const WirePolicy& policy, WirePlan* plan)
      : request_(request),
        policy_(policy),
        plan_(*plan),
        provider_(*plan->provider),
        supports_(plan->provider->supports),
        words_(CodecOf(*plan->provider).words),
        where_(plan->model + " at " + plan->provider->name) {}

  void Run() {
    plan_.stream = policy_.stream;
    PlanCompletion();
    PlanTools();
    PlanThinking();
    PlanEffort();
    if (policy_.left_out.thinking) plan_.model_entry.thinking = false;
    PlanTokens();
    PlanThinkingBudget();
    PlanPenalties();
    PlanFormat();
    PlanReplay();
    CheckFeatures();
    CheckMessages();
    PlanServiceFields();
  }

 private:
  // How far an assistant turn's calls have been answered.
  struct Turn {
    std::set<std::string_view> open;  // ids of calls without an answer
    std::string path;                 // of the turn
  };

  void Notice(std::string_view code, const std::string& message) {
    plan_.notices.push_back(NoticeText(code, message));
  }
  // Beta features are those of one more address, where the service has one.
  void NeedBeta() { plan_.beta = !provider_.beta_url.empty(); }

  void PlanCompletion();
  void PlanTools();
  void PlanThinking();
  void PlanEffort();
  void PlanTokens();
  void PlanThinkingBudget();
  void PlanPenalties();
  void PlanFormat();
  void PlanReplay();
  void PlanServiceFields();
  void PlanUser(const char* field, const Json& value);
  void CheckFeatures() const;
  void CheckMessages();
  void CheckRole(const Message& message) const;
  void CheckParts(const Message& message) const;
  void CheckLocalFields(const Message& message) const;
  void CheckCalls(const Message& message, Turn* turn);
  static void CheckAnswered(const Turn& turn, const std::string& before);

  const Request& request_;
  const WirePolicy& policy_;
  WirePlan& plan_;
  const Provider& provider_;
  const ProviderSupport& supports_;
  const WireWords& words_;
  const std::string where_;         // "MODEL at PROVIDER", for messages
  std::set<std::string_view> ids_;  // of all calls
};

void Planner::PlanCompletion() {
  if (request_.is_chat) return;
  if (!(supports_.completions || supports_.fim) || !words_.completions) {
    FailAt("prompt", where_ + " completes no plain text; use messages");
  }
  if (request_.has_suffix && !supports_.fim) {
    FailAt("suffix", "is not supported by " + where_);
  }
  // A service adds begin-of-sentence and reads its own tokens in the text,
  // and none can be told not to.
  if (request_.add_bos == Toggle::kOff) FailAt("add_bos", "cannot be switched off at " + where_);
  if (!request_.recognize_special) {
    FailAt("recognize_special", "cannot be switched off at " + where_);
  }
  NeedBeta();
}

void Planner::PlanTools() {
  plan_.offer_tools = !request_.tools.empty() && request_.tool_choice != ToolChoice::kNone;
  const size_t strict =
      static_cast<size_t>(std::count_if(request_.tools.begin(), request_.tools.end(), IsStrict));
  if (strict == 0) return;
  for (size_t i = 0; i < request_.tools.size(); ++i) {
    const std::string path = Format("tools[%zu].function", i);
    const Json& tool = request_.tools[i];
    if (IsStrict(tool) && !supports_.strict_tools) {
      FailAt(path + ".strict", "is not supported by " + where_);
    }
    if (!IsStrict(tool)) FailAt(path + ".strict", "must be true for all tools, or for none");
    const Json* parameters = FindObject(tool, "parameters");
    const std::string problem = parameters != nullptr ? StrictProblem(*parameters) : "";
    if (!problem.empty()) throw Error(Code::kInvalidRequest, path + ".parameters" + problem);
  }
  NeedBeta();
}

void Planner::PlanThinking() {
  plan_.thinking =
      request_.is_chat && request_.thinking != Toggle::kOff && plan_.model_entry.thinking;
  plan_.effort = request_.effort == Effort::kDefault ? Effort::kHigh : request_.effort;
  if (request_.is_chat && request_.thinking == Toggle::kOn && !plan_.thinking) {
    Notice("thinking_disabled", where_ + " cannot think");
  }
  const bool forced =
      request_.tool_choice == ToolChoice::kRequired || request_.tool_choice == ToolChoice::kNamed;
  if (plan_.thinking && forced && !supports_.forced_tool_while_thinking) {
    if (!policy_.force_tool_disables_thinking) {
      FailAt("tool_choice",
             where_ + " cannot be made to call a tool while thinking; disable thinking");
    }
    plan_.thinking = false;
    Notice("thinking_disabled", "thinking was disabled, because tool_choice forces a tool");
  }
  if (request_.thinking != Toggle::kDefault && plan_.model_entry.thinking && request_.is_chat &&
      provider_.thinking == ThinkingStyle::kNone) {
    Notice("field_left_out", "thinking: " + provider_.name + " has no switch for it");
  }
}

// The step of the service's ladder that has the prompt text of the one that is meant.
void Planner::PlanEffort() {
  const LadderChoice wanted = policy_.effort_ladder, theirs = provider_.effort_ladder;
  plan_.sent_effort = plan_.effort;
  if (!plan_.thinking || wanted == LadderChoice::kAuto || wanted == theirs) return;
  const bool max = plan_.effort == Effort::kMax;
  if (theirs == LadderChoice::kAuto || provider_.thinking == ThinkingStyle::kNone) {
    Notice("effort_ladder_unknown",
           "effort_ladder: how " + provider_.name + " spells efforts is not known; it decides");
  } else if (theirs == LadderChoice::k0731) {
    plan_.sent_effort = max ? Effort::kHigh : Effort::kLow;
  } else if (plan_.effort != Effort::kLow) {
    plan_.sent_effort = Effort::kMax;
    if (max) Notice("effort_lowered", "effort_ladder: " + provider_.name + " has no text for max");
  }
}

void Planner::PlanTokens() {
  int64_t limit = plan_.model_entry.max_output_tokens;
  const auto lower = [&limit](int64_t other) {
    if (other > 0 && (limit <= 0 || other < limit)) limit = other;
  };
  lower(provider_.max_tokens_limit);
  if (!request_.is_chat && plan_.beta) lower(kFimTokens);
  plan_.max_tokens = request_.max_tokens;
  const int64_t whole = limit > 0 ? limit : plan_.model_entry.context_tokens;
  plan_.send_max_tokens =
      words_.needs_max_tokens ||
      !(policy_.left_out.max_tokens ||
        (request_.max_tokens < 0 && request_.is_chat && supports_.optional_max_tokens));
  if (!plan_.send_max_tokens && whole > 0) {
    plan_.max_tokens = whole;
  } else if (request_.max_tokens < 0) {
    // Sent explicitly, so that other services do as DeepSeek's (docs/services.md 4).
    plan_.max_tokens = DefaultMaxTokens(plan_.thinking, plan_.effort);
  }
  if (limit <= 0 || plan_.max_tokens <= limit) return;
  plan_.max_tokens = limit;
  if (request_.max_tokens < 0 || !plan_.send_max_tokens) return;
  Notice("max_tokens_lowered",
         Format("max_tokens: %" PRId64 " was lowered to %" PRId64 ", the limit of %s",
                request_.max_tokens, limit, where_.c_str()));
}

// At least 1,024 and less than max_tokens, or the request is refused.
void Planner::PlanThinkingBudget() {
  if (!plan_.thinking || !words_.needs_max_tokens || !supports_.thinking_budget) return;
  if (plan_.max_tokens <= kLeastThinkingBudget) {
    plan_.thinking = false;
    Notice("thinking_disabled", Format("thinking needs max_tokens of more than %" PRId64 " at %s",
                                       kLeastThinkingBudget, provider_.name.c_str()));
    return;
  }
  const int64_t quarters = plan_.effort == Effort::kLow ? 1 : plan_.effort == Effort::kHigh ? 2 : 3;
  plan_.thinking_budget = std::max(plan_.max_tokens / 4 * quarters, kLeastThinkingBudget);
}

void Planner::PlanPenalties() {
  plan_.send_penalties = supports_.penalties && words_.sampling_extras &&
                         (request_.frequency_penalty != 0 || request_.presence_penalty != 0);
  if (plan_.send_penalties) return;
  for (const auto& [name, penalty] : {std::pair("frequency_penalty", request_.frequency_penalty),
                                      std::pair("presence_penalty", request_.presence_penalty)}) {
    if (penalty != 0) {
      Notice("field_left_out",
             name + (": has no effect at " + provider_.name + ", as far as known"));
    }
  }
}

void Planner::PlanFormat() {
  plan_.response_format = request_.response_format;
  if (plan_.response_format == ResponseFormat::kJsonSchema &&
      !(supports_.json_schema && words_.response_format)) {
    plan_.response_format = supports_.json_object && words_.response_format
                                ? ResponseFormat::kJsonObject
                                : ResponseFormat::kText;
    Notice("schema_not_native",
           "response_format: " + where_ + " does not enforce a schema; it was asked for " +
               (plan_.response_format == ResponseFormat::kText ? "text" : "a JSON object"));
  } else if (plan_.response_format == ResponseFormat::kJsonObject &&
             !(supports_.json_object && words_.response_format)) {
    FailAt("response_format.type", "\"json_object\" is not supported by " + where_);
  }
}

void Planner::PlanReplay() {
  switch (policy_.replay) {
    case ReplayReasoning::kAlways:
      plan_.replay_reasoning = true;
      break;
    case ReplayReasoning::kNever:
      plan_.replay_reasoning = false;
      break;
    case ReplayReasoning::kAuto:
      plan_.replay_reasoning =
          !provider_.reasoning_out.empty() && plan_.model_entry.replays_reasoning;
      break;
  }
}

void Planner::CheckFeatures() const {
  const bool extras = supports_.sampling_extras && words_.sampling_extras;
  const struct {
    const char* path;
    bool asked, possible;
  } kFeatures[] = {{"logprobs", request_.top_logprobs >= 0, supports_.logprobs && words_.logprobs},
                   {"seed", request_.has_seed, extras},
                   {"logit_bias", !request_.logit_bias.empty(), extras},
                   {"top_k", request_.has_top_k, supports_.sampling_extras && words_.top_k},
                   {"min_p", request_.min_p > 0, extras},
                   {"parallel_tool_calls", !request_.parallel_tool_calls && !request_.tools.empty(),
                    supports_.parallel_tool_calls},
                   {"stop", !request_.stop.empty(), provider_.max_stop > 0 && words_.stop}};
  for (const auto& feature : kFeatures) {
    if (feature.asked && !feature.possible) FailAt(feature.path, "is not supported by " + where_);
  }
  if (request_.stop.size() > static_cast<size_t>(std::max(provider_.max_stop, 0))) {
    FailAt("stop", Format("at most %d strings at %s, got %zu", provider_.max_stop,
                          provider_.name.c_str(), request_.stop.size()));
  }
}

void Planner::CheckRole(const Message& message) const {
  if (message.role == Role::kLatestReminder && !supports_.latest_reminder) {
    FailAt(message.path + ".role", "\"latest_reminder\" is not known to " + provider_.name);
  }
}

// What stands in messages for the prompt encoder alone.
void Planner::CheckLocalFields(const Message& message) const {
  const char* field = !message.tools.empty()        ? "tools"
                      : message.has_response_format ? "response_format"
                      : !message.task.empty()       ? "task"
                                                    : nullptr;
  if (field == nullptr) return;
  FailAt(message.path + "." + field, "is not known to services; it works with local models");
}

void Planner::CheckParts(const Message& message) const {
  for (size_t i = 0; i < message.parts.size(); ++i) {
    const std::string_view type = FindText(message.parts[i], "type");
    if (type == "text") continue;
    const std::string path = message.path + Format(".content[%zu]", i);
    const bool is_image = type == "image_url";
    if (!is_image && type != "file") {
      FailAt(path + ".type", "\"" + Shown(type) + "\" is not supported by " + where_);
    }
    if (message.role != Role::kUser && message.role != Role::kTool) {
      FailAt(path + ".type",
             "a " + std::string(RoleName(message.role)) + " message takes text only");
    }
    if (!supports_.images || !plan_.model_entry.images) {
      FailAt(path + ".type", where_ + " takes text only");
    }
    if (is_image && ImageUrl(message.parts[i]).empty())
      FailAt(path + ".image_url.url", "is missing");
    const bool has_id = !FindText(message.parts[i], "file_id").empty();
    const bool has_data = !FindText(message.parts[i], "file_data").empty();
    if (!is_image && has_id == has_data) FailAt(path, "needs one of file_id and file_data");
    if (has_data && !words_.file_data) {
      FailAt(path + ".file_data", "is not supported by " + where_ + "; upload the file");
    }
  }
}

void Planner::CheckAnswered(const Turn& turn, const std::string& before) {
  if (turn.open.empty()) return;
  FailAt(before, "the call \"" + Shown(*turn.open.begin()) + "\" of " + turn.path +
                     " has no answer before this");
}

void Planner::CheckCalls(const Message& message, Turn* turn) {
  if (message.role == Role::kTool) {
    const std::string path = message.path + ".tool_call_id";
    if (message.tool_call_id.empty()) FailAt(path, "is missing");
    if (turn->open.erase(message.tool_call_id) == 0) {
      FailAt(path, "no call \"" + Shown(message.tool_call_id) + "\" waits for an answer");
    }
    return;
  }
  CheckAnswered(*turn, message.path);
  *turn = {{}, message.path};
  for (size_t i = 0; i < message.tool_calls.size(); ++i) {
    const ToolCall& call = message.tool_calls[i];
    const std::string path = message.path + Format(".tool_calls[%zu]", i);
    if (call.id.empty()) FailAt(path + ".id", "is missing");
    if (!ids_.insert(call.id).second) {
      FailAt(path + ".id", "\"" + Shown(call.id) + "\" is the id of an earlier call");
    }
    turn->open.insert(call.id);
    if (ReplayedArguments(call.arguments) == call.arguments) continue;
    Notice("arguments_replaced", path + ".function.arguments: no JSON; sent as {}");
  }
}

void Planner::CheckMessages() {
  Turn turn;
  for (const Message& message : request_.messages) {
    CheckRole(message);
    CheckLocalFields(message);
    CheckParts(message);
    CheckCalls(message, &turn);
    if (message.role != Role::kAssistant || !message.without_eos) continue;
    if (!supports_.prefix || !words_.prefix) {
      FailAt(message.path + ".prefix", "is not supported by " + where_);
    }
    NeedBeta();
  }
  CheckAnswered(turn, "messages");
}

void Planner::PlanUser(const char* field, const Json& value) {
  if (!value.IsString()) FailAt(field, Format("expected a string, found %s", KindName(value)));
  if (value.text.size() > kMaxUserIdBytes) {
    FailAt(field, Format("at most %zu bytes, got %zu", kMaxUserIdBytes, value.text.size()));
  }
  if (provider_.user_field.empty()) {
    return Notice("field_left_out", field + (": not sent to " + provider_.name));
  }
  if (!plan_.user.empty() && plan_.user != value.text) {
    FailAt(field, "differs from user; give one of them");
  }
  plan_.user = value.text;
}

// {"level": "low" | "high"}, or the service refuses the request.
void CheckSafety(const Json& value) {
  JsonFields fields(value, "safety_check");
  const std::string* level = fields.FindString("level");
  if (level == nullptr || (*level != "low" && *level != "high")) {
    FailAt("safety_check.level", "must be \"low\" or \"high\"");
  }
}

void Planner::PlanServiceFields() {
  for (const auto& [field, value] : request_.service_fields) {
    if (field == "stream_options") continue;  // ours to set
    if (field == "user" || field == "user_id") {
      PlanUser(field.c_str(), value);
      continue;
    }
    const std::vector<std::string>& known = provider_.forwarded;
    if (std::find(known.begin(), known.end(), field) != known.end()) {
      if (field == "safety_check") CheckSafety(value);
      plan_.fields.emplace_back(field, value);
    } else {
      Notice("field_left_out", field + ": not sent to " + provider_.name);
    }
  }
}

}  // namespace

WirePlan PlanWire(const Request& request, const Provider& provider, const ModelEntry& entry,
                  std::string_view model, const WirePolicy& policy) {
  WirePlan plan;
  plan.provider = &provider;
  plan.model_entry = entry;
  plan.model = model;
  Planner(request, policy, &plan).Run();
  return plan;
}

}  // namespace finback
