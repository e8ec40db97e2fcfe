// A ledger in a folder of its own, attempts for it, and a look into its file.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/remote/money/ledger_report.h"

namespace finback {

inline constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kNoon = 1'795'435'200'000;  // 2026-11-23T12:00:00Z, off-peak

inline Outcome Costing(int64_t pico) {
  Outcome outcome;
  outcome.usage.prompt_tokens = 100;
  outcome.usage.cached_tokens = 40;
  outcome.usage.completion_tokens = 10;
  outcome.cost.known = true;
  outcome.cost.pico = pico;
  outcome.cost.tariff = "off_peak";
  outcome.http_status = 200;
  return outcome;
}

inline Budget Limit(BudgetScope scope, BudgetPeriod period, int64_t limit_pico) {
  return {scope, "", period, limit_pico};
}
inline Budget Total(int64_t limit_pico) {
  return Limit(BudgetScope::kTotal, BudgetPeriod::kTotal, limit_pico);
}

template <typename Call>
Error Caught(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(Code::kOk, "");
}

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "finback_ledger_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = folder_ = pattern;
    path_ = folder_ + "/ledger.sqlite";
    now_ = kNoon;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  LedgerSettings Settings(std::vector<Budget> budgets = {}) {
    LedgerSettings settings;
    settings.path = path_;
    settings.budgets = std::move(budgets);
    settings.now_ms = [this] { return now_.load(); };
    return settings;
  }
  static Attempt Asking(int64_t reserve_pico) {
    Attempt attempt;
    attempt.conversation = "c1";
    attempt.key_label = "0a1b2c3d";
    attempt.provider = "deepseek";
    attempt.model = "deepseek-flash";
    attempt.user = "ann";
    attempt.tag = "test";
    attempt.reserve_pico = reserve_pico;
    return attempt;
  }
  // The first row of a query on the file, as text; "NULL" for NULL.
  std::vector<std::string> Query(const std::string& sql) {
    std::vector<std::string> columns;
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    if (sqlite3_step(statement) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const unsigned char* text = sqlite3_column_text(statement, i);
        columns.push_back(text == nullptr ? "NULL" : reinterpret_cast<const char*>(text));
      }
    }
    sqlite3_finalize(statement);
    sqlite3_close(handle);
    return columns;
  }
  void Execute(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  std::string root_, folder_, path_;
  std::atomic<int64_t> now_{0};
};

using Row = std::vector<std::string>;

}  // namespace finback
