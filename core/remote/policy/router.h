// Which model answers a request, and which is asked when that fails: rules of a user's file choose
// among targets, and targets that failed rest for a while. Deterministic but for the clock.
//
//   {"rules": [{"when": {"min_characters": 400000}, "use": ["deepseek:deepseek-flash"]},
//              {"when": {"tools": true, "effort": ["high", "max"]}, "use": [..]}],
//    "escalate": ["quota", "overloaded"], "cool_down_ms": 30000, "most_cool_down_ms": 600000}
//
// The first rule counts whose conditions all hold: min_characters, max_characters (of the
// conversation), tools (offered or not), keywords (any of them, in any case, in what the user
// says), effort (one or several; none while thinking is off), thinking. Without one the order is
// that of the engine's model option.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/engine/request.h"
#include "core/remote/catalog/model_name.h"
#include "core/remote/transport/failure.h"

namespace finback {

struct RouteRule {
  int64_t min_characters = 0, max_characters = INT64_MAX;
  Toggle tools = Toggle::kDefault, thinking = Toggle::kDefault;  // kDefault: either
  std::vector<std::string> keywords;                             // lower case; empty: any text
  std::vector<Effort> efforts;                                   // empty: any
  std::vector<size_t> targets;
};

// An engine's. Any thread.
class Router {
 public:
  // `chain` is the engine's model option; `rules_json` may be empty. Throws
  // Error(kInvalidArgument) naming the path. The table must outlive the router.
  Router(std::vector<ModelTarget> chain, std::string_view rules_json, const ProviderTable& table,
         RefusedIds refused, MonotonicClock clock = SteadyClock());

  // Of the chain and of every rule, each once.
  const std::vector<ModelTarget>& targets() const { return targets_; }

  // Indexes into targets(), to be tried in this order: those that rest come last, and among them
  // first who rests for the shortest time.
  std::vector<size_t> Order(const Request& request) const;

  // Whether another target may do better after such a failure.
  bool TryNext(const Failure& failure) const;
  // The position in `order` to go on with after the target at `position` failed; order.size():
  // none. A context that was too short needs a longer one, a key or an account that
  // failed needs another provider.
  size_t Next(const std::vector<size_t>& order, size_t position, const Failure& failure) const;

  // What became of an attempt, retries included. A failure that is not the request's own makes the
  // target rest, each time twice as long until it succeeds.
  void ReportSuccess(size_t target);
  void ReportFailure(size_t target, const Failure& failure);

  struct Health {
    int32_t failures = 0;    // since the last success
    int64_t resting_ms = 0;  // for how long it still rests
  };
  Health HealthOf(size_t target) const;

 private:
  struct Rest {
    int32_t failures = 0;
    int64_t length_ms = 0, until_ms = 0;
  };

  void ReadRules(std::string_view json, const ProviderTable& table, RefusedIds refused);
  size_t AddTarget(ModelTarget target);

  std::vector<ModelTarget> targets_;
  std::vector<size_t> chain_;
  std::vector<RouteRule> rules_;
  std::vector<FailureKind> escalate_;
  int64_t cool_down_ms_ = 30'000, most_cool_down_ms_ = 600'000;
  const MonotonicClock clock_;
  mutable std::mutex mutex_;
  std::vector<Rest> rests_;  // guarded by mutex_; one for each target
};

}  // namespace finback
