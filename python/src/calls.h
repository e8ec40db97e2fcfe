// What every call into the library shares: errors become Python's, callbacks run Python, and one
// object is used by one thread at a time.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <finback/finback.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace finback_python {

namespace py = pybind11;

// Before 3.14 Python ends a thread that wants the GIL while the interpreter goes away, by unwinding
// its stack: through the library and destructors, which would abort the process. Here such a thread
// waits for the end of the process instead, as it does in newer versions. `call` is of Python's C
// interface alone, so that nothing else leaves it early. A destructor and no handler, because a
// handler within another one's reach would end the process too.
template <typename Call>
auto StayAtExit(const Call& call) {
  struct Stay {
    bool returned = false;
    ~Stay() {
      while (!returned) pause();
    }
  } stay;
  if constexpr (std::is_void_v<decltype(call())>) {
    call();
    stay.returned = true;
  } else {
    auto result = call();
    stay.returned = true;
    return result;
  }
}

// This thread's state while it is in the library without the GIL.
inline thread_local PyThreadState* released_state = nullptr;

// Without the GIL for as long as it lives.
class GilReleased {
 public:
  GilReleased() : outer_(released_state) { released_state = PyEval_SaveThread(); }
  ~GilReleased() {
    StayAtExit([] { PyEval_RestoreThread(released_state); });
    released_state = outer_;
  }
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  PyThreadState* outer_;
};

// With the GIL: taken back in a callback of the library, or there already. A thread keeps its
// state, since asking Python for it is not safe once the interpreter is gone.
class GilHeld {
 public:
  GilHeld() : state_(std::exchange(released_state, nullptr)) {
    if (state_ != nullptr) StayAtExit([this] { PyEval_RestoreThread(state_); });
  }
  ~GilHeld() {
    if (state_ != nullptr) released_state = PyEval_SaveThread();
  }
  GilHeld(const GilHeld&) = delete;
  GilHeld& operator=(const GilHeld&) = delete;

 private:
  PyThreadState* state_;
};

// `callable` called with `arguments`; throws what it raised. The GIL is held.
inline py::object CallPython(const py::handle& callable, const py::tuple& arguments) {
  PyObject* answer =
      StayAtExit([&] { return PyObject_CallObject(callable.ptr(), arguments.ptr()); });
  if (answer == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(answer);
}

// The class of finback.errors that fits; does not return. The GIL is held.
[[noreturn]] void RaiseFinback(const finback::Error& error);

// What a callback raised during the present call on this thread: it is raised again when the call
// is over, in place of the CANCELLED that may have come of it.
inline thread_local std::optional<py::error_already_set> callback_error;

inline void RaiseCallbackError() {
  if (!callback_error) return;
  py::error_already_set pending = std::move(*callback_error);
  callback_error.reset();
  throw pending;
}

// A signal's handler raised something, which is pending. The GIL is held.
inline bool SignalRaised() {
  return StayAtExit([] { return PyErr_CheckSignals(); }) != 0;
}

// After a failed call, with the GIL: an interrupt or a callback's exception comes first.
[[noreturn]] inline void RaiseAfter(const finback::Error& error) {
  RaiseCallbackError();
  if (error.code() == FINBACK_ERROR_CANCELLED && SignalRaised()) {
    throw py::error_already_set();
  }
  RaiseFinback(error);
}

// Runs `call` without the GIL.
template <typename Call>
auto Released(Call&& call) {
  callback_error.reset();
  const auto run = [&call] {
    const GilReleased released;
    return call();
  };
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      run();
      RaiseCallbackError();
    } else {
      auto result = run();
      RaiseCallbackError();
      return result;
    }
  } catch (const finback::Error& error) {
    // The GIL is back: `released` went first.
    RaiseAfter(error);
  }
}

// Refuses a second thread instead of corrupting the first one's work. The GIL guards the flag.
class Exclusive {
 public:
  Exclusive(bool* busy, const char* what) : busy_(busy) {
    if (*busy) {
      RaiseFinback(finback::Error(FINBACK_ERROR_INVALID_ARGUMENT,
                                  std::string(what) + ": another thread is inside; use one "
                                                      "thread at a time, or one object each"));
    }
    *busy = true;
  }
  ~Exclusive() { *busy_ = false; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  bool* busy_;
};

// Text of the library is UTF-8; should it ever not be, a U+FFFD is better than an exception.
inline py::str Text(std::string_view text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace");
  if (decoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

// Names and values; the package gives them as bytes, because names of files may be any.
using OptionList = std::vector<std::pair<std::string, std::string>>;
inline void SetAll(const OptionList& options, finback::Options* values) {
  for (const auto& [name, value] : options) {
    values->Set(finback::detail::WithoutNul("option name", name), value);
  }
}

// Callbacks of Python for the library; None gives an empty one.
finback::Progress MakeProgress(const py::object& function);
finback::Log MakeLog(const py::object& function);

void AddStreams(py::module_* module);
void AddSequences(py::module_* module);

}  // namespace finback_python
