#include "core/base/parallel.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/process.h"
#include "core/base/processors.h"
#include "core/base/status.h"

#if defined(__SANITIZE_THREAD__)
#define FINBACK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FINBACK_TSAN 1
#endif
#endif

namespace finback {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int kTurnsOfWaiting = 2000;  // 0.05 to 0.1 ms

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Tells the processor that a loop waits: one turn takes some 40 to 140 cycles.
void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

// A worker that is inside of a piece when the others have finished is waited for, and where more
// threads want to run than there are cores, the system may run it a time slice later, hundreds of
// times a second. So a caller who waited long for nothing works alone for a while: as long as it
// waited, and several times that if it happens again soon after. Until a time without such waits
// has passed, workers sleep between calls instead of looking out for the next one.
// What is computed is the same.
class Patience {
 public:
  bool WorksAlone([[maybe_unused]] Clock::time_point now) const {
#ifdef FINBACK_TSAN
    return false;  // which would find fewer races, being slow
#else
    return now < alone_until_;
#endif
  }

  bool Crowded(Clock::time_point now) const { return now < crowded_until_; }

  // A call with workers began, the caller had no more to do at `finished`,
  // none was inside any more at `end`.
  void Took(Clock::time_point begin, Clock::time_point finished, Clock::time_point end) {
    const Clock::duration waited = end - finished;
    if (waited <= kLate || waited <= finished - begin) return;
    times_ = Crowded(begin) ? std::min(2 * times_, kMostTimes) : 1;
    alone_until_ = end + std::min<Clock::duration>(times_ * waited, kLongest);
    crowded_until_ = alone_until_ + kCalm;
  }

 private:
  static constexpr Clock::duration kLate = milliseconds(1);  // to wake up takes a tenth of it
  static constexpr Clock::duration kLongest = milliseconds(1000), kCalm = milliseconds(100);
  static constexpr int kMostTimes = 32;

  Clock::time_point alone_until_, crowded_until_;
  int times_ = 1;  // how many times as long as it waited
};

// While one lives, threads that are made take no signals of the process: those are for the threads
// of the program that has handlers for them. What a thread does to itself, and what profilers send
// to each, stays.
class WithoutSignals {
 public:
  WithoutSignals() {
    sigset_t taken;
    sigfillset(&taken);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
      sigdelset(&taken, own);
    }
    pthread_sigmask(SIG_BLOCK, &taken, &before_);
  }
  ~WithoutSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;

 private:
  sigset_t before_;
};

// Threads that take part in a job if they come in time. A job is a range of pieces, of which every
// thread has a share of its own, front to back, and helps out with the others' shares when that is
// done. Nobody is waited for who has not begun: a thread that the system runs late costs nothing.
class Team {
 public:
  using Task = void (*)(void* context, size_t begin, size_t end);
  struct Job {
    Task task;
    void* context;
    size_t count, grain;
  };

  // `threads` with the caller's. Throws std::bad_alloc, std::system_error.
  explicit Team(int threads) : shares_(static_cast<size_t>(threads)) {
    workers_.reserve(shares_.size() - 1);
    const WithoutSignals blocked;
    try {
      for (size_t i = 1; i < shares_.size(); ++i) workers_.emplace_back([this, i] { Work(i); });
    } catch (...) {
      Dismiss();
      throw;
    }
  }
  ~Team() { Dismiss(); }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // One caller at a time. `look_out`: workers that find nothing to do go on looking for a while.
  // Returns when the caller had no more to do, if it waited long for others after that, else the
  // time of no clock.
  Clock::time_point Run(const Job& job, bool look_out) {
    const size_t pieces = (job.count + job.grain - 1) / job.grain, threads = shares_.size();
    for (size_t i = 0; i < threads; ++i) {
      shares_[i].next.store(i * pieces / threads, std::memory_order_relaxed);
      shares_[i].end = (i + 1) * pieces / threads;
    }
    job_ = job;
    look_out_.store(look_out, std::memory_order_relaxed);
    gate_.fetch_add(kJob + kOpen);
    // Either a worker that goes to sleep sees the open gate, or it is seen here.
    if (asleep_.load() != 0) {
      { const std::lock_guard<std::mutex> locked(sleep_); }
      wake_.notify_all();
    }
    RunPieces(0);
    gate_.fetch_sub(kOpen, std::memory_order_acq_rel);
    for (int turn = 0; turn < kTurnsOfWaiting; ++turn) {
      if (Empty()) return {};
      Pause();
    }
    const Clock::time_point finished = Clock::now();
    while (!Empty()) std::this_thread::yield();
    return finished;
  }

 private:
  // gate_: the number of workers inside; whether more may come in; the number of the job.
  static constexpr uint32_t kOpen = 2048, kJob = 4096;
  static_assert(kMaxThreads < kOpen);
  static constexpr int kTurnsOfLookingOut = 8000;

  // Of the pieces; on a cache line of its own.
  struct alignas(64) Share {
    std::atomic<size_t> next{0};
    size_t end = 0;
  };

  bool Empty() const { return gate_.load(std::memory_order_acquire) % kOpen == 0; }

  void RunPieces(size_t thread) {
    const Job job = job_;
    for (size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[(thread + i) % shares_.size()];
      if (share.next.load(std::memory_order_relaxed) >= share.end) continue;
      for (size_t piece;
           (piece = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) {
        const size_t begin = piece * job.grain;
        job.task(job.context, begin, std::min(begin + job.grain, job.count));
      }
    }
  }

  void Work(size_t thread) {
    for (uint32_t seen = 0; !over_.load(std::memory_order_relaxed);) {
      uint32_t gate = gate_.load(std::memory_order_acquire);
      if ((gate & kOpen) != 0 && gate / kJob != seen) {
        gate = gate_.fetch_add(1, std::memory_order_acq_rel);
        if ((gate & kOpen) != 0) RunPieces(thread);
        gate_.fetch_sub(1, std::memory_order_release);
      }
      seen = gate / kJob;
      if (!LookOut(seen)) Sleep(seen);
    }
  }

  // Whether there is another job than the one seen last.
  bool News(uint32_t seen) const { return gate_.load() / kJob != seen || over_.load(); }

  bool LookOut(uint32_t seen) const {
    for (int turn = 0; turn < kTurnsOfLookingOut; ++turn) {
      if (gate_.load(std::memory_order_relaxed) / kJob != seen) return true;
      if (!look_out_.load(std::memory_order_relaxed)) return false;
      Pause();
    }
    return false;
  }

  void Sleep(uint32_t seen) {
    std::unique_lock<std::mutex> locked(sleep_);
    asleep_.fetch_add(1);
    wake_.wait(locked, [&] { return News(seen); });
    asleep_.fetch_sub(1);
  }

  void Dismiss() {
    over_.store(true);
    { const std::lock_guard<std::mutex> locked(sleep_); }
    wake_.notify_all();
    gate_.fetch_add(kJob);  // who looks out sees news
    for (std::thread& worker : workers_) worker.join();
  }

  alignas(64) std::atomic<uint32_t> gate_{0};
  Job job_{};  // written while the gate is closed and nobody inside
  std::atomic<bool> look_out_{true};
  std::vector<Share> shares_;
  std::atomic<bool> over_{false};
  alignas(64) std::atomic<uint32_t> asleep_{0};
  std::mutex sleep_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

}  // namespace

struct Parallel::State {
  ForkMutex lock;
  std::unique_ptr<Team> team;
  uint64_t made_in = 0;  // the process that the team's threads are of
  Patience patience;
  std::atomic<bool> brisk{true};  // as the last call found
  // A child has none of the threads, and would wait for them: what is left of the team stays.
  ~State() {
    if (made_in != ProcessGeneration()) static_cast<void>(team.release());
  }
  // Under the lock; false: there are no workers.
  bool Ready(int threads) {
    if (made_in == ProcessGeneration()) return team != nullptr;
    made_in = ProcessGeneration();
    patience = Patience();
    static_cast<void>(team.release());
    try {
      team = std::make_unique<Team>(threads);
    } catch (const std::bad_alloc&) {
    } catch (const std::system_error&) {
    }
    return team != nullptr;
  }
};

Parallel::Parallel(int threads, ForkCount* count)
    : count_(count), state_(std::make_unique<State>()) {
  if (threads < 0 || threads > kMaxThreads) {
    Throw(Code::kInvalidArgument, "threads: %d, expected 0 to %d", threads, kMaxThreads);
  }
  if (threads == 0) threads = std::min(AvailableProcessors(), kMaxThreads);
  threads_ = threads;
  if (threads == 1) return;
  if (!state_->Ready(threads)) {
    Throw(Code::kOutOfMemory, "threads: cannot start %d threads", threads);
  }
}

Parallel::~Parallel() = default;

void Parallel::AwaitCount(const std::atomic<size_t>& done, size_t count) {
  for (int turn = 0; done.load(std::memory_order_acquire) < count; ++turn) {
    if (turn < kTurnsOfWaiting) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

bool Parallel::Brisk() const { return state_->brisk.load(std::memory_order_relaxed); }

void Parallel::Run(size_t count, size_t grain, Task task, void* context) const {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  std::unique_lock<ForkMutex> workers(state_->lock, std::defer_lock);
  const auto alone = [&] {
    for (size_t begin = 0; begin < count;) {
      const size_t piece = std::min(grain, count - begin);
      task(context, begin, begin + piece);
      begin += piece;
    }
  };
  if (threads_ == 1 || count <= grain || !workers.try_lock() || !state_->Ready(threads_)) {
    alone();
    return;
  }
  Patience& patience = state_->patience;
  const Clock::time_point begin = Clock::now();
  const bool crowded = patience.Crowded(begin);
  state_->brisk.store(!crowded, std::memory_order_relaxed);
  if (patience.WorksAlone(begin)) {
    alone();
    return;
  }
  const Clock::time_point finished = state_->team->Run({task, context, count, grain}, !crowded);
  if (finished != Clock::time_point()) patience.Took(begin, finished, Clock::now());
  if (count_ != nullptr) {
    ++count_->forks;
    count_->time += Clock::now() - begin;
  }
}

}  // namespace finback
