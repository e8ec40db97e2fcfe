#include "core/remote/money/peak_calendar.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr int64_t kMinuteMs = 60000;
constexpr int64_t kLastDay = 2'932'896;  // 9999-12-31
constexpr const char* kWeekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

int64_t FloorDay(int64_t unix_ms) { return unix_ms / kDayMs - (unix_ms % kDayMs < 0 ? 1 : 0); }

std::chrono::year_month_day DateOf(int64_t day) {
  const int64_t within = std::clamp<int64_t>(day, 0, kLastDay);
  return std::chrono::sys_days(std::chrono::days(static_cast<int>(within)));
}

// A number of exactly `text.size()` digits, or -1.
int ReadDigits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Whether `text` looks like `form`, where 0 stands for a digit.
bool HasForm(std::string_view text, std::string_view form) {
  return std::equal(text.begin(), text.end(), form.begin(), form.end(), [](char c, char expected) {
    return expected == '0' ? c >= '0' && c <= '9' : c == expected;
  });
}

std::optional<int64_t> ParseDay(std::string_view text) {
  if (!HasForm(text, "0000-00-00")) return std::nullopt;
  const std::chrono::year_month_day date(
      std::chrono::year(ReadDigits(text.substr(0, 4))),
      std::chrono::month(static_cast<unsigned>(ReadDigits(text.substr(5, 2)))),
      std::chrono::day(static_cast<unsigned>(ReadDigits(text.substr(8, 2)))));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

// "HH:MM" as milliseconds; 24:00 is the day's end.
std::optional<int64_t> ParseHour(std::string_view text) {
  if (!HasForm(text, "00:00")) return std::nullopt;
  const int hour = ReadDigits(text.substr(0, 2)), minute = ReadDigits(text.substr(3, 2));
  if (minute > 59 || hour * 60 + minute > 24 * 60) return std::nullopt;
  return (hour * 60 + minute) * kMinuteMs;
}

const std::string& StringAt(const JsonFields& fields, const Json& value, const std::string& path) {
  if (!value.IsString()) {
    fields.FailAtPath(path, Format("expected a string, found %s", KindName(value)));
  }
  return value.text;
}

}  // namespace

std::optional<int64_t> ParseUtc(std::string_view text) {
  const std::optional<int64_t> day = ParseDay(text.substr(0, 10));
  if (!day) return std::nullopt;
  if (text.size() == 10) return *day * kDayMs;
  if (!HasForm(text.substr(10), "T00:00:00Z")) return std::nullopt;
  const std::optional<int64_t> hour = ParseHour(text.substr(11, 5));
  const int second = ReadDigits(text.substr(17, 2));
  if (!hour || *hour == kDayMs || second > 59) return std::nullopt;
  return *day * kDayMs + *hour + second * 1000;
}

int64_t MonthStart(int64_t unix_ms) {
  const std::chrono::year_month_day date = DateOf(FloorDay(unix_ms));
  const std::chrono::sys_days first(date.year() / date.month() / 1);
  return first.time_since_epoch().count() * kDayMs;
}

void PeakCalendar::Merge(JsonFields fields) {
  fields.Ignore("comment");
  fields.Ignore("source");
  if (const Json* hours = fields.FindArray("peak_hours_utc")) {
    peak_hours_.clear();
    for (size_t i = 0; i < hours->items.size(); ++i) {
      const Json& pair = hours->items[i];
      const std::string at = fields.Path("peak_hours_utc", i);
      if (!pair.IsArray() || pair.items.size() != 2)
        fields.FailAtPath(at, "expected [\"HH:MM\", \"HH:MM\"]");
      const auto begin = ParseHour(StringAt(fields, pair.items[0], at));
      const auto end = ParseHour(StringAt(fields, pair.items[1], at));
      if (!begin || !end || *begin >= *end) {
        fields.FailAtPath(at, "expected two times of one day, the earlier first");
      }
      peak_hours_.push_back({*begin, *end});
    }
  }
  if (const Json* days = fields.FindArray("weekdays")) {
    weekdays_ = {};
    for (size_t i = 0; i < days->items.size(); ++i) {
      const std::string at = fields.Path("weekdays", i);
      const auto name = std::find(std::begin(kWeekdays), std::end(kWeekdays),
                                  StringAt(fields, days->items[i], at));
      if (name == std::end(kWeekdays))
        fields.FailAtPath(at, "expected mon, tue, wed, thu, fri, sat or sun");
      weekdays_[name - std::begin(kWeekdays)] = true;
    }
  }
  MergeYears("holidays", &fields, &Year::holidays);
  MergeYears("make_up_days", &fields, &Year::make_up_days);
  make_up_days_peak_ = fields.Bool("make_up_days_are_peak", make_up_days_peak_);
  fields.RejectUnknown();
}

void PeakCalendar::MergeYears(const char* member, JsonFields* fields,
                              std::vector<Days> Year::*days) {
  const Json* years = fields->FindObject(member);
  if (years == nullptr) return;
  for (const auto& [name, list] : years->members) {
    const std::string at_year = fields->Path(member) + "." + Shown(name);
    if (!HasForm(name, "0000")) fields->FailAtPath(at_year, "expected a year");
    if (!list.IsArray()) fields->FailAtPath(at_year, "expected a list of days");
    Year& year = Ensure(ReadDigits(name));
    (year.*days).clear();
    if (days == &Year::holidays) year.has_holidays = true;
    for (size_t i = 0; i < list.items.size(); ++i) {
      const std::string at = Format("%s[%zu]", at_year.c_str(), i);
      const std::string_view text = StringAt(*fields, list.items[i], at);
      const size_t dots = text.find("..");
      const auto first = ParseDay(text.substr(0, dots));
      const auto last = dots == text.npos ? first : ParseDay(text.substr(dots + 2));
      if (!first || !last || *first > *last) {
        fields->FailAtPath(at, "expected \"YYYY-MM-DD\" or \"YYYY-MM-DD..YYYY-MM-DD\"");
      }
      if (Find(*first) != &year || Find(*last) != &year)
        fields->FailAtPath(at, "not of year " + name);
      (year.*days).push_back({*first, *last});
    }
  }
}

PeakCalendar::Year& PeakCalendar::Ensure(int64_t year) {
  for (Year& known : years_) {
    if (known.year == year) return known;
  }
  years_.emplace_back().year = year;
  return years_.back();
}

const PeakCalendar::Year* PeakCalendar::Find(int64_t day) const {
  const int64_t year = static_cast<int>(DateOf(day).year());
  for (const Year& known : years_) {
    if (known.year == year) return &known;
  }
  return nullptr;
}

bool PeakCalendar::IsWorkingDay(int64_t day) const {
  const auto holds = [day](const std::vector<Days>& list) {
    return std::any_of(list.begin(), list.end(),
                       [day](const Days& days) { return days.first <= day && day <= days.last; });
  };
  const Year* year = Find(day);
  if (year != nullptr && holds(year->holidays)) return false;
  if (year != nullptr && make_up_days_peak_ && holds(year->make_up_days)) return true;
  const int64_t from_monday = ((day + 3) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
  return weekdays_[from_monday];
}

bool PeakCalendar::IsPeak(int64_t unix_ms) const {
  const int64_t day = FloorDay(unix_ms), time = unix_ms - day * kDayMs;
  const bool in_hours = std::any_of(
      peak_hours_.begin(), peak_hours_.end(),
      [time](const Hours& hours) { return hours.begin_ms <= time && time < hours.end_ms; });
  return in_hours && IsWorkingDay(day);
}

bool PeakCalendar::Knows(int64_t unix_ms) const {
  const Year* year = Find(FloorDay(unix_ms));
  return year != nullptr && year->has_holidays;
}

void PeakCalendar::AppendEdges(int64_t begin_ms, int64_t end_ms,
                               std::vector<int64_t>* edges) const {
  constexpr int64_t kMaxDays = 16;  // longer than any run of holidays
  const int64_t first = FloorDay(begin_ms);
  const int64_t last = std::min(FloorDay(end_ms), first + kMaxDays);
  for (int64_t day = first; day <= last; ++day) {
    for (const Hours& hours : peak_hours_) {
      for (const int64_t time : {hours.begin_ms, hours.end_ms}) {
        const int64_t edge = day * kDayMs + time;
        if (edge > begin_ms && edge <= end_ms) edges->push_back(edge);
      }
    }
  }
}

}  // namespace finback
