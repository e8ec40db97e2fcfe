// What sessions, sequences and restore points of one engine may reserve together. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

namespace finback {

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t limit_bytes) : limit_(limit_bytes) {}  // 0: no limit
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Whether so many are there at all: what cannot fit is worth nobody's giving way.
  bool Allows(uint64_t bytes) const { return limit_ == 0 || bytes <= limit_; }
  bool TryTake(uint64_t bytes) noexcept;
  void Give(uint64_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  // Lets go of something that can be done without, and says whether there was anything; called from
  // any thread where memory that must be had does not fit. To be set before others use the budget.
  void OnShortage(std::function<bool()> give_way) { give_way_ = std::move(give_way); }
  bool GiveWay() { return give_way_ && give_way_(); }
  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
  std::function<bool()> give_way_;
};

// A part of the budget, given back at the end of its life.
class Reservation {
 public:
  Reservation() = default;
  // Throws Error(kBudget) with the number needed, when nothing is left to give way; `what` is what
  // asks for it.
  Reservation(MemoryBudget* budget, uint64_t bytes, const char* what);
  // An empty one when the budget does not allow it; see `taken()`.
  static Reservation Try(MemoryBudget* budget, uint64_t bytes) noexcept;
  ~Reservation() { Release(); }
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;

  // Hands on a part of it; an empty one has empty parts. What is missing comes from the budget;
  // throws Error(kBudget).
  Reservation Split(uint64_t bytes);

  bool taken() const { return budget_ != nullptr; }
  uint64_t bytes() const { return bytes_; }

 private:
  void Release() noexcept;
  MemoryBudget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace finback
