// When a service's peak tariff applies: hours of working days, both in UTC.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json_fields.h"

namespace finback {

inline constexpr int64_t kDayMs = 86'400'000;

// "2026-09-10" or "2026-09-10T04:00:00Z" as Unix milliseconds; nothing when it is neither.
std::optional<int64_t> ParseUtc(std::string_view text);

// The first instant of the UTC month that `unix_ms` lies in.
int64_t MonthStart(int64_t unix_ms);

class PeakCalendar {
 public:
  // Takes over the fields that there are; holidays and make-up days replace those of the same
  // years. Throws the error of `fields`.
  void Merge(JsonFields fields);

  // Hours are [start, end). In a year without holidays every working day has its peak.
  bool IsPeak(int64_t unix_ms) const;
  // Whether the holidays of that year are known.
  bool Knows(int64_t unix_ms) const;
  // Appends the beginnings and ends of peak hours in (begin_ms, end_ms], those of sixteen days at
  // most: by then every tariff was met.
  void AppendEdges(int64_t begin_ms, int64_t end_ms, std::vector<int64_t>* edges) const;

 private:
  struct Hours {
    int64_t begin_ms, end_ms;  // since midnight
  };
  struct Days {
    int64_t first, last;  // since 1970
  };
  struct Year {
    int64_t year = 0;
    bool has_holidays = false;
    std::vector<Days> holidays, make_up_days;
  };
  const Year* Find(int64_t day) const;
  Year& Ensure(int64_t year);
  bool IsWorkingDay(int64_t day) const;
  void MergeYears(const char* member, JsonFields* fields, std::vector<Days> Year::*days);

  std::vector<Hours> peak_hours_;
  std::array<bool, 7> weekdays_{};  // from Monday
  bool make_up_days_peak_ = false;
  std::vector<Year> years_;
};

}  // namespace finback
