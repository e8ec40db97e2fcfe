// Sequences: token ids in, logits out, without copying the logits.
#include <pybind11/stl.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "calls.h"
#include "interrupts.h"

namespace finback_python {
namespace {

// Float32 logits, [rows, vocab], behind Python's buffer protocol.
struct Logits {
  std::vector<float> values;
  py::ssize_t rows = 0, vocab = 0;
};

struct PySequence {
  explicit PySequence(finback::Sequence owned) : sequence(std::move(owned)) {}
  finback::Sequence sequence;
  bool busy = false;
  // An interrupt came when the work was just done: its cancel waits for the next evaluation, which
  // it is not meant for.
  bool stale_cancel = false;
  Cancellable cancellable() {
    return {[](void* self) { static_cast<finback::Sequence*>(self)->Cancel(); }, &sequence};
  }
  void Run(const std::vector<int32_t>& ids, float* logits, std::size_t rows) {
    InterruptScope scope(cancellable());
    Released([&] {
      const int64_t before = sequence.Position();
      try {
        sequence.EvaluateInto(ids.data(), ids.size(), logits, rows);
      } catch (const finback::Error& error) {
        const bool again = stale_cancel && error.code() == FINBACK_ERROR_CANCELLED;
        stale_cancel = false;
        if (!again || sequence.Position() != before) throw;
        sequence.EvaluateInto(ids.data(), ids.size(), logits, rows);
      }
    });
    stale_cancel = scope.End();
  }
};

[[noreturn]] void Refuse(const std::string& message) {
  RaiseFinback(finback::Error(FINBACK_ERROR_INVALID_ARGUMENT, message));
}

// How many rows of `count` ids are wanted: "none", "last" or "all".
std::size_t RowCount(const std::string& rows, std::size_t count) {
  if (rows == "none" || (count == 0 && (rows == "last" || rows == "all"))) return 0;
  if (rows == "last") return 1;
  if (rows == "all") return count;
  Refuse("rows: must be \"none\", \"last\" or \"all\", got \"" + rows + "\"");
}

std::unique_ptr<Logits> Evaluate(PySequence& self, const std::vector<int32_t>& ids,
                                 const std::string& rows) {
  const Exclusive exclusive(&self.busy, "sequence");
  auto logits = std::make_unique<Logits>();
  const std::size_t count = RowCount(rows, ids.size()), vocab = self.sequence.Vocab();
  logits->values.resize(count * vocab);
  self.Run(ids, logits->values.data(), count);
  logits->rows = static_cast<py::ssize_t>(count);
  logits->vocab = static_cast<py::ssize_t>(vocab);
  return logits;
}

void EvaluateInto(PySequence& self, const std::vector<int32_t>& ids, const std::string& rows,
                  const py::buffer& out) {
  const Exclusive exclusive(&self.busy, "sequence");
  const std::size_t count = RowCount(rows, ids.size()), vocab = self.sequence.Vocab();
  const py::buffer_info info = out.request(/*writable=*/true);
  const auto size = static_cast<std::size_t>(info.size);
  const bool contiguous = PyBuffer_IsContiguous(info.view(), 'C') != 0;
  if (info.format != py::format_descriptor<float>::format() || !contiguous ||
      size != count * vocab) {
    Refuse("out: must be C-contiguous float32 of " + std::to_string(count) + " x " +
           std::to_string(vocab) + " numbers, got " + std::to_string(size) + " of format \"" +
           info.format + (contiguous ? "\"" : "\", not contiguous"));
  }
  self.Run(ids, static_cast<float*>(info.ptr), count);
}

py::bytes Snapshot(PySequence& self) {
  const Exclusive exclusive(&self.busy, "sequence");
  const std::vector<uint8_t> bytes = Released([&] { return self.sequence.Snapshot(); });
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Restore(PySequence& self, const py::bytes& snapshot) {
  const Exclusive exclusive(&self.busy, "sequence");
  char* data = nullptr;
  py::ssize_t size = 0;
  if (PyBytes_AsStringAndSize(snapshot.ptr(), &data, &size) != 0) throw py::error_already_set();
  Released([&] { self.sequence.Restore(data, static_cast<std::size_t>(size)); });
}

}  // namespace

void AddSequences(py::module_* module) {
  py::class_<Logits>(*module, "Logits", py::buffer_protocol(),
                     "Float32 logits, [rows, vocab], readable through the buffer protocol.")
      .def_buffer([](Logits& self) {
        constexpr auto kItem = static_cast<py::ssize_t>(sizeof(float));
        return py::buffer_info(self.values.data(), kItem, py::format_descriptor<float>::format(), 2,
                               {self.rows, self.vocab}, {self.vocab * kItem, kItem});
      });

  py::class_<PySequence>(*module, "Sequence", "The network without text.")
      .def(py::init([](finback::Engine& engine) {
             return PySequence(Released([&] { return engine.NewSequence(); }));
           }),
           py::arg("engine"))
      .def("evaluate", &Evaluate, py::arg("ids"), py::arg("rows"))
      .def("evaluate_into", &EvaluateInto, py::arg("ids"), py::arg("rows"), py::arg("out"))
      .def("position", [](const PySequence& self) { return self.sequence.Position(); })
      .def("context_tokens", [](const PySequence& self) { return self.sequence.ContextTokens(); })
      .def("vocab", [](const PySequence& self) { return self.sequence.Vocab(); })
      .def(
          "roll_back",
          [](PySequence& self, int64_t tokens) {
            const Exclusive exclusive(&self.busy, "sequence");
            Released([&] { self.sequence.RollBack(tokens); });
          },
          py::arg("tokens"))
      .def("fork",
           [](PySequence& self) {
             const Exclusive exclusive(&self.busy, "sequence");
             return PySequence(Released([&] { return self.sequence.Fork(); }));
           })
      .def("snapshot", &Snapshot)
      .def("restore", &Restore, py::arg("snapshot"))
      .def("cancel", [](PySequence& self) { self.sequence.Cancel(); });
}

}  // namespace finback_python
