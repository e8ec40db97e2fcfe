#include "core/base/parallel.h"

#include <pthreadpool.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>

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

#ifdef FINBACK_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace finback {
namespace {

// The pool library is not instrumented: without these marks TSan sees no order between the caller
// and its workers.
void MarkRelease([[maybe_unused]] void* address) {
#ifdef FINBACK_TSAN
  __tsan_release(address);
#endif
}

void MarkAcquire([[maybe_unused]] void* address) {
#ifdef FINBACK_TSAN
  __tsan_acquire(address);
#endif
}

constexpr int kMaxThreads = 1024;

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Every worker has to report before a call returns, even if others did its share. Where more
// threads want to run than there are cores, the system may run it a time slice later, thousands of
// times a second. So a caller who waited long for nothing works alone for a while: as long as it
// waited, and several times that if it happens again soon after. Until a time without such waits
// has passed, workers sleep between calls instead of looking out for the next one.
// What is computed is the same.
class Patience {
 public:
  bool WorksAlone() const {
#ifdef FINBACK_TSAN
    return false;  // which would find fewer races, being slow
#else
    return Clock::now() < alone_until_;
#endif
  }

  bool Crowded(Clock::time_point now) const { return now < crowded_until_; }

  // A call with workers began, the caller had no more to do at `finished`,
  // all had reported at `end`.
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

}  // namespace

struct Parallel::State {
  ForkMutex lock;
  pthreadpool_t pool = nullptr;
  uint64_t made_in = 0;  // the process that the pool's threads are of
  Patience patience;
  // A child has none of the threads, and would wait for them: what is left of the pool stays.
  ~State() {
    if (pool != nullptr && made_in == ProcessGeneration()) pthreadpool_destroy(pool);
  }
  // Under the lock; false: there are no workers.
  bool Ready(int threads) {
    if (made_in == ProcessGeneration()) return pool != nullptr;
    made_in = ProcessGeneration();
    patience = Patience();
    const WithoutSignals blocked;
    pool = pthreadpool_create(static_cast<size_t>(threads));
    return pool != nullptr;
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
    Throw(Code::kOutOfMemory, "threads: cannot create a pool of %d threads", threads);
  }
}

Parallel::~Parallel() = default;

void Parallel::Run(size_t count, size_t grain, Task task, void* context) const {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  std::unique_lock<ForkMutex> workers(state_->lock, std::defer_lock);
  if (threads_ == 1 || count <= grain || !workers.try_lock() || !state_->Ready(threads_) ||
      state_->patience.WorksAlone()) {
    for (size_t begin = 0; begin < count;) {
      const size_t piece = std::min(grain, count - begin);
      task(context, begin, begin + piece);
      begin += piece;
    }
    return;
  }
  struct Job {
    Task task;
    void* context;
    std::thread::id caller;
    Clock::time_point finished;  // the caller's last piece
  };
  const Clock::time_point begin = Clock::now();
  Job job{task, context, std::this_thread::get_id(), begin};
  MarkRelease(&job);
  pthreadpool_parallelize_1d_tile_1d(
      state_->pool,
      [](void* argument, size_t first, size_t piece) {
        MarkAcquire(argument);
        Job* work = static_cast<Job*>(argument);
        work->task(work->context, first, first + piece);
        if (std::this_thread::get_id() == work->caller) work->finished = Clock::now();
        MarkRelease(argument);
      },
      &job, count, grain, state_->patience.Crowded(begin) ? PTHREADPOOL_FLAG_YIELD_WORKERS : 0);
  MarkAcquire(&job);
  const Clock::time_point end = Clock::now();
  state_->patience.Took(begin, job.finished, end);
  if (count_ != nullptr) {
    ++count_->forks;
    count_->time += end - begin;
  }
}

}  // namespace finback
