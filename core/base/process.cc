#include "core/base/process.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <new>

#if defined(__SANITIZE_THREAD__)
extern "C" void AnnotateRWLockReleased(const char* file, int line, const volatile void* lock,
                                       long is_write);
#endif

namespace finback {
namespace {

constexpr time_t kLongestWaitSeconds = 1;

// Threads that come and go would keep fork() waiting; none is inside twice, see inside_gate.
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
constexpr pthread_rwlock_t kOpenGate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
#else
constexpr pthread_rwlock_t kOpenGate = PTHREAD_RWLOCK_INITIALIZER;
#endif

// fork() is the process's, and so is what watches it: the only state here that no object owns.
struct ForkWatch {
  std::atomic<uint64_t> generation{1};
  pthread_rwlock_t gate = kOpenGate;
  bool closed = false;  // by the thread that forks
};

ForkWatch watch;
thread_local int inside_gate = 0;

void BeforeFork() {
  watch.closed = false;
  if (inside_gate > 0) return;
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kLongestWaitSeconds;
  watch.closed = pthread_rwlock_timedwrlock(&watch.gate, &until) == 0;
}

void InParent() {
  if (watch.closed) pthread_rwlock_unlock(&watch.gate);
}

void InChild() {
  watch.generation.fetch_add(1, std::memory_order_relaxed);
#if defined(__SANITIZE_THREAD__)
  // It knows the lock as taken by the thread that forked, and sees no assignment.
  if (watch.closed) AnnotateRWLockReleased(__FILE__, __LINE__, &watch.gate, 1);
#endif
  // Its readers, if any, stayed behind.
  if (inside_gate == 0) watch.gate = kOpenGate;
}

}  // namespace

uint64_t ProcessGeneration() noexcept {
  static const int watched = pthread_atfork(&BeforeFork, &InParent, &InChild);
  static_cast<void>(watched);
  return watch.generation.load(std::memory_order_relaxed);
}

NoFork::NoFork() noexcept {
  ProcessGeneration();
  if (inside_gate++ == 0) pthread_rwlock_rdlock(&watch.gate);
}

NoFork::~NoFork() {
  if (--inside_gate == 0) pthread_rwlock_unlock(&watch.gate);
}

void ForkMutex::RenewFor(uint64_t now) {
  for (uint64_t seen = state_.load(std::memory_order_acquire); seen != now;) {
    if (seen == now + 1) {
      sched_yield();
      seen = state_.load(std::memory_order_acquire);
    } else if (state_.compare_exchange_weak(seen, now + 1, std::memory_order_acquire)) {
      if (mutex_.try_lock()) {
        mutex_.unlock();
      } else {
        new (&mutex_) std::mutex;
        orphaned_.store(true);
      }
      state_.store(now, std::memory_order_release);
      return;
    }
  }
}

}  // namespace finback
