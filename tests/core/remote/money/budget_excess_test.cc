#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "core/base/status.h"
#include "core/remote/money/ledger.h"

namespace finback {
namespace {

constexpr int64_t kCent = 10000000000;

// A request whose prompt costs a tenth of a cent, and each token of its output a thousandth.
Attempt Asking(int64_t most_tokens) {
  Attempt attempt;
  attempt.provider = "deepseek";
  attempt.model = "deepseek-flash";
  attempt.reserve_pico = kCent / 10 + most_tokens * (kCent / 1000);
  attempt.prompt_pico = kCent / 10;
  attempt.most_tokens = most_tokens;
  return attempt;
}

std::unique_ptr<Ledger> InMemory(int64_t limit_pico) {
  Budget budget;
  budget.limit_pico = limit_pico;
  LedgerSettings settings;
  settings.budgets = {budget};
  return Ledger::Open(settings);
}

// What the message says is to be done.
std::string Advice(Ledger* ledger, int64_t most_tokens) {
  try {
    ledger->Begin(Asking(most_tokens));
  } catch (const Error& error) {
    const std::string text = error.what();
    return text.substr(std::min(text.find("; "), text.size()));
  }
  return "it fits";
}

TEST(BudgetExcess, SaysWhatWouldFit) {
  auto ledger = InMemory(5 * kCent);
  EXPECT_EQ(Advice(ledger.get(), 65536),
            "; max_tokens 4900 would fit, or raise the budget to $0.66");
  EXPECT_EQ(Advice(ledger.get(), 4900), "it fits");
  EXPECT_EQ(Advice(ledger.get(), 4900), "; raise the budget to $0.11");  // the first is reserved
  EXPECT_EQ(Advice(InMemory(kCent / 20).get(), 100), "; raise the budget to $0.01");
  EXPECT_EQ(Advice(InMemory(kCent / 8).get(), 100),
            "; max_tokens 25 would fit, or raise the budget to $0.01");
}

TEST(BudgetExcess, TakesOffWhatIsSpent) {
  auto ledger = InMemory(5 * kCent);
  ledger->Begin(Asking(2900));
  EXPECT_EQ(Advice(ledger.get(), 65536),
            "; max_tokens 1900 would fit, or raise the budget to $0.69");
}

}  // namespace
}  // namespace finback
