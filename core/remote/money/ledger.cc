#include "core/remote/money/ledger.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>
#include <utility>

#include "core/base/clock.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json_writer.h"
#include "core/remote/money/process_identity.h"

namespace finback {
namespace {

constexpr int32_t kApplicationId = 0x46424C47;  // "FBLG", in the file's header
constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// Each brings the schema from one version to the next; a file's version is how many it has had.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation TEXT NOT NULL, key_label TEXT NOT NULL, provider TEXT NOT NULL,
  model_asked TEXT NOT NULL, model_served TEXT NOT NULL DEFAULT '',
  user TEXT NOT NULL, tag TEXT NOT NULL, number INTEGER NOT NULL,
  price_provider TEXT NOT NULL, price_model TEXT NOT NULL,
  sent_ms INTEGER NOT NULL, ended_ms INTEGER, updated_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('reserved', 'running', 'settled', 'estimated', 'failed')),
  prompt_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
  cache_write_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
  reasoning_tokens INTEGER NOT NULL DEFAULT 0,
  reserve_pico INTEGER, running_pico INTEGER,
  cost_pico INTEGER, cost_source TEXT NOT NULL DEFAULT 'unknown'
    CHECK (cost_source IN ('table', 'reported', 'estimated', 'unknown')),
  table_pico INTEGER, reported_pico INTEGER,
  difference_pico INTEGER GENERATED ALWAYS AS (reported_pico - table_pico) VIRTUAL,
  original_pico INTEGER, repriced_ms INTEGER,
  charge_pico INTEGER NOT NULL,
  tariff TEXT NOT NULL DEFAULT '', ambiguous INTEGER NOT NULL DEFAULT 0,
  http_status INTEGER NOT NULL DEFAULT 0, failure TEXT NOT NULL DEFAULT '',
  request_id TEXT NOT NULL DEFAULT '', fingerprint TEXT NOT NULL DEFAULT '',
  process TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_sent ON attempts (sent_ms);
CREATE INDEX attempts_open ON attempts (state) WHERE state IN ('reserved', 'running');

-- The sums of charge_pico that budgets look at, by day since 1970: however long the ledger grows,
-- they stay few. Micro-dollars and the rest apart, so that no sum leaves SQLite's integers.
CREATE TABLE spending (
  day INTEGER NOT NULL, key_label TEXT NOT NULL, model_asked TEXT NOT NULL,
  user TEXT NOT NULL, tag TEXT NOT NULL, micro INTEGER NOT NULL, rest_pico INTEGER NOT NULL,
  PRIMARY KEY (day, key_label, model_asked, user, tag)
) WITHOUT ROWID, STRICT;
CREATE TRIGGER attempts_added AFTER INSERT ON attempts BEGIN
  INSERT INTO spending VALUES (NEW.sent_ms / 86400000, NEW.key_label, NEW.model_asked, NEW.user,
    NEW.tag, NEW.charge_pico / 1000000, NEW.charge_pico % 1000000)
  ON CONFLICT DO UPDATE SET micro = micro + excluded.micro,
    rest_pico = rest_pico + excluded.rest_pico;
END;
CREATE TRIGGER attempts_charged AFTER UPDATE OF charge_pico ON attempts BEGIN
  UPDATE spending SET micro = micro + NEW.charge_pico / 1000000 - OLD.charge_pico / 1000000,
    rest_pico = rest_pico + NEW.charge_pico % 1000000 - OLD.charge_pico % 1000000
  WHERE day = OLD.sent_ms / 86400000 AND key_label = OLD.key_label
    AND model_asked = OLD.model_asked AND user = OLD.user AND tag = OLD.tag;
END;
CREATE TRIGGER attempts_removed AFTER DELETE ON attempts BEGIN
  UPDATE spending SET micro = micro - OLD.charge_pico / 1000000,
    rest_pico = rest_pico - OLD.charge_pico % 1000000
  WHERE day = OLD.sent_ms / 86400000 AND key_label = OLD.key_label
    AND model_asked = OLD.model_asked AND user = OLD.user AND tag = OLD.tag;
END;
)sql",
};
constexpr int64_t kVersion = std::size(kMigrations);

struct Scope {
  const char* name;
  const char* column;  // nullptr: everything
  std::string Attempt::*value;
};
constexpr Scope kScopes[] = {
    // by BudgetScope
    {"total", nullptr, nullptr},
    {"key", "key_label", &Attempt::key_label},
    {"model", "model_asked", &Attempt::model},
    {"user", "user", &Attempt::user},
    {"tag", "tag", &Attempt::tag},
};
constexpr const char* kPeriods[] = {"in total", "a day", "a month"};  // by BudgetPeriod
constexpr const char* kPeriodNames[] = {"total", "day", "month"};

const Scope& ScopeOf(const Budget& budget) { return kScopes[static_cast<size_t>(budget.scope)]; }

// `unix_ms` is not negative.
int64_t PeriodStart(BudgetPeriod period, int64_t unix_ms) {
  switch (period) {
    case BudgetPeriod::kTotal:
      return 0;
    case BudgetPeriod::kDay:
      return unix_ms - unix_ms % kDayMs;
    case BudgetPeriod::kMonth:
      return MonthStart(unix_ms);
  }
  return 0;
}

// What others sent: valid UTF-8 of reasonable length.
std::string Tidy(std::string_view text) {
  constexpr size_t kMaxBytes = 256;
  return ValidUtf8(CutUtf8(text, kMaxBytes));
}

// Counters that no service can mean would make every later sum overflow.
int64_t Plausible(int64_t tokens) {
  return std::clamp<int64_t>(tokens, 0, int64_t{1'000'000'000'000});
}

// The schema version of a file that is ours, 0 for an empty one; throws for all others.
int64_t CheckOwner(Database* database) {
  // One statement, because another process may be creating the schema.
  Statement look(database,
                 "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_master) "
                 "FROM pragma_application_id AS a, pragma_user_version AS v");
  look.Step();
  const int64_t application = look.Integer(0), version = look.Integer(1), tables = look.Integer(2);
  if (application == 0 && version == 0 && tables == 0) return 0;
  if (application != kApplicationId || version <= 0) {
    Throw(Code::kUnsupported, "%s: an SQLite file, but not a ledger of Finback",
          database->path().c_str());
  }
  if (version > kVersion) {
    Throw(Code::kUnsupported, "%s: a ledger of version %lld, newer than this library's %lld",
          database->path().c_str(), static_cast<long long>(version),
          static_cast<long long>(kVersion));
  }
  return version;
}

std::string Dollars(int64_t pico) { return "$" + FormatDollars(pico); }

// The most output tokens of an attempt that the rest of a budget pays for, rounded down to two
// digits: what is spent by others may grow until the next try. -1 if the price is not known.
int64_t FittingTokens(const BudgetExcess& excess, const Attempt& attempt) {
  const int64_t output_pico = attempt.reserve_pico - attempt.prompt_pico;
  if (attempt.reserve_pico < 0 || attempt.most_tokens <= 0 || output_pico <= 0) return -1;
  const int64_t each = (output_pico - 1) / attempt.most_tokens + 1;
  const int64_t rest = excess.budget.limit_pico - std::max<int64_t>(excess.spent_pico, 0);
  int64_t tokens = rest > attempt.prompt_pico ? (rest - attempt.prompt_pico) / each : 0;
  int64_t unit = 1;
  while (tokens / unit >= 100) unit *= 10;
  return tokens / unit * unit;
}

}  // namespace

std::string KeyLabel(std::string_view key) {
  if (key.empty()) return {};
  Sha256 hash;
  hash.Update({reinterpret_cast<const uint8_t*>(key.data()), key.size()});
  return hash.FinishHex().substr(0, 8);
}

std::string BudgetExcess::Message() const {
  const Scope& scope = ScopeOf(budget);
  std::string name = "the budget";
  if (scope.column != nullptr) name += Format(" of %s \"%s\"", scope.name, budget.of.c_str());
  name += Format(", %s %s,", Dollars(budget.limit_pico).c_str(),
                 kPeriods[static_cast<size_t>(budget.period)]);
  const std::string spent = Dollars(spent_pico);
  if (requested_pico < 0) {
    return name + " has " + spent +
           " spent or reserved, and the price of this request is unknown"
           "; name it in prices_file, or set unknown_price to allow";
  }
  name +=
      " has " + spent + " spent or reserved, and this request may cost " + Dollars(requested_pico);
  if (fitting_tokens < 0) return name;
  // What is written in whole cents is never less than what is needed.
  constexpr int64_t kPicoPerCent = 10000000000;
  const int64_t cents = SaturatingAdd(spent_pico, requested_pico) / kPicoPerCent + 1;
  name += fitting_tokens > 0 ? Format("; max_tokens %lld would fit, or raise the budget to $",
                                      static_cast<long long>(fitting_tokens))
                             : std::string("; raise the budget to $");
  return name + Format("%lld.%02lld", static_cast<long long>(cents / 100),
                       static_cast<long long>(cents % 100));
}

void BudgetExcess::Throw(std::string_view provider, std::string_view model) const {
  const std::string message = Message();
  std::string details;
  JsonWriter json(&details);
  json.BeginObject().Key("kind").String("budget").Key("message").String(message);
  json.Key("retryable").Bool(false);
  json.Key("provider").String(provider).Key("model").String(model);
  json.Key("scope").String(ScopeOf(budget).name).Key("of").String(budget.of);
  json.Key("period").String(kPeriodNames[static_cast<size_t>(budget.period)]);
  json.Key("limit_pico").Integer(budget.limit_pico).Key("spent_pico").Integer(spent_pico);
  json.Key("requested_pico");
  if (requested_pico < 0) {
    json.Null();
  } else {
    json.Integer(requested_pico);
  }
  json.EndObject();
  throw Error(Code::kQuota, message, details);
}

std::unique_ptr<Ledger> Ledger::Open(LedgerSettings settings) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::move(settings)));
  if (!ledger->settings_.only_read) ledger->RecoverLost();
  return ledger;
}

Ledger::Ledger(LedgerSettings settings)
    : settings_(std::move(settings)),
      process_(ThisProcess()),
      database_(settings_.path, settings_.busy_timeout_ms,
                settings_.only_read ? Database::Access::kRead : Database::Access::kWrite) {
  Prepare();
}

Ledger::~Ledger() {
  // Nothing to be done about a file that fails now: the next to open it recovers the rows.
  try {
    while (!open_.empty()) {
      const auto& [id, open] = *open_.begin();
      Abandon(id, open.running_pico, "cancelled");
      open_.erase(open_.begin());
    }
  } catch (...) {
  }
}

void Ledger::With(const std::function<void(Database* database, int64_t now_ms)>& use) {
  const std::lock_guard lock(mutex_);
  use(&database_, Now());
}

int64_t Ledger::Now() const { return settings_.now_ms ? settings_.now_ms() : UnixMs(); }

void Ledger::Prepare() {
  const bool is_ready = CheckOwner(&database_) == kVersion;
  if (settings_.only_read) {
    if (is_ready) return;
    Throw(
        Code::kUnsupported,
        "%s: a ledger that cannot be brought up to date where it lies: copy it to where it can be "
        "written",
        settings_.path.c_str());
  }
  database_.UseWriteAheadLog();
  database_.Execute("PRAGMA synchronous = NORMAL");
  if (is_ready) return;
  Transaction transaction(&database_);
  const int64_t version = CheckOwner(&database_);  // another process may have been faster
  for (int64_t i = version; i < kVersion; ++i) database_.Execute(kMigrations[i]);
  database_.Execute(Format("PRAGMA application_id = %d; PRAGMA user_version = %lld;",
                           kApplicationId, static_cast<long long>(kVersion))
                        .c_str());
  transaction.Commit();
}

int64_t Ledger::Spent(const Budget& budget, const Attempt& attempt, int64_t id) {
  const Scope& scope = ScopeOf(budget);
  std::string sql = "SELECT sum(micro), sum(rest_pico) FROM spending WHERE day >= ?";
  if (scope.column != nullptr) sql += std::string(" AND ") + scope.column + " = ?";
  Statement sums(&database_, sql);
  sums.Bind(PeriodStart(budget.period, attempt.sent_ms) / kDayMs);
  if (scope.column != nullptr) sums.Bind(attempt.*scope.value);
  sums.Step();
  const int64_t all =
      SaturatingAdd(SaturatingMultiply(sums.Integer(0), 1'000'000), sums.Integer(1));
  Statement own(&database_, "SELECT charge_pico FROM attempts WHERE id = ?");
  own.Bind(id);
  return own.Step() ? all - own.Integer(0) : all;
}

std::optional<BudgetExcess> Ledger::Check(const Attempt& attempt, int64_t id,
                                          int64_t requested_pico, int64_t* headroom_pico) {
  std::optional<BudgetExcess> excess;
  *headroom_pico = kUnlimited;
  for (const Budget& budget : settings_.budgets) {
    const Scope& scope = ScopeOf(budget);
    if (scope.column != nullptr && !budget.of.empty() && attempt.*scope.value != budget.of) {
      continue;
    }
    const int64_t spent = Spent(budget, attempt, id);
    const int64_t left = SaturatingAdd(budget.limit_pico, -spent);
    *headroom_pico = std::min(*headroom_pico, left);
    const bool refused = requested_pico >= 0
                             ? requested_pico > left
                             : settings_.unknown_price == UnknownPrice::kRefuse || left <= 0;
    if (refused && !excess) {
      excess = BudgetExcess{budget, spent, requested_pico};
      if (scope.column != nullptr) excess->budget.of = attempt.*scope.value;
    }
  }
  return excess;
}

int64_t Ledger::Begin(const Attempt& asked) {
  OpenAttempt open;
  Attempt& attempt = open.attempt;
  attempt = asked;
  for (std::string Attempt::*text :
       {&Attempt::conversation, &Attempt::key_label, &Attempt::provider, &Attempt::model,
        &Attempt::user, &Attempt::tag, &Attempt::price_provider, &Attempt::price_model}) {
    attempt.*text = Tidy(attempt.*text);
  }
  if (attempt.price_provider.empty()) attempt.price_provider = attempt.provider;
  if (attempt.price_model.empty()) attempt.price_model = attempt.model;
  attempt.reserve_pico = std::max<int64_t>(attempt.reserve_pico, -1);

  const std::lock_guard lock(mutex_);
  open.written_ms = Now();
  if (attempt.sent_ms <= 0) attempt.sent_ms = std::max<int64_t>(open.written_ms, 0);
  Transaction transaction(&database_);
  auto excess = Check(attempt, 0, attempt.reserve_pico, &open.headroom_pico);
  if (excess) excess->fitting_tokens = FittingTokens(*excess, attempt);
  if (excess) excess->Throw(attempt.provider, attempt.model);
  Statement insert(&database_, R"sql(
INSERT INTO attempts (conversation, key_label, provider, model_asked, user, tag, price_provider,
  price_model, number, sent_ms, updated_ms, state, reserve_pico, charge_pico, process)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?))sql");
  insert.Bind(attempt.conversation).Bind(attempt.key_label).Bind(attempt.provider);
  insert.Bind(attempt.model).Bind(attempt.user).Bind(attempt.tag).Bind(attempt.price_provider);
  insert.Bind(attempt.price_model).Bind(int64_t{attempt.number}).Bind(attempt.sent_ms);
  insert.Bind(open.written_ms);
  insert.Bind(attempt.reserve_pico < 0 ? std::nullopt : std::optional(attempt.reserve_pico));
  insert.Bind(std::max<int64_t>(attempt.reserve_pico, 0)).Bind(process_);
  insert.Run();
  const int64_t id = database_.LastId();
  const auto place = open_.emplace(id, std::move(open)).first;
  try {
    transaction.Commit();
  } catch (...) {
    open_.erase(place);
    throw;
  }
  return id;
}

Ledger::OpenAttempt& Ledger::Require(int64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) {
    Throw(Code::kInvalidArgument, "attempt %lld is not open in this ledger",
          static_cast<long long>(id));
  }
  return found->second;
}

std::optional<BudgetExcess> Ledger::Running(int64_t id, int64_t estimate_pico) {
  const std::lock_guard lock(mutex_);
  OpenAttempt& open = Require(id);
  const int64_t now = Now(), estimate = std::max<int64_t>(estimate_pico, 0);
  open.running_pico = estimate;
  const int64_t since = now - open.written_ms;  // negative when the clock was set back
  const bool is_due = !open.written || since < 0 || since >= settings_.running_interval_ms;
  if (!is_due && estimate <= open.headroom_pico) return std::nullopt;
  Transaction transaction(&database_);
  const auto excess = Check(open.attempt, id, estimate, &open.headroom_pico);
  Statement update(&database_,
                   "UPDATE attempts SET state = 'running', running_pico = ?, charge_pico = ?, "
                   "updated_ms = ? WHERE id = ?");
  update.Bind(estimate).Bind(std::max(estimate, open.attempt.reserve_pico)).Bind(now).Bind(id);
  update.Run();
  transaction.Commit();
  open.written = true;
  open.written_ms = now;
  return excess;
}

void Ledger::Settle(int64_t id, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  const int64_t reserve = std::max<int64_t>(Require(id).attempt.reserve_pico, 0);
  End(id, outcome, {"settled", CostSource::kTable, reserve});
}

void Ledger::Estimate(int64_t id, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  const int64_t reserve = std::max<int64_t>(Require(id).attempt.reserve_pico, 0);
  End(id, outcome, {"estimated", CostSource::kEstimated, reserve});
}

void Ledger::Fail(int64_t id, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  Require(id);
  Outcome free = outcome;
  free.usage = {};
  free.cost = {};
  End(id, free, {"failed", CostSource::kUnknown, 0});
}

void Ledger::End(int64_t id, const Outcome& outcome, const Ending& ending) {
  const Usage& usage = outcome.usage;
  const auto table = outcome.cost.known ? std::optional(outcome.cost.pico) : std::nullopt;
  const auto reported =
      usage.reported_cost_pico >= 0 ? std::optional(usage.reported_cost_pico) : std::nullopt;
  const auto cost = reported ? reported : table;
  const CostSource source = reported ? CostSource::kReported
                            : table  ? ending.source
                                     : CostSource::kUnknown;
  Statement update(&database_, R"sql(
UPDATE attempts SET state = ?, ended_ms = ?, updated_ms = ?, model_served = ?, prompt_tokens = ?,
  cached_tokens = ?, cache_write_tokens = ?, completion_tokens = ?, reasoning_tokens = ?,
  cost_pico = ?, cost_source = ?, table_pico = ?, reported_pico = ?, charge_pico = ?, tariff = ?,
  ambiguous = ?, http_status = ?, failure = ?, request_id = ?, fingerprint = ? WHERE id = ?)sql");
  const int64_t now = Now();
  update.Bind(std::string_view(ending.state));
  update.Bind(outcome.ended_ms == 0 ? now : outcome.ended_ms).Bind(now);
  update.Bind(Tidy(outcome.model_served));
  update.Bind(Plausible(usage.prompt_tokens)).Bind(Plausible(usage.cached_tokens));
  update.Bind(Plausible(usage.cache_write_tokens)).Bind(Plausible(usage.completion_tokens));
  update.Bind(Plausible(usage.reasoning_tokens))
      .Bind(cost)
      .Bind(std::string_view(CostSourceName(source)));
  update.Bind(table).Bind(reported);
  update.Bind(cost.value_or(ending.charge_without_cost)).Bind(outcome.cost.tariff);
  update.Bind(int64_t{outcome.cost.tariff_ambiguous}).Bind(int64_t{outcome.http_status});
  update.Bind(Tidy(outcome.failure)).Bind(Tidy(outcome.request_id));
  update.Bind(Tidy(outcome.fingerprint)).Bind(id);
  update.Run();
  open_.erase(id);
}

void Ledger::Abandon(int64_t id, std::optional<int64_t> running_pico, std::string_view failure) {
  // What was last known: the running estimate, else the reserve; neither may be there.
  Statement update(&database_, R"sql(
UPDATE attempts SET state = 'estimated', failure = ?1, ended_ms = updated_ms,
  cost_pico = coalesce(?2, running_pico, reserve_pico),
  charge_pico = coalesce(?2, running_pico, reserve_pico, 0),
  cost_source = CASE WHEN coalesce(?2, running_pico, reserve_pico) IS NULL THEN 'unknown'
                     ELSE 'estimated' END
WHERE id = ?3 AND state IN ('reserved', 'running'))sql");
  update.Bind(failure).Bind(running_pico).Bind(id).Run();
}

int64_t Ledger::RecoverLost() {
  const std::lock_guard lock(mutex_);
  Transaction transaction(&database_);
  std::vector<int64_t> lost;
  {
    Statement rows(&database_,
                   "SELECT id, process, updated_ms FROM attempts "
                   "WHERE state IN ('reserved', 'running')");
    const int64_t now = Now();
    while (rows.Step()) {
      const bool is_old = now - rows.Integer(2) > settings_.abandoned_after_ms;
      if (is_old || IsGone(rows.Text(1))) lost.push_back(rows.Integer(0));
    }
  }
  for (const int64_t id : lost) Abandon(id, std::nullopt, "process_gone");
  transaction.Commit();
  return static_cast<int64_t>(lost.size());
}

}  // namespace finback
