#include "calls.h"

#include <memory>

#include "interrupts.h"

namespace finback_python {
namespace {

// A Python object that any thread may let go of, with or without the GIL.
std::shared_ptr<py::object> Shared(const py::object& object) {
  return std::shared_ptr<py::object>(new py::object(object), [](py::object* owned) {
    // An engine may outlive the interpreter; its callbacks are then nobody's.
    if (Py_IsInitialized() == 0) return;
    const py::gil_scoped_acquire acquire;
    delete owned;
  });
}

}  // namespace

void RaiseFinback(const finback::Error& error) {
  const py::object factory = py::module_::import("finback.errors").attr("from_code");
  const py::object raised = factory(error.code(), Text(error.what()), Text(error.details()));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.ptr())), raised.ptr());
  throw py::error_already_set();
}

finback::Progress MakeProgress(const py::object& function) {
  // Without a function too: it is where Ctrl-C can stop the opening of a model or a long prefill.
  return [shared = Shared(function)](std::string_view phase, uint64_t done, uint64_t total) {
    const py::gil_scoped_acquire acquire;
    try {
      if (OnMainThread() && PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (shared->is_none()) return true;
      const py::object answer = (*shared)(Text(phase), done, total);
      return !answer.is(py::bool_(false));
    } catch (py::error_already_set& error) {
      callback_error.emplace(std::move(error));
      return false;
    }
  };
}

finback::Log MakeLog(const py::object& function) {
  if (function.is_none()) return nullptr;
  return [shared = Shared(function)](int32_t level, std::string_view message) {
    const py::gil_scoped_acquire acquire;
    try {
      (*shared)(level, Text(message));
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("finback: log");
    }
  };
}

}  // namespace finback_python
