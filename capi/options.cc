#include <charconv>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "core/base/utf8.h"

namespace {

struct OptionRow {
  const char *name, *type, *default_value, *minimum, *maximum, *choices;
};

constexpr OptionRow kRows[] = {
#define FINBACK_ANY "", "", ""
#define FINBACK_RANGE(low, high) low, high, ""
#define FINBACK_CHOICES(list) "", "", list
#define FINBACK_OPTION(member, name, type, default_value, bounds, doc) \
  {name, type, default_value, bounds},
#include "capi/options.inc"
#undef FINBACK_ANY
#undef FINBACK_RANGE
#undef FINBACK_CHOICES
#undef FINBACK_OPTION
};
constexpr size_t kOptionCount = std::size(kRows);

// The same rows as JSON, pasted together by the compiler: nothing to allocate or free.
constexpr const char* kDescriptions[] = {
#define FINBACK_ANY ""
#define FINBACK_RANGE(low, high) ", \"min\": " low ", \"max\": " high
#define FINBACK_CHOICES(list) ", \"choices\": " list
#define FINBACK_OPTION(member, name, type, default_value, bounds, doc)                         \
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

// kOptionCount when there is none of that name.
constexpr size_t FindRow(std::string_view name) {
  size_t i = 0;
  while (i < kOptionCount && kRows[i].name != name) ++i;
  return i;
}

size_t FindOption(const char* name) {
  const size_t i = FindRow(name);
  if (i == kOptionCount) Throw(Code::kNotFound, "no option named \"%s\"", name);
  return i;
}

constexpr int64_t BoundOf(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  int64_t value = 0;
  for (const char digit : digits) value = 10 * value + (digit - '0');
  return negative ? -value : value;
}

// False when `text` is not a decimal integer that fits.
bool ParseInteger(std::string_view text, int64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && !text.empty();
}

// The place of a value in a JSON list of texts without escapes; -1 when it is not in it.
int32_t ChoicePlace(std::string_view choices, std::string_view value) {
  int32_t place = 0;
  for (size_t begin = choices.find('"'); begin != std::string_view::npos; ++place) {
    const size_t end = choices.find('"', begin + 1);
    if (choices.substr(begin + 1, end - begin - 1) == value) return place;
    begin = choices.find('"', end + 1);
  }
  return -1;
}

// The value as it is kept: switches are "0" or "1".
std::string CheckedValue(const OptionRow& row, const char* value) {
  const std::string_view type = row.type;
  if (type == "integer") {
    int64_t integer = 0;
    if (!ParseInteger(value, &integer) || integer < BoundOf(row.minimum) ||
        integer > BoundOf(row.maximum)) {
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
    if (ChoicePlace(row.choices, value) < 0) {
      Throw(Code::kInvalidArgument, "option %s: must be one of %s, got \"%s\"", row.name,
            row.choices, value);
    }
  }
  return value;
}

// Whether a member can hold every value that its row allows.
template <typename Member>
constexpr bool Holds(const OptionRow& row) {
  const std::string_view type = row.type;
  if (std::is_same_v<Member, std::string>) return type == "string" || type == "choice";
  if (std::is_same_v<Member, bool>) return type == "switch";
  if (std::is_enum_v<Member>) return type == "choice";
  if constexpr (std::is_integral_v<Member> && !std::is_same_v<Member, bool>) {
    return type == "integer" && std::in_range<Member>(BoundOf(row.minimum)) &&
           std::in_range<Member>(BoundOf(row.maximum));
  }
  return false;
}

// `value` has passed CheckedValue().
template <typename Member>
void ReadMember(const OptionRow& row, const std::string& value, Member* member) {
  if constexpr (std::is_same_v<Member, std::string>) {
    *member = value;
  } else if constexpr (std::is_same_v<Member, bool>) {
    *member = value == "1";
  } else if constexpr (std::is_enum_v<Member>) {
    *member = static_cast<Member>(ChoicePlace(row.choices, value));
  } else {
    int64_t integer = 0;
    ParseInteger(value, &integer);
    *member = static_cast<Member>(integer);
  }
}

}  // namespace

EngineOptions ToEngineOptions(const finback_options& options) {
  EngineOptions out;
#define FINBACK_OPTION(member, name, ...)                                                      \
  static_assert(Holds<decltype(EngineOptions::member)>(kRows[FindRow(name)]), "option " name); \
  ReadMember(kRows[FindRow(name)], options.values[FindRow(name)], &out.member);
#include "capi/options.inc"
#undef FINBACK_OPTION
  if (options.progress != nullptr) {
    out.progress = [function = options.progress, data = options.progress_data](
                       const char* phase, uint64_t done, uint64_t total) {
      return function(phase, done, total, data) == 0;
    };
  }
  if (options.log != nullptr) {
    out.log = [function = options.log, data = options.log_data](LogLevel level,
                                                                const char* message) {
      // A line may name a path, which need not be UTF-8.
      function(static_cast<int32_t>(level), ValidUtf8(message).c_str(), data);
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
