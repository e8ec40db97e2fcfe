// The judgement of a Request against a Provider: what can be asked of it, and how.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine/options.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"

namespace finback {

// A request as it leaves: effort resolved, names checked, limits applied. Made by PlanWire, which
// is the only place that judges a Request against a Provider.
struct WirePlan {
  const Provider* provider = nullptr;
  ModelEntry model_entry;
  std::string model;
  bool stream = true;
  bool thinking = true;
  Effort effort = Effort::kHigh;       // never kDefault; meaningless without thinking
  Effort sent_effort = Effort::kHigh;  // what the service calls the same
  int64_t max_tokens = 0;              // the most that may come
  bool send_max_tokens = true;         // false: the service takes what its context leaves
  bool send_penalties = false;         // there are some, and they have an effect
  int64_t thinking_budget = 0;         // 0: not sent
  bool replay_reasoning = true;        // earlier turns go with their reasoning
  bool offer_tools = true;             // there are tools, and they may be called
  bool beta = false;                   // prefix, FIM, strict tools: at beta_url
  ResponseFormat response_format = ResponseFormat::kText;  // as the service is asked for it
  std::string user;                                        // for provider->user_field; "": not sent
  std::vector<std::pair<std::string, Json>> fields;        // of the request, forwarded as they came
  std::vector<std::string> notices;  // texts of kNotice events: what was changed or left out
};

// Fields that a service refused, which go without from then on.
struct LeftOut {
  bool thinking = false, max_tokens = false;
};

// What the plan needs from the engine's options, and from what a service said before.
struct WirePolicy {
  bool force_tool_disables_thinking = true;  // else a forced tool against thinking is refused
  ReplayReasoning replay = ReplayReasoning::kAuto;
  bool stream = true;
  LadderChoice effort_ladder = LadderChoice::kAuto;  // kAuto: the service's own
  LeftOut left_out;
};

// Throws Error(kInvalidRequest) naming the path of what this service cannot do.
// `provider` outlives the plan.
WirePlan PlanWire(const Request& request, const Provider& provider, const ModelEntry& entry,
                  std::string_view model, const WirePolicy& policy);

}  // namespace finback
