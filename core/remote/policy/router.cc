#include "core/remote/policy/router.h"

#include <algorithm>
#include <numeric>

#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

using Kind = FailureKind;

// After which failures another target may do better, unless a file says otherwise. A key that is
// refused is a mistake that should be seen, so it must be asked for.
constexpr Kind kEscalate[] = {Kind::kQuota,      Kind::kRateLimit,     Kind::kServer,
                              Kind::kOverloaded, Kind::kResource,      Kind::kTransport,
                              Kind::kTimeout,    Kind::kEmptyResponse, Kind::kContextOverflow};
// Our own doing, wherever the request goes.
constexpr Kind kNeverEscalate[] = {Kind::kCancelled, Kind::kBudget};
// Of the service and not of this request.
constexpr Kind kRest[] = {Kind::kAuthentication, Kind::kQuota,    Kind::kRateLimit, Kind::kServer,
                          Kind::kOverloaded,     Kind::kResource, Kind::kTransport, Kind::kTimeout};

constexpr int64_t kMaxCharacters = int64_t{1} << 40;
constexpr int64_t kMaxCoolDownMs = 24 * 3'600'000;

template <typename Range, typename Value>
bool Contains(const Range& range, const Value& value) {
  return std::find(std::begin(range), std::end(range), value) != std::end(range);
}

// --- What a request says --------------------------------------------------------------------

template <typename Visitor>
void ForEachText(const Message& message, const Visitor& visit) {
  visit(message.content);
  for (const ContentBlock& block : message.blocks) visit(block.text);
  for (const Json& part : message.parts) {
    const Json* text = part.Find("text");
    if (text != nullptr && text->IsString()) visit(text->text);
  }
}

int64_t Characters(const Request& request) {
  int64_t characters = 0;
  const auto count = [&](const std::string& text) {
    characters += static_cast<int64_t>(CountCharacters(text));
  };
  count(request.prompt);
  count(request.suffix);
  for (const Message& message : request.messages) {
    ForEachText(message, count);
    count(message.reasoning_content);
    for (const ToolCall& call : message.tool_calls) count(call.arguments);
  }
  return characters;
}

bool OffersTools(const Request& request) {
  return !request.tools.empty() ||
         std::any_of(request.messages.begin(), request.messages.end(),
                     [](const Message& message) { return !message.tools.empty(); });
}

std::string UserText(const Request& request) {
  std::string lower;
  const auto append = [&](const std::string& text) {
    lower += LowerAscii(text);
    lower += '\n';  // no keyword begins in one text and ends in the next
  };
  append(request.prompt);
  for (const Message& message : request.messages) {
    if (message.role == Role::kUser) ForEachText(message, append);
  }
  return lower;
}

bool Agrees(Toggle wanted, bool value) {
  return wanted == Toggle::kDefault || (wanted == Toggle::kOn) == value;
}

bool Fits(const RouteRule& rule, const Request& request, int64_t characters) {
  const bool thinks = request.thinking != Toggle::kOff;
  if (characters < rule.min_characters || characters > rule.max_characters) return false;
  if (!Agrees(rule.tools, OffersTools(request)) || !Agrees(rule.thinking, thinks)) return false;
  const Effort effort = request.effort == Effort::kDefault ? Effort::kHigh : request.effort;
  if (!rule.efforts.empty() && !(thinks && Contains(rule.efforts, effort))) return false;
  if (rule.keywords.empty()) return true;
  const std::string text = UserText(request);
  return std::any_of(rule.keywords.begin(), rule.keywords.end(), [&](const std::string& keyword) {
    return text.find(keyword) != std::string::npos;
  });
}

// --- Reading rules --------------------------------------------------------------------------

Toggle ReadToggle(const char* name, JsonFields* fields) {
  if (fields->Find(name) == nullptr) return Toggle::kDefault;
  return fields->Bool(name, false) ? Toggle::kOn : Toggle::kOff;
}

// A list of strings, or one string in place of it; absent: nothing.
std::vector<std::string> ReadTexts(const char* name, JsonFields* fields) {
  const Json* value = fields->Find(name);
  if (value == nullptr) return {};
  std::vector<std::string> texts;
  if (value->IsString()) {
    texts.push_back(value->text);
  } else if (value->IsArray()) {
    for (size_t item = 0; item < value->items.size(); ++item) {
      if (!value->items[item].IsString()) {
        fields->FailAtPath(fields->Path(name, item),
                           Format("expected a string, found %s", KindName(value->items[item])));
      }
      texts.push_back(value->items[item].text);
    }
  } else {
    fields->Fail(name, Format("expected a list of strings, found %s", KindName(*value)));
  }
  if (texts.empty() || Contains(texts, std::string())) {
    fields->Fail(name, "must not be empty");
  }
  return texts;
}

Effort ReadEffort(const std::string& text, const JsonFields& fields) {
  if (const auto effort = FindEffort(text)) return *effort;
  fields.Fail("effort", "unknown effort \"" + Shown(text) + "\"; it is one of " + EffortNames());
}

void ReadConditions(JsonFields fields, RouteRule* rule) {
  fields.Integer("min_characters", 0, kMaxCharacters, &rule->min_characters);
  fields.Integer("max_characters", 0, kMaxCharacters, &rule->max_characters);
  if (rule->min_characters > rule->max_characters) {
    fields.Fail("max_characters", "less than min_characters");
  }
  rule->tools = ReadToggle("tools", &fields);
  rule->thinking = ReadToggle("thinking", &fields);
  for (const std::string& keyword : ReadTexts("keywords", &fields)) {
    rule->keywords.push_back(LowerAscii(keyword));
  }
  for (const std::string& effort : ReadTexts("effort", &fields)) {
    rule->efforts.push_back(ReadEffort(effort, fields));
  }
  fields.RejectUnknown();
}

std::vector<Kind> ReadKinds(JsonFields* fields) {
  std::vector<Kind> kinds;
  const Json* list = fields->FindArray("escalate");
  if (list == nullptr) return {std::begin(kEscalate), std::end(kEscalate)};
  if (list->items.empty()) return {};
  for (const std::string& name : ReadTexts("escalate", fields)) {
    const std::optional<Kind> kind = FindFailureKind(name);
    if (!kind) fields->Fail("escalate", "unknown failure \"" + Shown(name) + "\"");
    if (Contains(kNeverEscalate, *kind)) {
      fields->Fail("escalate", "\"" + name + "\" is no reason to ask another service");
    }
    kinds.push_back(*kind);
  }
  return kinds;
}

bool SameTarget(const ModelTarget& a, const ModelTarget& b) {
  return a.provider == b.provider && a.model == b.model && a.with == b.with;
}

}  // namespace

Router::Router(std::vector<ModelTarget> chain, std::string_view rules_json,
               const ProviderTable& table, RefusedIds refused, MonotonicClock clock)
    : escalate_(std::begin(kEscalate), std::end(kEscalate)), clock_(std::move(clock)) {
  for (ModelTarget& target : chain) chain_.push_back(AddTarget(std::move(target)));
  if (!rules_json.empty()) ReadRules(rules_json, table, refused);
  rests_.resize(targets_.size());
}

size_t Router::AddTarget(ModelTarget target) {
  const auto found = std::find_if(targets_.begin(), targets_.end(), [&](const ModelTarget& other) {
    return SameTarget(other, target);
  });
  const size_t index = static_cast<size_t>(found - targets_.begin());
  if (found == targets_.end()) targets_.push_back(std::move(target));
  return index;
}

void Router::ReadRules(std::string_view json, const ProviderTable& table, RefusedIds refused) {
  // Rules are a file that an option names, whatever is wrong with them.
  const JsonSource source{.code = Code::kInvalidArgument, .document = "routing file"};
  const Json document = ParseJson(json, source);
  JsonFields fields(document, "", source);
  fields.Ignore("comment");
  escalate_ = ReadKinds(&fields);
  fields.Integer("cool_down_ms", 0, kMaxCoolDownMs, &cool_down_ms_);
  fields.Integer("most_cool_down_ms", 0, kMaxCoolDownMs, &most_cool_down_ms_);
  const Json* rules = fields.FindArray("rules");
  for (size_t row = 0; rules != nullptr && row < rules->items.size(); ++row) {
    JsonFields rule_fields = fields.Within(rules->items[row], fields.Path("rules", row));
    rule_fields.Ignore("comment");
    RouteRule rule;
    if (const Json* when = rule_fields.FindObject("when")) {
      ReadConditions(rule_fields.Within(*when, rule_fields.Path("when")), &rule);
    }
    for (const std::string& name : ReadTexts("use", &rule_fields)) {
      size_t target = 0;
      try {
        target = AddTarget(ResolveModel(name, table, refused));
      } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) throw;
        rule_fields.Fail("use", error.what());
      }
      if (Contains(rule.targets, target)) rule_fields.Fail("use", "a model is there twice");
      rule.targets.push_back(target);
    }
    if (rule.targets.empty()) rule_fields.Fail("use", "is missing");
    rule_fields.RejectUnknown();
    rules_.push_back(std::move(rule));
  }
  fields.RejectUnknown();
}

std::vector<size_t> Router::Order(const Request& request) const {
  const int64_t characters = rules_.empty() ? 0 : Characters(request);
  const auto rule = std::find_if(rules_.begin(), rules_.end(), [&](const RouteRule& candidate) {
    return Fits(candidate, request, characters);
  });
  std::vector<size_t> order = rule == rules_.end() ? chain_ : rule->targets;
  const int64_t now_ms = clock_();
  const std::lock_guard lock(mutex_);
  const auto resting_ms = [&](size_t target) {
    return std::max<int64_t>(rests_[target].until_ms - now_ms, 0);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return resting_ms(a) < resting_ms(b); });
  return order;
}

bool Router::TryNext(const Failure& failure) const { return Contains(escalate_, failure.kind); }

size_t Router::Next(const std::vector<size_t>& order, size_t position,
                    const Failure& failure) const {
  if (position >= order.size() || !TryNext(failure)) return order.size();
  const ModelTarget& failed = targets_[order[position]];
  const int64_t too_short = failure.limit > 0 ? failure.limit : failed.entry->context_tokens;
  for (size_t next = position + 1; next < order.size(); ++next) {
    const ModelTarget& target = targets_[order[next]];
    const int64_t context = target.entry->context_tokens;
    const bool of_account = failure.kind == Kind::kQuota || failure.kind == Kind::kAuthentication;
    if (of_account && target.provider == failed.provider) continue;
    if (failure.kind == Kind::kContextOverflow && context != 0 && context <= too_short) continue;
    return next;
  }
  return order.size();
}

void Router::ReportSuccess(size_t target) {
  const std::lock_guard lock(mutex_);
  rests_[target] = {};
}

void Router::ReportFailure(size_t target, const Failure& failure) {
  if (!Contains(kRest, failure.kind)) return;
  const int64_t now_ms = clock_();
  const std::lock_guard lock(mutex_);
  Rest& rest = rests_[target];
  const int64_t asked_ms = std::min(failure.retry_after_ms, most_cool_down_ms_);
  // Requests that fail together count once: they were sent before the rest began.
  if (now_ms >= rest.until_ms) {
    const int64_t length_ms = rest.failures == 0 ? cool_down_ms_ : rest.length_ms * 2;
    rest.length_ms = std::min(length_ms, most_cool_down_ms_);
    rest.until_ms = now_ms + rest.length_ms;
    ++rest.failures;
  }
  rest.until_ms = std::max(rest.until_ms, now_ms + asked_ms);
}

Router::Health Router::HealthOf(size_t target) const {
  const int64_t now_ms = clock_();
  const std::lock_guard lock(mutex_);
  const Rest& rest = rests_[target];
  return {.failures = rest.failures, .resting_ms = std::max<int64_t>(rest.until_ms - now_ms, 0)};
}

}  // namespace finback
