#include "tools/interrupts.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

#include "tools/failure.h"

namespace {

std::atomic<bool> interrupted{false};
std::mutex cancel_mutex;
std::function<void()> cancel_function;
int wake_pipe[2];

// Signal handlers may do next to nothing: note it and wake the thread that may do more.
void HandleInterrupt(int) {
  const int saved_errno = errno;
  interrupted.store(true);
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(wake_pipe[1], &byte, 1);
  errno = saved_errno;
}

void WatchForInterrupts() {
  char byte = 0;
  for (;;) {
    const ssize_t bytes = read(wake_pipe[0], &byte, 1);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return;
    const std::lock_guard lock(cancel_mutex);
    if (cancel_function) cancel_function();
  }
}

}  // namespace

void InstallInterrupts(SecondInterrupt second) {
  signal(SIGPIPE, SIG_IGN);
  if (pipe(wake_pipe) != 0) throw Failure(kExitFailure, "cannot create a pipe");
  // The watcher must not be the one that a signal interrupts: reading a line depends on it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread(WatchForInterrupts).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  struct sigaction action = {};
  action.sa_handler = HandleInterrupt;
  action.sa_flags = second == SecondInterrupt::kEndsProgram ? SA_RESETHAND : 0;
  sigaction(SIGINT, &action, nullptr);
}

bool TakeInterrupt() { return interrupted.exchange(false); }

bool InterruptPending() { return interrupted.load(); }

CancelScope::CancelScope(std::function<void()> cancel) {
  const std::lock_guard lock(cancel_mutex);
  cancel_function = std::move(cancel);
  if (InterruptPending()) cancel_function();
}

CancelScope::~CancelScope() {
  const std::lock_guard lock(cancel_mutex);
  cancel_function = nullptr;
}
