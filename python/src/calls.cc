#include "calls.h"

#include <memory>

#include "interrupts.h"

namespace finback_python {
namespace {

// A Python object that any thread may let go of, with or without the GIL.
std::shared_ptr<py::object> Shared(const py::object& object) {
  return std::shared_ptr<py::object>(new py::object(object), [](py::object* owned) {
    // An engine may outlive the interpreter; its callbacks are then nobody's.
    if (Py_IsInitialized() == 0) {
      owned->release();
      delete owned;
      return;
    }
    const GilHeld held;
    delete owned;
  });
}

}  // namespace

void RaiseFinback(const finback::Error& error) {
  // Importing takes a lock, which a forked child may find taken for ever.
  const py::str name("finback.errors");
  PyObject* errors = PyImport_GetModule(name.ptr());
  if (errors == nullptr) {
    errors = StayAtExit([&name] { return PyImport_Import(name.ptr()); });
  }
  if (errors == nullptr) throw py::error_already_set();
  const py::object factory = py::reinterpret_steal<py::module_>(errors).attr("from_code");
  const py::object raised =
      CallPython(factory, py::make_tuple(error.code(), Text(error.what()), Text(error.details())));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.ptr())), raised.ptr());
  throw py::error_already_set();
}

finback::Progress MakeProgress(const py::object& function) {
  // Without a function too: it is where Ctrl-C can stop the opening of a model or a long prefill.
  return [shared = Shared(function)](std::string_view phase, uint64_t done, uint64_t total) {
    const GilHeld held;
    try {
      if (OnMainThread() && SignalRaised()) throw py::error_already_set();
      if (shared->is_none()) return true;
      const py::object answer = CallPython(*shared, py::make_tuple(Text(phase), done, total));
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
    const GilHeld held;
    try {
      CallPython(*shared, py::make_tuple(level, Text(message)));
    } catch (py::error_already_set& error) {
      // Ctrl-C may come while Python writes a line: it ends the call, not the line alone.
      if (!StayAtExit([&error] { return error.matches(PyExc_Exception); })) {
        callback_error.emplace(std::move(error));
        return;
      }
      StayAtExit([&error] { error.discard_as_unraisable("finback: log"); });
    }
  };
}

}  // namespace finback_python
