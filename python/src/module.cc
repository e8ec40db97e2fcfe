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

using OptionList = std::vector<std::pair<std::string, std::string>>;

std::vector<py::str> DescribeOptions() {
  std::vector<py::str> rows;
  const std::size_t count = finback_options_count();
  for (std::size_t i = 0; i < count; ++i) rows.push_back(Text(finback_options_describe(i)));
  return rows;
}

py::str CostReport(const OptionList& options, const std::string& query_json) {
  finback::Options values;
  return Text(Released([&] {
    for (const auto& [name, value] : options) values.Set(name.c_str(), value);
    return finback::CostReport(values, query_json);
  }));
}

py::str ParseCompletion(const std::string& text, bool thinking, bool strict) {
  return Text(Released([&] {
    return finback::ParseCompletion(
        text, thinking ? finback::StartsIn::kReasoning : finback::StartsIn::kContent,
        strict ? finback::Grammar::kStrict : finback::Grammar::kTolerant);
  }));
}

}  // namespace
}  // namespace finback_python

PYBIND11_MODULE(_finback, module) {
  using namespace finback_python;
  module.doc() = "finback.hpp for Python; use the package finback.";
  PrepareInterrupts();
  AddStreams(&module);
  AddSequences(&module);
  module.def("version", [] { return Text(finback_version()); });
  module.def("build_info", [] { return Text(finback_build_info()); });
  module.def(
      "status_name", [](int32_t code) { return Text(finback_status_name(code)); }, py::arg("code"));
  module.def("describe_options", &DescribeOptions);
  module.def("cost_report", &CostReport, py::arg("options"), py::arg("query_json"));
  module.def(
      "encode_messages",
      [](const std::string& json) {
        return Text(Released([&] { return finback::EncodeMessages(json); }));
      },
      py::arg("json"));
  module.def("parse_completion", &ParseCompletion, py::arg("text"), py::arg("thinking"),
             py::arg("strict"));
}
