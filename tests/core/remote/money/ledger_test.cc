#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/core/remote/money/ledger_fixture.h"

namespace finback {
namespace {

TEST(KeyLabelTest, TellsKeysApartWithoutShowingThem) {
  EXPECT_EQ(KeyLabel("abc"), "ba7816bf");  // of SHA-256's published example
  EXPECT_EQ(KeyLabel(""), "");
}

TEST_F(LedgerTest, AnAttemptIsReservedThenRunningThenSettled) {
  auto ledger = Ledger::Open(Settings());
  const int64_t id = ledger->Begin(Asking(500));
  EXPECT_EQ(Query("SELECT state, reserve_pico, charge_pico, cost_pico, sent_ms, key_label, "
                  "price_provider, price_model, number FROM attempts"),
            (Row{"reserved", "500", "500", "NULL", std::to_string(kNoon), "0a1b2c3d", "deepseek",
                 "deepseek-flash", "1"}));
  EXPECT_FALSE(ledger->Running(id, 20).has_value());
  EXPECT_EQ(Query("SELECT state, running_pico, charge_pico FROM attempts"),
            (Row{"running", "20", "500"}));
  now_ += 1500;
  Outcome outcome = Costing(123);
  outcome.model_served = "deepseek-flash-1017";
  outcome.request_id = "r-1";
  outcome.fingerprint = "fp_x";
  outcome.usage.reasoning_tokens = 7;
  ledger->Settle(id, outcome);
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico, prompt_tokens, "
                  "cached_tokens, completion_tokens, reasoning_tokens, ended_ms - sent_ms, tariff, "
                  "model_served, request_id, fingerprint, http_status, reported_pico, failure "
                  "FROM attempts"),
            (Row{"settled", "123", "table", "123", "100", "40", "10", "7", "1500", "off_peak",
                 "deepseek-flash-1017", "r-1", "fp_x", "200", "NULL", ""}));
  EXPECT_EQ(Caught([&] { ledger->Settle(id, outcome); }).code(), Code::kInvalidArgument);
  EXPECT_EQ(Caught([&] { ledger->Running(99, 1); }).code(), Code::kInvalidArgument);
}

TEST_F(LedgerTest, AReportedCostGoesBeforeTheTableAndTheDifferenceIsKept) {
  auto ledger = Ledger::Open(Settings());
  Outcome outcome = Costing(123);
  outcome.usage.reported_cost_pico = 100;
  ledger->Settle(ledger->Begin(Asking(500)), outcome);
  EXPECT_EQ(Query("SELECT cost_pico, cost_source, table_pico, reported_pico, difference_pico, "
                  "charge_pico FROM attempts"),
            (Row{"100", "reported", "123", "100", "-23", "100"}));
}

TEST_F(LedgerTest, AnUnknownPriceIsNotZero) {
  auto ledger = Ledger::Open(Settings());
  Outcome outcome = Costing(0);
  outcome.cost = Cost{};
  ledger->Settle(ledger->Begin(Asking(-1)), outcome);
  EXPECT_EQ(Query("SELECT cost_pico, cost_source, table_pico, reserve_pico FROM attempts"),
            (Row{"NULL", "unknown", "NULL", "NULL"}));
  // With a reserve, budgets go on holding it.
  ledger->Settle(ledger->Begin(Asking(500)), outcome);
  EXPECT_EQ(Query("SELECT cost_pico, cost_source, charge_pico FROM attempts WHERE id = 2"),
            (Row{"NULL", "unknown", "500"}));
  const std::vector<CostRow> report = ReportCosts(CostGroup::kModel, 0, kMost, ledger.get());
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(report[0].unknown, 2);
  EXPECT_EQ(report[0].attempts, 2);
}

TEST_F(LedgerTest, FailuresAreFreeUnlessTheUsageWasToldAndEstimatesAreMarked) {
  auto ledger = Ledger::Open(Settings());
  Outcome refused = Costing(40);  // a guess made before
  refused.http_status = 429;
  refused.failure = "rate_limit";
  ledger->Fail(ledger->Begin(Asking(500)), refused);
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico, prompt_tokens, http_status, "
                  "failure FROM attempts WHERE id = 1"),
            (Row{"failed", "NULL", "unknown", "0", "0", "429", "rate_limit"}));
  Outcome out_of_resources = Costing(50);
  out_of_resources.failure = "resource";
  ledger->Settle(ledger->Begin(Asking(500)), out_of_resources);
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, failure FROM attempts WHERE id = 2"),
            (Row{"settled", "50", "table", "resource"}));
  Outcome cut = Costing(70);
  cut.failure = "transport";
  ledger->Estimate(ledger->Begin(Asking(500)), cut);
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico FROM attempts WHERE id = 3"),
            (Row{"estimated", "70", "estimated", "70"}));
  const CostRow row = ReportCosts(CostGroup::kModel, 0, kMost, ledger.get()).at(0);
  EXPECT_EQ(row.failed, 1);
  EXPECT_EQ(row.estimated, 1);
  EXPECT_EQ(row.unknown, 0);
  EXPECT_EQ(row.cost_pico, 120);
}

TEST_F(LedgerTest, TheFileIsItsOwnersAlone) {
  Ledger::Open(Settings());
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // What was given to a group stays so.
  ASSERT_EQ(chmod(path_.c_str(), 0660), 0);
  Ledger::Open(Settings());
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
}

TEST_F(LedgerTest, HostileTextAndCountsAreTamed) {
  auto ledger = Ledger::Open(Settings());
  Outcome outcome = Costing(1);
  outcome.usage.prompt_tokens = kMost;
  outcome.usage.completion_tokens = -7;
  outcome.request_id = std::string(100000, 'x');
  outcome.fingerprint = "\xff\xfe'; DROP TABLE attempts; --";
  outcome.model_served = std::string("a\0b", 3);
  for (int i = 0; i < 3; ++i) ledger->Settle(ledger->Begin(Asking(1)), outcome);
  EXPECT_EQ(
      Query("SELECT length(request_id), prompt_tokens, completion_tokens, fingerprint "
            "FROM attempts"),
      (Row{"256", "1000000000000", "0", "\xEF\xBF\xBD\xEF\xBF\xBD'; DROP TABLE attempts; --"}));
  EXPECT_EQ(ReportCosts(CostGroup::kModel, 0, kMost, ledger.get()).at(0).prompt_tokens,
            3'000'000'000'000);
}

TEST_F(LedgerTest, ABudgetIsRefusedWithItsNumbers) {
  auto ledger = Ledger::Open(Settings({Total(1000)}));
  ledger->Settle(ledger->Begin(Asking(500)), Costing(300));
  const int64_t open = ledger->Begin(Asking(700));  // exactly to the limit
  const Error error = Caught([&] { ledger->Begin(Asking(1)); });
  EXPECT_EQ(error.code(), Code::kQuota);
  EXPECT_STREQ(error.what(),
               "the budget, $0.000000001 in total, has $0.000000001 spent or reserved, and this "
               "request may cost $0.000000000001");
  const auto details = nlohmann::json::parse(error.details());
  EXPECT_EQ(details["kind"], "budget");
  EXPECT_EQ(details["retryable"], false);
  EXPECT_EQ(details["limit_pico"], 1000);
  EXPECT_EQ(details["spent_pico"], 1000);
  EXPECT_EQ(details["requested_pico"], 1);
  EXPECT_EQ(details["provider"], "deepseek");
  // Deleting a row by hand gives room, too.
  Execute("DELETE FROM attempts WHERE id = 1");
  ledger->Settle(ledger->Begin(Asking(300)), Costing(300));
  // The refused ones left no row; settling below the reserve gives room again.
  EXPECT_EQ(Query("SELECT count(*) FROM attempts"), Row{"2"});
  ledger->Settle(open, Costing(100));
  ledger->Fail(ledger->Begin(Asking(600)), Outcome{});
  ledger->Begin(Asking(600));
}

TEST_F(LedgerTest, BudgetsAreOfTheirScope) {
  const struct {
    BudgetScope scope;
    std::string Attempt::*field;
  } kCases[] = {{BudgetScope::kKey, &Attempt::key_label},
                {BudgetScope::kModel, &Attempt::model},
                {BudgetScope::kUser, &Attempt::user},
                {BudgetScope::kTag, &Attempt::tag}};
  for (const auto& row : kCases) {
    LedgerSettings settings = Settings({Limit(row.scope, BudgetPeriod::kTotal, 100)});
    settings.path = "";
    auto each = Ledger::Open(settings);
    Attempt first = Asking(80), second = Asking(80);
    second.*row.field = "other";
    each->Begin(first);
    each->Begin(second);
    EXPECT_EQ(Caught([&] { each->Begin(first); }).code(), Code::kQuota);
    EXPECT_NE(std::string(Caught([&] { each->Begin(second); }).what()).find("\"other\""),
              std::string::npos);

    settings.budgets[0].of = "other";
    auto one = Ledger::Open(settings);
    one->Begin(first);
    one->Begin(first);
    one->Begin(second);
    EXPECT_EQ(Caught([&] { one->Begin(second); }).code(), Code::kQuota);
  }
}

TEST_F(LedgerTest, BudgetPeriodsAreOfUtc) {
  constexpr int64_t kMidnight = 1'796'083'200'000;  // 2026-12-01T00:00:00Z
  const struct {
    BudgetPeriod period;
    int64_t first, second;
    bool refused;
  } kCases[] = {
      {BudgetPeriod::kDay, kMidnight - 1, kMidnight, false},
      {BudgetPeriod::kDay, kMidnight, kMidnight + kDayMs - 1, true},
      {BudgetPeriod::kDay, kMidnight, kMidnight + kDayMs, false},
      {BudgetPeriod::kMonth, kMidnight - 1, kMidnight, false},
      {BudgetPeriod::kMonth, kMidnight, kMidnight + 30 * kDayMs, true},
      {BudgetPeriod::kMonth, kMidnight, kMidnight + 31 * kDayMs, false},
      {BudgetPeriod::kTotal, kMidnight, kMidnight + 4000 * kDayMs, true},
      // The clock was set back over midnight: what seems to be spent tomorrow counts.
      {BudgetPeriod::kDay, kMidnight, kMidnight - 1, true},
  };
  for (const auto& row : kCases) {
    LedgerSettings settings = Settings({Limit(BudgetScope::kTotal, row.period, 100)});
    settings.path = "";
    auto ledger = Ledger::Open(settings);
    now_ = row.first;
    ledger->Settle(ledger->Begin(Asking(80)), Costing(80));
    now_ = row.second;
    if (row.refused) {
      EXPECT_EQ(Caught([&] { ledger->Begin(Asking(80)); }).code(), Code::kQuota) << row.second;
    } else {
      ledger->Begin(Asking(80));
    }
  }
}

TEST_F(LedgerTest, UnknownPricesWithinABudgetAreAsTheSettingSays) {
  LedgerSettings settings = Settings({Total(100)});
  settings.path = "";
  auto allowing = Ledger::Open(settings);
  allowing->Begin(Asking(-1));
  allowing->Begin(Asking(100));
  // What is used up is used up, whatever the price.
  EXPECT_EQ(Caught([&] { allowing->Begin(Asking(-1)); }).code(), Code::kQuota);
  settings.unknown_price = UnknownPrice::kRefuse;
  auto refusing = Ledger::Open(settings);
  const Error error = Caught([&] { refusing->Begin(Asking(-1)); });
  EXPECT_EQ(error.code(), Code::kQuota);
  EXPECT_NE(std::string(error.what()).find("unknown"), std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(error.details())["requested_pico"].is_null());
  refusing->Begin(Asking(100));
  // Without a budget there is nothing to refuse for.
  settings.budgets.clear();
  Ledger::Open(settings)->Begin(Asking(-1));
}

TEST_F(LedgerTest, AStreamThatOutgrowsItsBudgetIsToBeCut) {
  auto ledger = Ledger::Open(Settings({Total(1000)}));
  ledger->Settle(ledger->Begin(Asking(300)), Costing(300));
  const int64_t id = ledger->Begin(Asking(200));
  EXPECT_FALSE(ledger->Running(id, 200).has_value());
  EXPECT_FALSE(ledger->Running(id, 700).has_value());  // beyond its reserve, within the budget
  const auto excess = ledger->Running(id, 701);
  ASSERT_TRUE(excess.has_value());
  EXPECT_EQ(excess->spent_pico, 300);
  EXPECT_EQ(excess->requested_pico, 701);
  EXPECT_EQ(Caught([&] { excess->Throw("deepseek", "deepseek-flash"); }).code(), Code::kQuota);
  ledger->Estimate(id, Costing(701));
  EXPECT_EQ(Caught([&] { ledger->Begin(Asking(1)); }).code(), Code::kQuota);
}

TEST_F(LedgerTest, WhatOthersSpendMeanwhileCutsAStream) {
  auto ledger = Ledger::Open(Settings({Total(1000)}));
  const int64_t id = ledger->Begin(Asking(-1));
  EXPECT_FALSE(ledger->Running(id, 600).has_value());
  {
    auto other = Ledger::Open(Settings());  // keeps no budget
    other->Settle(other->Begin(Asking(900)), Costing(900));
  }
  EXPECT_FALSE(ledger->Running(id, 601).has_value());  // has not looked again
  now_ += 1000;
  EXPECT_TRUE(ledger->Running(id, 602).has_value());
}

TEST_F(LedgerTest, RunningEstimatesAreWrittenOncePerInterval) {
  auto ledger = Ledger::Open(Settings());
  const int64_t id = ledger->Begin(Asking(500));
  const auto written = [&] { return Query("SELECT running_pico FROM attempts").at(0); };
  ledger->Running(id, 1);
  EXPECT_EQ(written(), "1");
  now_ += 999;
  ledger->Running(id, 2);
  EXPECT_EQ(written(), "1");
  now_ += 1;
  ledger->Running(id, 3);
  EXPECT_EQ(written(), "3");
  now_ -= 3'600'000;  // the clock was set back
  ledger->Running(id, 4);
  EXPECT_EQ(written(), "4");
}

TEST_F(LedgerTest, WhatALedgerLeavesOpenBecomesAnEstimate) {
  {
    auto ledger = Ledger::Open(Settings());
    ledger->Begin(Asking(500));
    const int64_t running = ledger->Begin(Asking(500));
    ledger->Running(running, 10);
    ledger->Running(running, 11);  // not written any more
    ledger->Begin(Asking(-1));
  }
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico FROM attempts WHERE id = 1"),
            (Row{"estimated", "500", "estimated", "500"}));
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico FROM attempts WHERE id = 2"),
            (Row{"estimated", "11", "estimated", "11"}));
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico FROM attempts WHERE id = 3"),
            (Row{"estimated", "NULL", "unknown", "0"}));
}

// Runs `work` in a process of its own, which tells of its readiness by one byte.
class Child {
 public:
  template <typename Work>
  explicit Child(const Work& work) {
    int ready[2], go[2];
    EXPECT_EQ(pipe(ready), 0);
    EXPECT_EQ(pipe(go), 0);
    pid_ = fork();
    if (pid_ == 0) {
      int result = 100;
      try {
        result = work([&] { EXPECT_EQ(write(ready[1], "x", 1), 1); },
                      [&] {
                        char byte;
                        EXPECT_EQ(read(go[0], &byte, 1), 1);
                      });
      } catch (const Error& error) {
        fprintf(stderr, "child: %s\n", error.what());
      }
      _exit(result);
    }
    close(ready[1]);
    close(go[0]);
    ready_ = ready[0];
    go_ = go[1];
  }
  ~Child() {
    close(ready_);
    close(go_);
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void AwaitReady() {
    char byte;
    ASSERT_EQ(read(ready_, &byte, 1), 1);
  }
  void Go() { ASSERT_EQ(write(go_, "x", 1), 1); }
  void Kill() { kill(pid_, SIGKILL); }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Until it has ended, without taking note of it: it stays as a zombie.
  void AwaitEnd() {
    siginfo_t information;
    waitid(P_PID, static_cast<id_t>(pid_), &information, WEXITED | WNOWAIT);
  }

 private:
  pid_t pid_ = 0;
  int ready_ = -1, go_ = -1;
};

TEST_F(LedgerTest, AProcessKilledInMidStreamLeavesAnEstimateForTheNextToOpen) {
  Child child([&](auto ready, auto wait) {
    auto ledger = Ledger::Open(Settings());
    ledger->Settle(ledger->Begin(Asking(500)), Costing(30));
    ledger->Running(ledger->Begin(Asking(500)), 77);
    ledger->Begin(Asking(400));
    ready();
    wait();
    return 0;
  });
  child.AwaitReady();
  // While it lives, others leave its rows alone.
  Ledger::Open(Settings());
  EXPECT_EQ(Query("SELECT group_concat(state) FROM attempts"), Row{"settled,running,reserved"});
  child.Kill();
  child.AwaitEnd();
  Ledger::Open(Settings());
  EXPECT_EQ(Query("SELECT group_concat(state), group_concat(cost_pico), group_concat(charge_pico), "
                  "group_concat(cost_source), group_concat(failure) FROM attempts"),
            (Row{"settled,estimated,estimated", "30,77,400", "30,77,400",
                 "table,estimated,estimated", ",process_gone,process_gone"}));
}

TEST_F(LedgerTest, ReservesOfTheDeadDoNotHoldABudgetForever) {
  Child child([&](auto ready, auto) {
    auto ledger = Ledger::Open(Settings({Total(1000)}));
    ledger->Running(ledger->Begin(Asking(900)), 100);
    ready();
    pause();
    return 0;
  });
  child.AwaitReady();
  child.Kill();
  child.Wait();
  auto ledger = Ledger::Open(Settings({Total(1000)}));
  ledger->Begin(Asking(900));  // 100 were spent, as far as is known
  EXPECT_EQ(Caught([&] { ledger->Begin(Asking(1)); }).code(), Code::kQuota);
}

TEST_F(LedgerTest, AttemptsWithoutNewsAreGivenUpAndMayStillEnd) {
  auto ledger = Ledger::Open(Settings());
  const int64_t silent = ledger->Begin(Asking(500)), busy = ledger->Begin(Asking(500));
  now_ += kDayMs / 2;
  ledger->Running(busy, 5);
  now_ += kDayMs / 2 + 1;
  EXPECT_EQ(ledger->RecoverLost(), 1);
  EXPECT_EQ(Query("SELECT group_concat(state) FROM attempts"), Row{"estimated,running"});
  ledger->Settle(silent, Costing(9));
  EXPECT_EQ(Query("SELECT state, cost_pico, cost_source, charge_pico FROM attempts WHERE id = 1"),
            (Row{"settled", "9", "table", "9"}));
  ledger->Settle(busy, Costing(9));
}

TEST_F(LedgerTest, ProcessesThatBeginAtOnceKeepOneBudget) {
  constexpr int kProcesses = 4;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(std::make_unique<Child>([&](auto ready, auto wait) {
      ready();
      wait();
      // They create the file at once, too.
      auto ledger = Ledger::Open(Settings({Total(1000)}));
      std::vector<int64_t> begun;
      try {
        for (;;) begun.push_back(ledger->Begin(Asking(30)));
      } catch (const Error& error) {
        if (error.code() != Code::kQuota) throw;
      }
      for (const int64_t id : begun) ledger->Settle(id, Costing(30));
      return static_cast<int>(begun.size());
    }));
  }
  for (const auto& child : children) child->AwaitReady();
  for (const auto& child : children) child->Go();
  int begun = 0;
  for (const auto& child : children) begun += child->Wait();
  EXPECT_EQ(begun, 1000 / 30);
  EXPECT_EQ(Query("SELECT count(*), sum(charge_pico), sum(state = 'settled') FROM attempts"),
            (Row{"33", "990", "33"}));
}

TEST_F(LedgerTest, ThreadsShareALedger) {
  auto ledger = Ledger::Open(Settings({Total(1000)}));
  std::atomic<int> begun = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      try {
        for (;;) {
          const int64_t id = ledger->Begin(Asking(10));
          ++begun;
          ledger->Running(id, 5);
          ledger->Settle(id, Costing(10));
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kQuota) << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(begun, 100);
}

TEST_F(LedgerTest, SpendingBeyondAllMeasureIsStillAboveTheLimit) {
  auto ledger = Ledger::Open(Settings({Total(kMost)}));
  Outcome outcome = Costing(1);
  outcome.usage.reported_cost_pico = kMost;
  for (int i = 0; i < 3; ++i) {
    Ledger::Open(Settings())->Begin(Asking(1));
    auto other = Ledger::Open(Settings());
    other->Settle(other->Begin(Asking(1)), outcome);
  }
  EXPECT_EQ(Caught([&] { ledger->Begin(Asking(1)); }).code(), Code::kQuota);
  EXPECT_EQ(ReportCosts(CostGroup::kDay, 0, kMost, ledger.get()).at(0).cost_pico, kMost);
}

TEST_F(LedgerTest, FilesOfOthersAreLeftAlone) {
  Execute("CREATE TABLE mine (x)");
  Error error = Caught([&] { Ledger::Open(Settings()); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_NE(std::string(error.what()).find(path_ + ": "), std::string::npos);
  EXPECT_EQ(Query("PRAGMA journal_mode"), Row{"delete"});

  remove(path_.c_str());
  Execute("PRAGMA application_id = 77; CREATE TABLE attempts (id)");
  EXPECT_EQ(Caught([&] { Ledger::Open(Settings()); }).code(), Code::kUnsupported);
}

TEST_F(LedgerTest, NewerFilesAreRefusedByTheirVersion) {
  Ledger::Open(Settings());
  Execute("PRAGMA user_version = 99");
  const Error error = Caught([&] { Ledger::Open(Settings()); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_NE(std::string(error.what()).find("version 99"), std::string::npos) << error.what();
}

TEST_F(LedgerTest, AnEmptyFileBecomesALedger) {
  std::ofstream(path_).close();
  auto ledger = Ledger::Open(Settings());
  EXPECT_EQ(ledger->Begin(Asking(1)), 1);
}

TEST_F(LedgerTest, WhatCannotBeReadOrWrittenIsAnErrorThatNamesTheFile) {
  std::ofstream(path_) << std::string(8192, 'x');
  for (const std::string& path :
       {path_, folder_, folder_ + "/no/such/folder/l", std::string("/proc/finback.sqlite")}) {
    LedgerSettings settings = Settings();
    settings.path = path;
    const Error error = Caught([&] { Ledger::Open(settings); });
    EXPECT_EQ(error.code(), Code::kIo) << error.what();
    EXPECT_EQ(std::string(error.what()).rfind(path + ": ", 0), 0u) << error.what();
  }
}

TEST_F(LedgerTest, AReadOnlyFolderIsRefused) {
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  // For root nothing is read-only.
  Child child([&](auto, auto) {
    if (geteuid() == 0 && setuid(65534) != 0) return 2;
    try {
      Ledger::Open(Settings());
    } catch (const Error& error) {
      return error.code() == Code::kIo ? 0 : 1;
    }
    return 1;
  });
  const int result = child.Wait();
  ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
  if (result == 2) GTEST_SKIP() << "root that cannot become another user";
  EXPECT_EQ(result, 0);
}

TEST_F(LedgerTest, DamageInsideTheFileIsAnErrorThatNamesIt) {
  {
    auto ledger = Ledger::Open(Settings());
    for (int i = 0; i < 200; ++i) ledger->Settle(ledger->Begin(Asking(1)), Costing(1));
  }
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(static_cast<size_t>(status.st_size) - 4096, '\x5A');
  }
  const Error error = Caught([&] {
    auto ledger = Ledger::Open(Settings({Total(kMost)}));
    ReportCosts(CostGroup::kDay, 0, kMost, ledger.get());
    ledger->Begin(Asking(1));
  });
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_EQ(std::string(error.what()).rfind(path_ + ": ", 0), 0u) << error.what();
}

TEST_F(LedgerTest, AFileThatStaysLockedIsAnErrorNotAWait) {
  Ledger::Open(Settings());
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  LedgerSettings settings = Settings();
  settings.busy_timeout_ms = 20;
  const Error error = Caught([&] { Ledger::Open(settings); });
  EXPECT_EQ(error.code(), Code::kIo);
  EXPECT_NE(std::string(error.what()).find("locked"), std::string::npos) << error.what();
  sqlite3_close(handle);
}

TEST_F(LedgerTest, PathsAreFilesWhateverTheyLookLike) {
  char* before = getcwd(nullptr, 0);
  ASSERT_EQ(chdir(folder_.c_str()), 0);
  for (const char* name : {":memory:", "file:x?mode=memory"}) {
    LedgerSettings settings = Settings();
    settings.path = name;
    Ledger::Open(settings);
    EXPECT_EQ(remove(name), 0) << name;
  }
  ASSERT_EQ(chdir(before), 0);
  free(before);
}

}  // namespace
}  // namespace finback
