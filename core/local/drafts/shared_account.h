// What the answers of one engine have learnt of drafting, from each to the next. Any thread; who
// comes at the same moment as another goes without.
#pragma once

#include <atomic>

#include "core/local/drafts/account.h"

namespace finback {

class SharedAccount {
 public:
  Account Load() noexcept {
    Account account;
    if (busy_.exchange(true, std::memory_order_acquire)) return account;
    account = account_;
    busy_.store(false, std::memory_order_release);
    return account;
  }
  void Store(const Account& account) noexcept {
    if (busy_.exchange(true, std::memory_order_acquire)) return;
    account_ = account;
    busy_.store(false, std::memory_order_release);
  }

 private:
  std::atomic<bool> busy_{false};
  Account account_;
};

}  // namespace finback
