#include "core/remote/money/prices.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <utility>

#include "core/base/ascii.h"
#include "core/json/json_fields.h"
#include "core/remote/money/data/data.h"

namespace finback {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr int64_t kAlways = std::numeric_limits<int64_t>::min();
constexpr int64_t kTokensPerPrice = 1'000'000;
constexpr const char* kTariffNames[] = {"flat", "off_peak", "peak"};

// A table is a file that an option names, whatever is wrong with it.
JsonSource TableSource(const char* what) {
  return {.code = Code::kInvalidArgument, .document = what};
}

// Dollars per million tokens as pico-dollars per token.
int64_t ReadPrice(JsonFields* fields, const char* name, int64_t fallback) {
  const Json* value = fields->Find(name);
  if (value == nullptr) return fallback;
  if (!value->IsString() && !value->IsNumber()) {
    fields->Fail(name, Format("expected dollars per million tokens, found %s", KindName(*value)));
  }
  const std::optional<int64_t> pico = ParseDollars(value->text);
  if (!pico || *pico < 0)
    fields->Fail(name, "not an amount of dollars: \"" + Shown(value->text) + "\"");
  if (*pico % kTokensPerPrice != 0) fields->Fail(name, "finer than a pico-dollar per token");
  return *pico / kTokensPerPrice;
}

int64_t RequirePrice(JsonFields* fields, const char* name) {
  const int64_t price = ReadPrice(fields, name, Price::kUnknown);
  if (price == Price::kUnknown) fields->Fail(name, "is missing");
  return price;
}

std::string RequireText(JsonFields* fields, const char* name) {
  const std::string* text = fields->FindString(name);
  if (text == nullptr || text->empty()) fields->Fail(name, "is missing");
  return *text;
}

std::string TextOr(JsonFields* fields, const char* name, const char* fallback) {
  const std::string* text = fields->FindString(name);
  return text == nullptr ? fallback : *text;
}

int64_t ReadInstant(JsonFields* fields, const char* name, int64_t fallback) {
  const std::string* text = fields->FindString(name);
  if (text == nullptr) return fallback;
  const std::optional<int64_t> instant = ParseUtc(*text);
  if (!instant) {
    fields->Fail(name, "expected \"YYYY-MM-DD\" or \"YYYY-MM-DDTHH:MM:SSZ\", found \"" +
                           Shown(*text) + "\"");
  }
  return *instant;
}

Tariff ReadTariff(JsonFields* fields) {
  const std::string name = TextOr(fields, "tariff", "flat");
  const auto found = std::find(std::begin(kTariffNames), std::end(kTariffNames), name);
  if (found == std::end(kTariffNames)) {
    fields->Fail("tariff", "expected flat, off_peak or peak, found \"" + Shown(name) + "\"");
  }
  return static_cast<Tariff>(found - std::begin(kTariffNames));
}

bool SameMoney(const Price& a, const Price& b) {
  const auto money = [](const Price& price) {
    return std::tie(price.hit_pico, price.miss_pico, price.output_pico, price.cache_write_pico);
  };
  return money(a) == money(b);
}

// Adds count * price, unless that does not fit.
bool Charge(int64_t count, int64_t price, int64_t* sum) {
  int64_t product = 0;
  return !__builtin_mul_overflow(count, price, &product) &&
         !__builtin_add_overflow(*sum, product, sum);
}

}  // namespace

const char* TariffName(Tariff tariff) { return kTariffNames[static_cast<size_t>(tariff)]; }

PriceTable PriceTable::Load(std::string_view user_prices_json,
                            std::string_view user_calendar_json) {
  PriceTable table;
  table.AddCalendars(kCalendarJson, "built-in calendar");
  table.AddPrices(kPricesJson, "built-in prices", Owner::kBuiltIn);
  if (!user_calendar_json.empty()) table.AddCalendars(user_calendar_json, "calendar file");
  if (!user_prices_json.empty()) table.AddPrices(user_prices_json, "price file", Owner::kUser);
  return table;
}

void PriceTable::AddCalendars(std::string_view text, const char* what) {
  const JsonSource source = TableSource(what);
  const Json document = ParseJson(text, source);
  JsonFields fields(document, "", source);
  fields.Ignore("comment");
  if (const Json* calendars = fields.FindObject("calendars")) {
    for (const auto& [name, object] : calendars->members) {
      calendars_[name].Merge(fields.Within(object, "calendars." + Shown(name)));
    }
  }
  fields.RejectUnknown();
}

void PriceTable::AddPrices(std::string_view text, const char* what, Owner owner) {
  const JsonSource source = TableSource(what);
  const Json document = ParseJson(text, source);
  JsonFields fields(document, "", source);
  fields.Ignore("comment");
  if (const Json* list = fields.FindArray("prices")) {
    for (size_t i = 0; i < list->items.size(); ++i) {
      JsonFields row = fields.Within(list->items[i], fields.Path("prices", i));
      row.Ignore("comment");
      Row& added = rows_.emplace_back();
      added.owner = owner;
      added.provider = RequireText(&row, "provider");
      added.model = RequireText(&row, "model");
      added.valid = {ReadInstant(&row, "valid_from", kAlways),
                     ReadInstant(&row, "valid_to", kForever)};
      added.calendar = TextOr(&row, "calendar", "");
      added.price.tariff = ReadTariff(&row);
      added.price.hit_pico = ReadPrice(&row, "hit", Price::kUnknown);
      added.price.miss_pico = RequirePrice(&row, "miss");
      added.price.output_pico = RequirePrice(&row, "output");
      added.price.cache_write_pico = ReadPrice(&row, "cache_write", Price::kUnknown);
      added.price.source = TextOr(&row, "source", owner == Owner::kUser ? "user" : "");
      row.RejectUnknown();
    }
  }
  if (const Json* list = fields.FindArray("aliases")) {
    std::vector<Alias> aliases;
    for (size_t i = 0; i < list->items.size(); ++i) {
      JsonFields row = fields.Within(list->items[i], fields.Path("aliases", i));
      row.Ignore("comment");
      row.Ignore("source");
      aliases.push_back(
          {RequireText(&row, "provider"),
           RequireText(&row, "model"),
           RequireText(&row, "billed_as"),
           {ReadInstant(&row, "valid_from", kAlways), ReadInstant(&row, "valid_to", kForever)}});
      row.RejectUnknown();
    }
    aliases_.insert(aliases_.begin(), aliases.begin(), aliases.end());
  }
  if (const Json* object = fields.FindObject("ceiling")) {
    JsonFields ceiling = fields.Within(*object, "ceiling");
    ceiling_.emplace();
    ceiling_->miss_pico = RequirePrice(&ceiling, "input");
    ceiling_->output_pico = RequirePrice(&ceiling, "output");
    ceiling.RejectUnknown();
  }
  fields.RejectUnknown();
}

const PeakCalendar& PriceTable::CalendarOf(const Row& row, std::string_view provider) const {
  const auto found = calendars_.find(row.calendar.empty() ? provider : row.calendar);
  return found == calendars_.end() ? no_calendar_ : found->second;
}

const PriceTable::Row* PriceTable::FindRow(std::string_view provider, std::string_view model,
                                           int64_t unix_ms, std::optional<Tariff> only) const {
  const Row* best = nullptr;
  for (const Row& row : rows_) {
    if (!row.valid.Holds(unix_ms) || !MatchesWildcard(row.provider, provider) ||
        !MatchesWildcard(row.model, model)) {
      continue;
    }
    if (only ? row.price.tariff != *only
             : row.price.tariff != Tariff::kFlat && CalendarOf(row, provider).IsPeak(unix_ms) !=
                                                        (row.price.tariff == Tariff::kPeak)) {
      continue;
    }
    if (best == nullptr ||
        std::tie(row.owner, row.valid.from_ms) >= std::tie(best->owner, best->valid.from_ms)) {
      best = &row;
    }
  }
  return best;
}

std::string_view PriceTable::BilledAs(std::string_view provider, std::string_view model,
                                      int64_t unix_ms) const {
  for (const Alias& alias : aliases_) {
    if (alias.valid.Holds(unix_ms) && MatchesWildcard(alias.provider, provider) &&
        MatchesWildcard(alias.model, model)) {
      return alias.billed_as;
    }
  }
  return model;
}

const PriceTable::Row* PriceTable::RowFor(std::string_view provider, std::string_view model,
                                          int64_t unix_ms) const {
  // An alias with a price of its own needs no other's.
  const Row* row = FindRow(provider, model, unix_ms, std::nullopt);
  if (row != nullptr) return row;
  return FindRow(provider, BilledAs(provider, model, unix_ms), unix_ms, std::nullopt);
}

std::string_view PriceTable::KeyOf(std::string_view provider, std::string_view shared,
                                   std::string_view model, int64_t unix_ms) const {
  if (shared.empty()) return provider;
  const Row* own = RowFor(provider, model, unix_ms);
  return own == nullptr || own == RowFor(shared, model, unix_ms) ? shared : provider;
}

std::optional<Price> PriceTable::Find(std::string_view provider, std::string_view model,
                                      int64_t unix_ms) const {
  const Row* row = RowFor(provider, model, unix_ms);
  if (row == nullptr) return std::nullopt;
  Price price = row->price;
  if (price.tariff != Tariff::kFlat) {
    price.calendar_known = CalendarOf(*row, provider).Knows(unix_ms);
  }
  return price;
}

bool PriceTable::ChangesWithin(std::string_view provider, std::string_view model, int64_t begin_ms,
                               int64_t end_ms) const {
  std::vector<int64_t> edges;
  const auto add = [&](const Span& span) {
    for (const int64_t edge : {span.from_ms, span.to_ms}) {
      if (edge > begin_ms && edge <= end_ms) edges.push_back(edge);
    }
  };
  for (const Alias& alias : aliases_) add(alias.valid);
  for (const Row& row : rows_) {
    if (!MatchesWildcard(row.provider, provider)) continue;
    add(row.valid);
    if (row.price.tariff == Tariff::kPeak) {
      CalendarOf(row, provider).AppendEdges(begin_ms, end_ms, &edges);
    }
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  const std::optional<Price> first = Find(provider, model, begin_ms);
  return std::any_of(edges.begin(), edges.end(), [&](int64_t edge) {
    const std::optional<Price> then = Find(provider, model, edge);
    return then.has_value() != first.has_value() || (then && !SameMoney(*then, *first));
  });
}

Cost PriceTable::PriceOf(const Usage& usage, std::string_view provider, std::string_view model,
                         int64_t sent_ms, int64_t ended_ms) const {
  Cost cost;
  const std::optional<Price> price = Find(provider, model, sent_ms);
  const auto unknown = [&cost](const char* reason) {
    cost.unknown_because = reason;
    return cost;
  };
  if (!price) return unknown("no price is known for this model at this time");
  cost.tariff = TariffName(price->tariff);
  cost.calendar_known = price->calendar_known;
  cost.tariff_ambiguous =
      ChangesWithin(provider, model, std::min(sent_ms, ended_ms), std::max(sent_ms, ended_ms));
  const int64_t hit = usage.cached_tokens, written = usage.cache_write_tokens;
  const int64_t output = usage.completion_tokens;
  if (usage.prompt_tokens < 0 || hit < 0 || written < 0 || output < 0) {
    return unknown("a token count is negative");
  }
  if (hit > 0 && price->hit_pico == Price::kUnknown) {
    return unknown("the price of cache hits is not known");
  }
  // Both are at least zero, so neither difference can leave the range.
  int64_t miss = usage.prompt_tokens - hit;
  cost.counts_disagree = miss < 0;
  miss = std::max<int64_t>(miss, 0);
  const int64_t paid_write = std::min(written, miss);
  const int64_t write_pico =
      price->cache_write_pico == Price::kUnknown ? price->miss_pico : price->cache_write_pico;
  int64_t sum = 0;
  if (!Charge(hit, std::max<int64_t>(price->hit_pico, 0), &sum) ||
      !Charge(miss - paid_write, price->miss_pico, &sum) || !Charge(paid_write, write_pico, &sum) ||
      !Charge(output, price->output_pico, &sum)) {
    return unknown("the token counts are beyond all measure");
  }
  cost.known = true;
  cost.pico = sum;
  return cost;
}

WorstCase PriceTable::WorstCaseOf(std::string_view provider, std::string_view model,
                                  int64_t unix_ms, int64_t prompt_tokens,
                                  int64_t max_tokens) const {
  WorstCase worst;
  int64_t input_pico = Price::kUnknown, output_pico = Price::kUnknown;
  const auto raise = [&](const Price& price) {
    input_pico = std::max({input_pico, price.hit_pico, price.miss_pico, price.cache_write_pico});
    output_pico = std::max(output_pico, price.output_pico);
  };
  const std::optional<Price> now = Find(provider, model, unix_ms);
  if (now) {
    raise(*now);
    if (now->tariff != Tariff::kFlat) {
      for (const std::string_view id : {model, BilledAs(provider, model, unix_ms)}) {
        const Row* row = FindRow(provider, id, unix_ms, Tariff::kPeak);
        if (row != nullptr) raise(row->price);
      }
    }
  } else if (ceiling_) {
    raise(*ceiling_);
    worst.is_ceiling = true;
  } else {
    return worst;
  }
  worst.pico = SaturatingAdd(SaturatingMultiply(std::max<int64_t>(prompt_tokens, 0), input_pico),
                             SaturatingMultiply(std::max<int64_t>(max_tokens, 0), output_pico));
  return worst;
}

}  // namespace finback
