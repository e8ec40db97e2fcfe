// finback._finback: finback.hpp for Python, one to one and no more. What users see is the typed
// package around it.
#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

#include "calls.h"
#include "interrupts.h"

namespace finback_python {
namespace {

std::vector<py::str> DescribeOptions() {
  std::vector<py::str> rows;
  const std::size_t count = finback_options_count();
  for (std::size_t i = 0; i < count; ++i) rows.push_back(Text(finback_options_describe(i)));
  return rows;
}

// A function of the library that needs options and a query alone.
template <auto kAsk>
py::str Ask(const OptionList& options, const std::string& query_json) {
  finback::Options values;
  return Text(Released([&] {
    SetAll(options, &values);
    return kAsk(values, query_json);
  }));
}

py::str ParseCompletion(const std::string& text, bool thinking, bool strict) {
  return Text(Released([&] {
    return finback::ParseCompletion(
        text, thinking ? finback::StartsIn::kReasoning : finback::StartsIn::kContent,
        strict ? finback::Grammar::kStrict : finback::Grammar::kTolerant);
  }));
}

void AddAll(py::module_* module) {
  PrepareInterrupts();
  AddStreams(module);
  AddSequences(module);
  module->def("version", [] { return Text(finback_version()); });
  module->def("build_info", [] { return Text(finback_build_info()); });
  module->def(
      "status_name", [](int32_t code) { return Text(finback_status_name(code)); }, py::arg("code"));
  module->def("describe_options", &DescribeOptions);
  module->def("cost_report", &Ask<finback::CostReport>, py::arg("options"), py::arg("query_json"));
  module->def("cache", &Ask<finback::Cache>, py::arg("options"), py::arg("query_json"));
  module->def(
      "encode_messages",
      [](const std::string& json) {
        return Text(Released([&] { return finback::EncodeMessages(json); }));
      },
      py::arg("json"));
  module->def("parse_completion", &ParseCompletion, py::arg("text"), py::arg("thinking"),
              py::arg("strict"));
}

// Callbacks and threads of this module belong to the main interpreter; and in another one pybind11
// would wait for ever for the lock that it holds.
int Execute(PyObject* module) {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "finback works in the main interpreter only, not in a subinterpreter (under "
                    "mod_wsgi: WSGIApplicationGroup %{GLOBAL})");
    return -1;
  }
  // Types can be made once: an import after the module was dropped gets the same.
  static PyObject* first = nullptr;
  if (first != nullptr) return PyDict_Update(PyModule_GetDict(module), PyModule_GetDict(first));
  try {
    PYBIND11_ENSURE_INTERNALS_READY
    py::module_ owned = py::reinterpret_borrow<py::module_>(module);
    AddAll(&owned);
    first = owned.inc_ref().ptr();
    return 0;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_ImportError, error.what());
  }
  return -1;
}

}  // namespace
}  // namespace finback_python

// In two phases, unlike PYBIND11_MODULE: the second runs in each interpreter that imports it.
extern "C" PYBIND11_EXPORT PyObject* PyInit__finback() {
  static PyModuleDef_Slot slots[] = {
      {Py_mod_exec, reinterpret_cast<void*>(&finback_python::Execute)},
#ifdef Py_mod_multiple_interpreters
      {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
      {0, nullptr},
  };
  static PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                   "_finback",
                                   "finback.hpp for Python; use the package finback.",
                                   0,
                                   nullptr,
                                   slots,
                                   nullptr,
                                   nullptr,
                                   nullptr};
  return PyModuleDef_Init(&definition);
}
