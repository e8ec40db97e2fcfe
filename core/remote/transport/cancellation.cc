#include "core/remote/transport/cancellation.h"

#include <chrono>

namespace finback {

void Cancellation::Cancel() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_.store(true, std::memory_order_release);
  if (transfer_ != nullptr) transfer_->Cancel();
  wake_.notify_all();
}

void Cancellation::Attach(HttpTransfer* transfer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  transfer_ = transfer;
  if (transfer_ != nullptr && cancelled_.load(std::memory_order_relaxed)) transfer_->Cancel();
}

bool Cancellation::Sleep(int64_t milliseconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::milliseconds(milliseconds),
                         [this] { return cancelled_.load(std::memory_order_relaxed); });
}

void Cancellation::Check() const {
  if (cancelled()) ThrowFailure(MakeFailure(FailureKind::kCancelled, ""));
}

}  // namespace finback
