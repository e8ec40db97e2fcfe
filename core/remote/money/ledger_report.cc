#include "core/remote/money/ledger_report.h"

#include <algorithm>
#include <optional>

#include "core/json/json_writer.h"
#include "core/remote/money/dollars.h"
#include "core/remote/money/sqlite.h"

namespace finback {
namespace {

constexpr const char* kGroupExpressions[] = {
    // by CostGroup
    "strftime('%Y-%m-%d', sent_ms / 1000, 'unixepoch')",
    "model_asked",
    "key_label",
    "user",
    "tag",
    "provider",
    "conversation",
};

// Money in two sums, because one could leave SQLite's integers.
constexpr const char* kReport = R"sql(, count(*),
  sum(state IN ('reserved', 'running')),
  sum(state = 'failed'),
  sum(cost_source = 'estimated'),
  sum(cost_pico IS NULL AND state IN ('settled', 'estimated')),
  sum(ambiguous),
  sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(reasoning_tokens),
  sum(cost_pico / 1000000), sum(cost_pico % 1000000),
  sum(charge_pico / 1000000) FILTER (WHERE state IN ('reserved', 'running')),
  sum(charge_pico % 1000000) FILTER (WHERE state IN ('reserved', 'running'))
FROM attempts WHERE sent_ms >= ? AND sent_ms < ? GROUP BY 1 ORDER BY 1)sql";

struct Counter {
  const char* name;
  int64_t CostRow::*value;
};
constexpr Counter kCounters[] = {
    // in the order of kReport
    {"attempts", &CostRow::attempts},
    {"open", &CostRow::open},
    {"failed", &CostRow::failed},
    {"estimated", &CostRow::estimated},
    {"unknown", &CostRow::unknown},
    {"tariff_ambiguous", &CostRow::ambiguous},
    {"prompt_tokens", &CostRow::prompt_tokens},
    {"cached_tokens", &CostRow::cached_tokens},
    {"completion_tokens", &CostRow::completion_tokens},
    {"reasoning_tokens", &CostRow::reasoning_tokens},
};

int64_t Money(const Statement& row, int column) {
  return SaturatingAdd(SaturatingMultiply(row.Integer(column), 1'000'000), row.Integer(column + 1));
}

struct SavedAttempt {
  int64_t id = 0;
  Usage usage;
  std::string provider, model, source;
  int64_t sent_ms = 0, ended_ms = 0;
  std::optional<int64_t> cost_pico, table_pico;
};

std::vector<SavedAttempt> ReadFinished(Database* database) {
  Statement rows(database, R"sql(
SELECT id, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, price_provider,
  price_model, cost_source, sent_ms, ended_ms, cost_pico, table_pico FROM attempts
WHERE state IN ('settled', 'estimated') AND prompt_tokens + completion_tokens > 0)sql");
  std::vector<SavedAttempt> saved;
  while (rows.Step()) {
    SavedAttempt& attempt = saved.emplace_back();
    attempt.id = rows.Integer(0);
    attempt.usage.prompt_tokens = rows.Integer(1);
    attempt.usage.cached_tokens = rows.Integer(2);
    attempt.usage.cache_write_tokens = rows.Integer(3);
    attempt.usage.completion_tokens = rows.Integer(4);
    attempt.provider = rows.Text(5);
    attempt.model = rows.Text(6);
    attempt.source = rows.Text(7);
    attempt.sent_ms = rows.Integer(8);
    attempt.ended_ms = rows.Integer(9);
    attempt.cost_pico = rows.OptionalInteger(10);
    attempt.table_pico = rows.OptionalInteger(11);
  }
  return saved;
}

void RepriceAll(const PriceTable& table, int64_t now_ms, Database* database, Repricing* result) {
  const std::vector<SavedAttempt> saved = ReadFinished(database);
  Statement update(database, R"sql(
UPDATE attempts SET table_pico = ?1, tariff = ?2, ambiguous = ?3, repriced_ms = ?4,
  original_pico = CASE WHEN repriced_ms IS NULL THEN cost_pico ELSE original_pico END,
  cost_pico = CASE cost_source WHEN 'reported' THEN cost_pico ELSE ?1 END,
  charge_pico = CASE cost_source WHEN 'reported' THEN charge_pico ELSE ?1 END,
  cost_source = CASE WHEN cost_source != 'unknown' THEN cost_source
                     WHEN state = 'estimated' THEN 'estimated' ELSE 'table' END
WHERE id = ?5)sql");
  for (const SavedAttempt& attempt : saved) {
    ++result->examined;
    const Cost cost = table.PriceOf(attempt.usage, attempt.provider, attempt.model, attempt.sent_ms,
                                    attempt.ended_ms);
    if (!cost.known) {
      ++result->without_price;
      continue;
    }
    const bool is_reported = attempt.source == CostSourceName(CostSource::kReported);
    if ((is_reported ? attempt.table_pico : attempt.cost_pico) == cost.pico) continue;
    if (!is_reported && attempt.cost_pico) {
      ++result->changed;
      result->difference_pico =
          SaturatingAdd(result->difference_pico, cost.pico - *attempt.cost_pico);
    } else if (!is_reported) {
      ++result->found;
      result->found_pico = SaturatingAdd(result->found_pico, cost.pico);
    }
    update.Reset();
    update.Bind(cost.pico).Bind(cost.tariff).Bind(int64_t{cost.tariff_ambiguous}).Bind(now_ms);
    update.Bind(attempt.id).Run();
  }
}

}  // namespace

double CostRow::CacheHitRatio() const {
  if (prompt_tokens <= 0) return -1;
  return std::min(1.0, static_cast<double>(cached_tokens) / static_cast<double>(prompt_tokens));
}

std::vector<CostRow> ReportCosts(CostGroup group, int64_t since_ms, int64_t until_ms,
                                 Ledger* ledger) {
  std::vector<CostRow> report;
  ledger->With([&](Database* database, int64_t) {
    Statement rows(
        database, std::string("SELECT ") + kGroupExpressions[static_cast<size_t>(group)] + kReport);
    rows.Bind(since_ms).Bind(until_ms);
    while (rows.Step()) {
      CostRow& row = report.emplace_back();
      row.group = rows.Text(0);
      int column = 1;
      for (const Counter& counter : kCounters) row.*counter.value = rows.Integer(column++);
      row.cost_pico = Money(rows, column);
      row.reserved_pico = Money(rows, column + 2);
    }
  });
  return report;
}

std::string ReportCostsJson(CostGroup group, int64_t since_ms, int64_t until_ms, Ledger* ledger) {
  const std::vector<CostRow> report = ReportCosts(group, since_ms, until_ms, ledger);
  std::string text;
  JsonWriter json(&text);
  json.BeginObject();
  json.Key("group_by").String(kCostGroupNames[static_cast<size_t>(group)]);
  json.Key("since_ms").Integer(since_ms).Key("until_ms").Integer(until_ms);
  json.Key("rows").BeginList();
  for (const CostRow& row : report) {
    json.BeginObject().Key("group").String(row.group);
    for (const Counter& counter : kCounters) json.Key(counter.name).Integer(row.*counter.value);
    json.Key("cache_hit_ratio");
    if (row.prompt_tokens > 0) {
      json.Number(row.CacheHitRatio());
    } else {
      json.Null();
    }
    json.Key("cost").String(FormatDollars(row.cost_pico)).Key("cost_pico").Integer(row.cost_pico);
    json.Key("reserved").String(FormatDollars(row.reserved_pico));
    json.Key("reserved_pico").Integer(row.reserved_pico).EndObject();
  }
  json.EndList().EndObject();
  return text;
}

Repricing Reprice(const PriceTable& table, Ledger* ledger) {
  Repricing result;
  ledger->With([&](Database* database, int64_t now_ms) {
    Transaction transaction(database);
    RepriceAll(table, now_ms, database, &result);
    transaction.Commit();
  });
  return result;
}

}  // namespace finback
