// How hard a model is to think, and the words for it, which requests, routes, tables of
// services and services share. Includes nothing of Finback, so that the rooms beside this one
// may include it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finback {

enum class Effort : uint8_t { kDefault, kLow, kHigh, kMax };

struct EffortLevel {
  std::string_view name;
  Effort effort;
};
inline constexpr EffortLevel kEffortLevels[] = {
    {"low", Effort::kLow}, {"high", Effort::kHigh}, {"max", Effort::kMax}};

// Where an effort is named, the word for no thinking at all.
inline constexpr std::string_view kNoEffort = "none";

constexpr std::optional<Effort> FindEffort(std::string_view name) {
  for (const EffortLevel& level : kEffortLevels) {
    if (level.name == name) return level.effort;
  }
  return std::nullopt;
}

// The default is high.
constexpr std::string_view EffortName(Effort effort) {
  for (const EffortLevel& level : kEffortLevels) {
    if (level.effort == effort) return level.name;
  }
  return EffortName(Effort::kHigh);
}

// The most tokens of a chat's answer when a request does not say, as DeepSeek's services have it:
// a request then ends alike wherever it is answered.
constexpr int64_t DefaultMaxTokens(bool thinking, Effort effort) {
  if (!thinking) return 8192;
  return effort == Effort::kMax ? 131072 : 65536;
}

// "low, high, max", for messages.
inline std::string EffortNames() {
  std::string names;
  for (const EffortLevel& level : kEffortLevels) {
    names.append(names.empty() ? "" : ", ").append(level.name);
  }
  return names;
}

}  // namespace finback
