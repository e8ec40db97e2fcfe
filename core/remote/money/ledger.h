// Money spent: a row per attempt in an SQLite file that several processes share, and the budgets
// that are kept by it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/event.h"
#include "core/engine/options.h"
#include "core/remote/money/prices.h"
#include "core/remote/money/sqlite.h"

namespace finback {

// The most to spend. Periods are of UTC, and an attempt belongs to the one that it was sent in.
struct Budget {
  BudgetScope scope = BudgetScope::kTotal;
  std::string of;  // the key's label, model, user or tag; "": each of them has this budget
  BudgetPeriod period = BudgetPeriod::kTotal;
  int64_t limit_pico = 0;
};

// Why a budget forbids something.
struct BudgetExcess {
  Budget budget;                // `of` is filled in
  int64_t spent_pico = 0;       // by others: paid, and reserved or running now
  int64_t requested_pico = -1;  // by this attempt; -1: its price is not known
  int64_t fitting_tokens = -1;  // the most output that would fit; -1: not known

  std::string Message() const;
  // Error(kQuota) whose details are of kind "budget", with the numbers.
  [[noreturn]] void Throw(std::string_view provider, std::string_view model) const;
};

struct LedgerSettings {
  std::string path;  // "": in memory, for this process alone
  std::vector<Budget> budgets;
  UnknownPrice unknown_price = UnknownPrice::kAllow;  // within a budget
  int64_t running_interval_ms = 1000;                 // between two writes of a running estimate
  int64_t abandoned_after_ms = 86'400'000;            // without news of an attempt
  int busy_timeout_ms = 10000;
  std::function<int64_t()> now_ms;  // Unix milliseconds; empty: the system's clock
  bool only_read = false;           // nothing is begun, and what was lost is left as it is
};

// What is known before sending.
struct Attempt {
  std::string conversation, key_label, provider, model, user, tag;
  std::string price_provider, price_model;  // as PriceTable names them; "": provider, model
  int32_t number = 1;                       // of the attempts for one request
  int64_t sent_ms = 0;                      // 0: now
  int64_t reserve_pico = -1;                // the most that it may cost; -1: not known
  int64_t prompt_pico = 0;                  // the part of that for the prompt
  int64_t most_tokens = 0;                  // the output that the rest is for
};

// What is known afterwards.
struct Outcome {
  Usage usage;
  Cost cost;             // by the table; usage.reported_cost_pico goes before it
  int64_t ended_ms = 0;  // 0: now
  int32_t http_status = 0;
  std::string model_served, request_id, fingerprint;
  std::string failure;  // FailureName()
};

// The first eight hexadecimal digits of the key's SHA-256: tells keys apart, and no more.
std::string KeyLabel(std::string_view key);

// Any thread. Not to be used across fork(). Every function throws Error(kIo) naming the file when
// SQLite cannot go on.
class Ledger {
 public:
  // Creates the file if there is none, readable by its owner alone, and marks attempts of processes
  // that are gone as estimated. Throws kUnsupported for files of others or of newer versions.
  static std::unique_ptr<Ledger> Open(LedgerSettings settings);
  // Attempts that are still open become estimates.
  ~Ledger();

  // Before sending: checks the budgets and reserves, as one step for all processes. Throws
  // BudgetExcess::Throw(). The row's id.
  int64_t Begin(const Attempt& attempt);
  // While tokens come: what has been spent by now. Cheap; writes once per interval. A value: the
  // stream has to be cut.
  std::optional<BudgetExcess> Running(int64_t id, int64_t estimate_pico);
  // The end, exactly one of:
  void Settle(int64_t id, const Outcome& outcome);    // the service told the usage, failed or not
  void Estimate(int64_t id, const Outcome& outcome);  // usage and cost are our own guess
  // Nothing was generated, as far as is known: usage and cost of `outcome` are not booked.
  void Fail(int64_t id, const Outcome& outcome);

  // Marks attempts of processes that are gone, or that had no news for abandoned_after_ms, as
  // estimated at what was last known. How many.
  int64_t RecoverLost();

  // `use` has the file to itself, but for other processes; `now_ms` is the ledger's clock. For
  // ledger_report.h.
  void With(const std::function<void(Database* database, int64_t now_ms)>& use);

 private:
  struct OpenAttempt {
    Attempt attempt;
    int64_t written_ms = 0;
    bool written = false;       // a running estimate
    int64_t headroom_pico = 0;  // what the budgets leave it, as of the last look
    std::optional<int64_t> running_pico;
  };
  struct Ending {
    const char* state;
    CostSource source;  // of a cost by the table
    int64_t charge_without_cost;
  };

  explicit Ledger(LedgerSettings settings);
  int64_t Now() const;
  void Prepare();
  OpenAttempt& Require(int64_t id);
  // The first budget that `requested_pico` more would break; `*headroom_pico` is what all leave.
  std::optional<BudgetExcess> Check(const Attempt& attempt, int64_t id, int64_t requested_pico,
                                    int64_t* headroom_pico);
  // By all but attempt `id`.
  int64_t Spent(const Budget& budget, const Attempt& attempt, int64_t id);
  void End(int64_t id, const Outcome& outcome, const Ending& ending);
  void Abandon(int64_t id, std::optional<int64_t> running_pico, std::string_view failure);

  const LedgerSettings settings_;
  const std::string process_;
  std::mutex mutex_;
  Database database_;
  std::map<int64_t, OpenAttempt> open_;
};

}  // namespace finback
