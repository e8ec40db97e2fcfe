#include "core/base/parallel.h"

#include <pthreadpool.h>

#include <algorithm>
#include <mutex>
#include <thread>

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

}  // namespace

struct Parallel::State {
  std::mutex lock;
  pthreadpool_t pool = nullptr;
  ~State() {
    if (pool != nullptr) pthreadpool_destroy(pool);
  }
};

Parallel::Parallel(int threads) : state_(std::make_unique<State>()) {
  if (threads < 0 || threads > kMaxThreads) {
    Throw(Code::kInvalidArgument, "threads: %d, expected 0 to %d", threads, kMaxThreads);
  }
  if (threads == 0) {
    threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
  }
  threads_ = threads;
  if (threads == 1) return;
  state_->pool = pthreadpool_create(static_cast<size_t>(threads));
  if (state_->pool == nullptr) {
    Throw(Code::kOutOfMemory, "threads: cannot create a pool of %d threads", threads);
  }
}

Parallel::~Parallel() = default;

void Parallel::Run(size_t count, size_t grain, Task task, void* context) const {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  const std::lock_guard<std::mutex> hold(state_->lock);
  if (state_->pool == nullptr || count <= grain) {
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
  } job{task, context};
  MarkRelease(&job);
  pthreadpool_parallelize_1d_tile_1d(
      state_->pool,
      [](void* argument, size_t begin, size_t piece) {
        MarkAcquire(argument);
        const Job* work = static_cast<const Job*>(argument);
        work->task(work->context, begin, begin + piece);
        MarkRelease(argument);
      },
      &job, count, grain, 0);
  MarkAcquire(&job);
}

}  // namespace finback
