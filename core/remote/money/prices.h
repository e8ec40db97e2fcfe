// What tokens cost: a history of prices per service and model as data (data/prices.json), with the
// calendars of peak hours (data/calendar.json). What is not in the table is not known, never zero.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/event.h"
#include "core/json/json.h"
#include "core/remote/money/dollars.h"
#include "core/remote/money/peak_calendar.h"

namespace finback {

enum class Tariff : uint8_t { kFlat, kOffPeak, kPeak };
const char* TariffName(Tariff tariff);  // "flat", "off_peak", "peak"

struct Price {
  static constexpr int64_t kUnknown = -1;
  int64_t hit_pico = kUnknown;  // pico-dollars per token: $0.003625 per million is 3625
  int64_t miss_pico = 0, output_pico = 0;
  int64_t cache_write_pico = kUnknown;  // kUnknown: billed as a miss
  Tariff tariff = Tariff::kFlat;
  bool calendar_known = true;  // false: the holidays of that year are not known
  std::string source;
};

struct Cost {
  bool known = false;
  int64_t pico = 0;                  // 0 unless known
  std::string tariff;                // at the instant of sending; "": no price
  bool tariff_ambiguous = false;     // the price changed between sending and end
  bool calendar_known = true;        // as in Price
  bool counts_disagree = false;      // more cached tokens than prompt tokens; the former count
  const char* unknown_because = "";  // "" if known
};

// The most that a request may cost, to be reserved before it is sent.
struct WorstCase {
  int64_t pico = -1;        // -1: no price is known, and no ceiling set
  bool is_ceiling = false;  // from the user's ceiling, for want of a price
};

// Immutable; any thread.
class PriceTable {
 public:
  // The built-in rows, with those of a user's files of the same form before them. Either may be
  // empty. Throws Error(kInvalidArgument) naming the row and field.
  static PriceTable Load(std::string_view user_prices_json, std::string_view user_calendar_json);

  // What a service's prices stand under: its own name where rows have it, else the shared key.
  std::string_view KeyOf(std::string_view provider, std::string_view shared, std::string_view model,
                         int64_t unix_ms) const;
  // The price in force at an instant. `provider` is what KeyOf gives.
  std::optional<Price> Find(std::string_view provider, std::string_view model,
                            int64_t unix_ms) const;
  // The cost by the table; what the service reports of itself is the caller's to prefer.
  Cost PriceOf(const Usage& usage, std::string_view provider, std::string_view model,
               int64_t sent_ms, int64_t ended_ms) const;
  // No hit of the cache, the dearest tariff, all the output. Counts below zero are zero.
  WorstCase WorstCaseOf(std::string_view provider, std::string_view model, int64_t unix_ms,
                        int64_t prompt_tokens, int64_t max_tokens) const;

 private:
  enum class Owner : uint8_t { kBuiltIn, kUser };
  struct Span {
    int64_t from_ms, to_ms;  // [from, to)
    bool Holds(int64_t unix_ms) const { return from_ms <= unix_ms && unix_ms < to_ms; }
  };
  struct Row {
    Owner owner = Owner::kBuiltIn;
    std::string provider, model;  // patterns
    Span valid{};
    std::string calendar;  // "": the provider's
    Price price;
  };
  struct Alias {
    std::string provider, model, billed_as;
    Span valid{};
  };

  void AddPrices(std::string_view text, const char* what, Owner owner);
  void AddCalendars(std::string_view text, const char* what);
  const PeakCalendar& CalendarOf(const Row& row, std::string_view provider) const;
  // The row of the model, or of what it is billed as; nullptr: none.
  const Row* RowFor(std::string_view provider, std::string_view model, int64_t unix_ms) const;
  // The row in force under that tariff; nullptr: none.
  const Row* FindRow(std::string_view provider, std::string_view model, int64_t unix_ms,
                     std::optional<Tariff> only) const;
  std::string_view BilledAs(std::string_view provider, std::string_view model,
                            int64_t unix_ms) const;
  bool ChangesWithin(std::string_view provider, std::string_view model, int64_t begin_ms,
                     int64_t end_ms) const;

  std::vector<Row> rows_;       // a user's last
  std::vector<Alias> aliases_;  // first match holds; a user's first
  std::map<std::string, PeakCalendar, std::less<>> calendars_;
  PeakCalendar no_calendar_;
  std::optional<Price> ceiling_;
};

}  // namespace finback
