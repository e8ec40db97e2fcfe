#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "capi/boundary.h"
#include "capi/handles.h"

namespace {

enum Option : size_t {
#define FINBACK_OPTION(enumerator, ...) enumerator,
#include "capi/options.inc"
#undef FINBACK_OPTION
  kOptionCount
};

struct OptionRow {
  const char *name, *type, *default_value, *minimum, *maximum, *choices;
};

constexpr OptionRow kRows[] = {
#define FINBACK_ANY "", "", ""
#define FINBACK_RANGE(low, high) low, high, ""
#define FINBACK_CHOICES(list) "", "", list
#define FINBACK_OPTION(enumerator, name, type, default_value, bounds, doc) \
  {name, type, default_value, bounds},
#include "capi/options.inc"
#undef FINBACK_ANY
#undef FINBACK_RANGE
#undef FINBACK_CHOICES
#undef FINBACK_OPTION
};

// The same rows as JSON, pasted together by the compiler: nothing to allocate or free.
constexpr const char* kDescriptions[] = {
#define FINBACK_ANY ""
#define FINBACK_RANGE(low, high) ", \"min\": " low ", \"max\": " high
#define FINBACK_CHOICES(list) ", \"choices\": " list
#define FINBACK_OPTION(enumerator, name, type, default_value, bounds, doc)                     \
  "{\"name\": \"" name "\", \"type\": \"" type "\", \"default\": \"" default_value "\"" bounds \
  ", \"doc\": \"" doc "\"}",
#include "capi/options.inc"
#undef FINBACK_ANY
#undef FINBACK_RANGE
#undef FINBACK_CHOICES
#undef FINBACK_OPTION
};

}  // namespace

struct finback_options {
  std::string values[kOptionCount];
  finback_progress_fn progress = nullptr;
  void* progress_data = nullptr;
  finback_log_fn log = nullptr;
  void* log_data = nullptr;
};

namespace finback {
namespace {

size_t FindOption(const char* name) {
  for (size_t i = 0; i < kOptionCount; ++i) {
    if (strcmp(kRows[i].name, name) == 0) return i;
  }
  Throw(Code::kNotFound, "no option named \"%s\"", name);
}

// False when `text` is not a decimal integer that fits.
bool ParseInteger(std::string_view text, int64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && !text.empty();
}

int64_t IntegerOf(std::string_view text) {
  int64_t value = 0;
  ParseInteger(text, &value);
  return value;
}

// The value as it is kept: switches are "0" or "1".
std::string CheckedValue(const OptionRow& row, const char* value) {
  const std::string_view type = row.type;
  if (type == "integer") {
    int64_t integer = 0;
    if (!ParseInteger(value, &integer) || integer < IntegerOf(row.minimum) ||
        integer > IntegerOf(row.maximum)) {
      Throw(Code::kInvalidArgument, "option %s: must be an integer from %s to %s, got \"%s\"",
            row.name, row.minimum, row.maximum, value);
    }
  } else if (type == "switch") {
    const std::string_view text = value;
    if (text == "1" || text == "true") return "1";
    if (text == "0" || text == "false") return "0";
    Throw(Code::kInvalidArgument, "option %s: must be 0 (false) or 1 (true), got \"%s\"", row.name,
          value);
  } else if (type == "choice") {
    const std::string quoted = std::string("\"") + value + "\"";
    if (std::string_view(row.choices).find(quoted) == std::string_view::npos) {
      Throw(Code::kInvalidArgument, "option %s: must be one of %s, got \"%s\"", row.name,
            row.choices, value);
    }
  }
  return value;
}

// The place of a choice's value in its list, as the enumerator of the same place.
template <typename Enum>
Enum ChoiceOf(const std::string* values, Option option) {
  const std::string_view choices = kRows[option].choices;
  const size_t at = choices.find("\"" + values[option] + "\"");
  size_t place = 0;
  for (size_t i = 0; i < at; ++i) place += choices[i] == ',' ? 1 : 0;
  return static_cast<Enum>(place);
}

ServiceOptions ToServiceOptions(const std::string* values) {
  ServiceOptions out;
  out.base_url = values[kBaseUrl];
  out.wire_format = values[kWireFormat] == "auto" ? "" : values[kWireFormat];
  out.api_key = values[kApiKey];
  out.providers_file = values[kProvidersFile];
  out.prices_file = values[kPricesFile];
  out.calendar_file = values[kCalendarFile];
  out.routing_file = values[kRoutingFile];
  out.translate_models = values[kTranslateModels] == "1";
  out.replay_reasoning = ChoiceOf<ReplayReasoning>(values, kReplayReasoning);
  out.forced_tools = ChoiceOf<ForcedTools>(values, kForcedTools);
  out.markup_rescue = ChoiceOf<MarkupRescue>(values, kMarkupRescue);
  out.stream = values[kServiceStream] == "1";
  out.schema_repairs = static_cast<int32_t>(IntegerOf(values[kSchemaRepairs]));
  out.proxy = values[kProxy];
  out.environment_proxy = values[kEnvironmentProxy] == "1";
  out.ca_file = values[kCaFile];
  out.http_headers = values[kHttpHeaders];
  out.connect_timeout_ms = IntegerOf(values[kConnectTimeoutMs]);
  out.first_token_timeout_ms = IntegerOf(values[kFirstTokenTimeoutMs]);
  out.idle_timeout_ms = IntegerOf(values[kIdleTimeoutMs]);
  out.total_timeout_ms = IntegerOf(values[kTotalTimeoutMs]);
  out.max_retries = static_cast<int32_t>(IntegerOf(values[kMaxRetries]));
  out.max_concurrency = static_cast<int32_t>(IntegerOf(values[kMaxConcurrency]));
  out.ledger = values[kLedger];
  out.ledger_user = values[kLedgerUser];
  out.ledger_tag = values[kLedgerTag];
  out.budget = values[kBudget];
  out.budget_period = ChoiceOf<BudgetPeriod>(values, kBudgetPeriod);
  out.budget_scope = ChoiceOf<BudgetScope>(values, kBudgetScope);
  out.unknown_price = ChoiceOf<UnknownPrice>(values, kUnknownPrice);
  out.record = values[kRecord];
  out.replay = values[kReplay];
  return out;
}

}  // namespace

EngineOptions ToEngineOptions(const finback_options& options) {
  EngineOptions out;
  const auto& values = options.values;
  out.model = values[kModel];
  out.precision = values[kPrecision] == "bf16"      ? PrecisionChoice::kBf16
                  : values[kPrecision] == "float32" ? PrecisionChoice::kFloat32
                                                    : PrecisionChoice::kPublished;
  out.threads = static_cast<int>(IntegerOf(values[kThreads]));
  out.context_tokens = IntegerOf(values[kContextTokens]);
  out.chunk_tokens = static_cast<int32_t>(IntegerOf(values[kChunkTokens]));
  out.memory_budget_bytes = static_cast<uint64_t>(IntegerOf(values[kMemoryBudgetBytes]));
  out.effort_ladder = values[kEffortLadder] == "preview" ? LadderChoice::kPreview
                      : values[kEffortLadder] == "0731"  ? LadderChoice::k0731
                                                         : LadderChoice::kAuto;
  out.trust_all = values[kTrustAll] == "1";
  out.restore_points = static_cast<int32_t>(IntegerOf(values[kRestorePoints]));
  out.service = ToServiceOptions(values);
  if (options.progress != nullptr) {
    out.progress = [function = options.progress, data = options.progress_data](
                       const char* phase, uint64_t done, uint64_t total) {
      return function(phase, done, total, data) == 0;
    };
  }
  if (options.log != nullptr) {
    out.log = [function = options.log, data = options.log_data](LogLevel level,
                                                                const char* message) {
      function(static_cast<int32_t>(level), message, data);
    };
  }
  return out;
}

}  // namespace finback

using finback::Code;
using finback::Guard;
using finback::GuardStatus;
using finback::Require;

finback_options* finback_options_new(void) {
  return Guard<finback_options*>(nullptr, [] {
    auto options = std::make_unique<finback_options>();
    for (size_t i = 0; i < kOptionCount; ++i) options->values[i] = kRows[i].default_value;
    return options.release();
  });
}

finback_status finback_options_set(finback_options* self, const char* name, const char* value) {
  return GuardStatus([&] {
    Require(self, "self");
    const size_t option = finback::FindOption(&Require(name, "name"));
    self->values[option] = finback::CheckedValue(kRows[option], &Require(value, "value"));
  });
}

const char* finback_options_get(const finback_options* self, const char* name) {
  return Guard<const char*>(nullptr, [&] {
    Require(self, "self");
    return self->values[finback::FindOption(&Require(name, "name"))].c_str();
  });
}

size_t finback_options_count(void) {
  finback::ClearLastError();
  return kOptionCount;
}

const char* finback_options_describe(size_t index) {
  return Guard<const char*>(nullptr, [&]() -> const char* {
    if (index >= kOptionCount) {
      finback::Throw(Code::kInvalidArgument, "index %zu is not below %zu", index,
                     static_cast<size_t>(kOptionCount));
    }
    return kDescriptions[index];
  });
}

finback_status finback_options_set_progress(finback_options* self, finback_progress_fn progress,
                                            void* user_data) {
  return GuardStatus([&] {
    Require(self, "self");
    self->progress = progress;
    self->progress_data = user_data;
  });
}

finback_status finback_options_set_log(finback_options* self, finback_log_fn log, void* user_data) {
  return GuardStatus([&] {
    Require(self, "self");
    self->log = log;
    self->log_data = user_data;
  });
}

void finback_options_free(finback_options* self) { delete self; }
