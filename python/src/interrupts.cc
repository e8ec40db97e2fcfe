#include "interrupts.h"

#include <pthread.h>
#include <pybind11/pybind11.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>

namespace finback_python {
namespace {

pthread_t main_thread;

}  // namespace

bool OnMainThread() { return pthread_equal(pthread_self(), main_thread) != 0; }

namespace {

namespace py = pybind11;

PyObject *get_signal, *default_handler, *sigint_number;  // kept for the life of the process

// Of the main thread, and of the handler that runs on whichever thread gets the signal.
struct sigaction previous;
int wake_pipe[2] = {-1, -1};
bool watching = false;

std::mutex target_mutex;  // over what follows: a cancel must not meet an object that goes away
Cancellable target{nullptr, nullptr};
// Which call `target` is of. The watcher may come late, and must not cancel a later call.
std::atomic<uint64_t> call_number{0};
bool fired = false;  // the present call was cancelled
static_assert(std::atomic<uint64_t>::is_always_lock_free, "a signal handler reads it");

// A handler may do next to nothing: it wakes the watcher and lets Python have the signal too.
void HandleInterrupt(int number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const uint64_t call = call_number.load();
  [[maybe_unused]] const ssize_t written = write(wake_pipe[1], &call, sizeof call);
  errno = saved_errno;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  }
}

void Watch(int pipe) {
  uint64_t call = 0;
  for (;;) {
    const ssize_t bytes = read(pipe, &call, sizeof call);  // so few bytes come in one piece
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes != sizeof call) return;
    const std::lock_guard<std::mutex> lock(target_mutex);
    if (target.cancel == nullptr || call != call_number.load()) continue;
    target.cancel(target.object);
    fired = true;
  }
}

// The watcher takes no signals itself. False: there can be none, and interrupts wait for the call.
bool StartWatching() {
  if (watching) return true;
  if (pipe(wake_pipe) != 0) return false;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    std::thread(Watch, wake_pipe[0]).detach();
    watching = true;
  } catch (const std::system_error&) {
    close(wake_pipe[0]);
    close(wake_pipe[1]);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return watching;
}

// A child has neither the watcher nor a use for the parent's pipe;
// the thread that forked is its main one, and no other is in a call.
void ForgetAfterFork() {
  new (&target_mutex) std::mutex;  // the watcher may have held it
  if (!OnMainThread() && target.cancel != nullptr) {
    sigaction(SIGINT, &previous, nullptr);
    target = {nullptr, nullptr};
    ++call_number;
  }
  main_thread = pthread_self();
  if (watching) {
    close(wake_pipe[0]);
    close(wake_pipe[1]);
    wake_pipe[0] = wake_pipe[1] = -1;
  }
  watching = false;
}

bool PythonRaisesKeyboardInterrupt() {
  PyObject* handler = PyObject_CallFunctionObjArgs(get_signal, sigint_number, nullptr);
  if (handler == nullptr) {
    PyErr_Clear();
    return false;
  }
  Py_DECREF(handler);
  return handler == default_handler;
}

}  // namespace

void PrepareInterrupts() {
  const py::module_ signals = py::module_::import("_signal");
  get_signal = py::object(signals.attr("getsignal")).release().ptr();
  default_handler = py::object(signals.attr("default_int_handler")).release().ptr();
  sigint_number = py::int_(SIGINT).release().ptr();
  const py::object main = py::module_::import("threading").attr("main_thread")();
  main_thread = static_cast<pthread_t>(main.attr("ident").cast<unsigned long>());
  sigaction(SIGINT, nullptr, &previous);
  pthread_atfork(nullptr, nullptr, &ForgetAfterFork);
}

InterruptScope::InterruptScope(Cancellable what) {
  if (!OnMainThread()) return;
  {
    const std::lock_guard<std::mutex> lock(target_mutex);
    outer_ = target;
    if (outer_.cancel != nullptr) {
      target = what;
      ++call_number;
      installed_ = Installed::kInsideAnother;
      return;
    }
  }
  if (!PythonRaisesKeyboardInterrupt() || !StartWatching()) return;
  {
    const std::lock_guard<std::mutex> lock(target_mutex);
    target = what;
    fired = false;
    ++call_number;
  }
  struct sigaction action = {};
  action.sa_sigaction = &HandleInterrupt;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous);
  installed_ = Installed::kHandler;
}

bool InterruptScope::End() {
  if (installed_ == Installed::kNot) return false;
  if (installed_ == Installed::kHandler) sigaction(SIGINT, &previous, nullptr);
  installed_ = Installed::kNot;
  const std::lock_guard<std::mutex> lock(target_mutex);
  target = outer_;
  ++call_number;
  return fired;
}

InterruptScope::~InterruptScope() { End(); }

}  // namespace finback_python
