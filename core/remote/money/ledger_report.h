// What a ledger says: sums by group, and finished attempts at the prices of another table. All
// throw as the ledger does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/remote/money/ledger.h"
#include "core/remote/money/prices.h"

namespace finback {

enum class CostGroup : uint8_t { kDay, kModel, kKey, kUser, kTag, kProvider, kConversation };
inline constexpr std::string_view kCostGroupNames[] = {"day", "model",    "key",         "user",
                                                       "tag", "provider", "conversation"};

struct CostRow {
  std::string group;
  int64_t attempts = 0;
  int64_t open = 0, failed = 0;        // not over yet; nothing generated
  int64_t estimated = 0, unknown = 0;  // over, and the cost estimated or not known
  int64_t ambiguous = 0;               // whose tariff changed while they ran
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  int64_t cost_pico = 0;      // of those whose cost is known or estimated
  int64_t reserved_pico = 0;  // held for open attempts

  // Of the prompt; -1 without one.
  double CacheHitRatio() const;
};

struct Repricing {
  int64_t examined = 0, changed = 0;     // a known cost became another
  int64_t found = 0, without_price = 0;  // became known; not in the table: left as they were
  int64_t difference_pico = 0;           // of the changed
  int64_t found_pico = 0;                // of those that became known
};

// Attempts sent in [since_ms, until_ms), by name of the group.
std::vector<CostRow> ReportCosts(CostGroup group, int64_t since_ms, int64_t until_ms,
                                 Ledger* ledger);
std::string ReportCostsJson(CostGroup group, int64_t since_ms, int64_t until_ms, Ledger* ledger);

// Computes finished attempts anew. The first figure of each stays in original_pico; costs that a
// service reported stay, and their difference from the table changes.
Repricing Reprice(const PriceTable& table, Ledger* ledger);

}  // namespace finback
