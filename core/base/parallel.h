// Fork-join over a fixed set of threads.
#pragma once

#include <algorithm>
#include <atomic>
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

  // Whether workers look out for the next call, so that one costs little; where more threads want
  // to run than there are cores they sleep, and to wake them takes longer than brief work does.
  bool Brisk() const;

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

  // Several steps in one call: body(step, task, taker) for each of a step's tasks[step], when those
  // of the steps before are done. Takers, at most threads(), have one task each at a time.
  template <size_t kSteps, typename Body>
  void ForSteps(const size_t (&tasks)[kSteps], const Body& body) const {
    std::atomic<size_t> next[kSteps] = {}, done[kSteps] = {};
    const size_t most = *std::max_element(tasks, tasks + kSteps);
    For(std::min(most, static_cast<size_t>(threads_)), 1, [&](size_t begin, size_t end) {
      for (size_t taker = begin; taker < end; ++taker) {
        for (size_t step = 0; step < kSteps; ++step) {
          for (size_t task;
               (task = next[step].fetch_add(1, std::memory_order_relaxed)) < tasks[step];) {
            body(step, task, taker);
            done[step].fetch_add(1, std::memory_order_release);
          }
          AwaitCount(done[step], tasks[step]);
        }
      }
    });
  }

 private:
  // Until others have counted so far.
  static void AwaitCount(const std::atomic<size_t>& done, size_t count);

  using Task = void (*)(void* context, size_t begin, size_t end);
  void Run(size_t count, size_t grain, Task task, void* context) const;

  struct State;
  int threads_ = 1;
  ForkCount* count_ = nullptr;
  std::unique_ptr<State> state_;
};

}  // namespace finback
