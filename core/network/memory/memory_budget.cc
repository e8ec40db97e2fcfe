#include "core/network/memory/memory_budget.h"

#include <cinttypes>
#include <utility>

#include "core/base/status.h"

namespace finback {

bool MemoryBudget::TryTake(uint64_t bytes) noexcept {
  uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (limit_ > 0 && (used > limit_ || bytes > limit_ - used)) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

Reservation::Reservation(MemoryBudget* budget, uint64_t bytes, const char* what) {
  while (!budget->TryTake(bytes)) {
    if (budget->Allows(bytes) && budget->GiveWay()) continue;
    const uint64_t used = budget->used();
    Throw(Code::kBudget,
          "%s needs %" PRIu64 " bytes, and %" PRIu64 " are in use: memory_budget_bytes is %" PRIu64
          ", needed %" PRIu64 "; raise it, or free sessions or sequences",
          what, bytes, used, budget->limit(), used + bytes);
  }
  budget_ = budget;
  bytes_ = bytes;
}

Reservation Reservation::Try(MemoryBudget* budget, uint64_t bytes) noexcept {
  Reservation reservation;
  if (budget->TryTake(bytes)) {
    reservation.budget_ = budget;
    reservation.bytes_ = bytes;
  }
  return reservation;
}

Reservation::Reservation(Reservation&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    budget_ = std::exchange(other.budget_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Reservation Reservation::Split(uint64_t bytes) {
  Reservation part;
  if (budget_ == nullptr) return part;
  if (bytes > bytes_) {
    Reservation missing(budget_, bytes - bytes_, "memory for more tokens");
    bytes_ += std::exchange(missing.bytes_, 0);
  }
  part.budget_ = budget_;
  part.bytes_ = bytes;
  bytes_ -= bytes;
  return part;
}

void Reservation::Release() noexcept {
  if (budget_ != nullptr) budget_->Give(bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

}  // namespace finback
