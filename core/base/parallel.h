// Fork-join over a fixed set of threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace finback {

// What calls of For did that other threads took part in.
struct ForkCount {
  uint64_t forks = 0;
  std::chrono::steady_clock::duration time{};  // from each such call to its return
};

class Parallel {
 public:
  // threads = 0: AvailableProcessors(). 1 runs everything on the caller's thread. In a forked child
  // there are as many again. `count`, if not null, is added to, without a lock: such an object has
  // one caller at a time.
  explicit Parallel(int threads, ForkCount* count = nullptr);
  ~Parallel();
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;

  int threads() const { return threads_; }

  // Calls body(begin, end) so that [0, count) is covered once, in pieces of at most `grain`, from
  // all threads; returns when all are done. Several callers may come at once: one has the workers,
  // the others run their pieces themselves. `body` must not throw and not call For of the same
  // object. How the range is cut must not change results: split rows and outputs only.
  template <typename Body>
  void For(size_t count, size_t grain, const Body& body) const {
    Run(
        count, grain,
        [](void* b, size_t begin, size_t end) { (*static_cast<const Body*>(b))(begin, end); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Task = void (*)(void* context, size_t begin, size_t end);
  void Run(size_t count, size_t grain, Task task, void* context) const;

  struct State;
  int threads_ = 1;
  ForkCount* count_ = nullptr;
  std::unique_ptr<State> state_;
};

}  // namespace finback
