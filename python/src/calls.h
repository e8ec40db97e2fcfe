// What every call into the library shares: errors become Python's, callbacks run Python, and one
// object is used by one thread at a time.
#pragma once

#include <pybind11/pybind11.h>

#include <finback/finback.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace finback_python {

namespace py = pybind11;

// The class of finback.errors that fits; does not return. The GIL is held.
[[noreturn]] void RaiseFinback(const finback::Error& error);

// What a callback raised during the present call on this thread: it stopped the work, and is
// raised again in place of the CANCELLED that came of it.
inline thread_local std::optional<py::error_already_set> callback_error;

// After a failed call, with the GIL: an interrupt or a callback's exception comes first.
[[noreturn]] inline void RaiseAfter(const finback::Error& error) {
  if (callback_error) {
    py::error_already_set pending = std::move(*callback_error);
    callback_error.reset();
    throw pending;
  }
  if (error.code() == FINBACK_ERROR_CANCELLED && PyErr_CheckSignals() != 0) {
    throw py::error_already_set();
  }
  RaiseFinback(error);
}

// Runs `call` without the GIL.
template <typename Call>
auto Released(Call&& call) {
  callback_error.reset();
  try {
    const py::gil_scoped_release release;
    return call();
  } catch (const finback::Error& error) {
    // The GIL is back: `release` went first.
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

// Callbacks of Python for the library; None gives an empty one.
finback::Progress MakeProgress(const py::object& function);
finback::Log MakeLog(const py::object& function);

void AddStreams(py::module_* module);
void AddSequences(py::module_* module);

}  // namespace finback_python
