// Streams and sessions.
#include <pybind11/stl.h>

#include <utility>
#include <vector>

#include "calls.h"
#include "interrupts.h"

namespace finback_python {
namespace {

struct PyStream {
  explicit PyStream(finback::Stream owned) : stream(std::move(owned)) {}
  finback::Stream stream;
  bool busy = false;
  Cancellable cancellable() {
    return {[](void* self) { static_cast<finback::Stream*>(self)->Cancel(); }, &stream};
  }
};

struct PySession {
  explicit PySession(finback::Session owned) : session(std::move(owned)) {}
  finback::Session session;
  bool busy = false;
};

// The event as one flat tuple: Python's classes are made of it in finback/events.py.
py::tuple ToTuple(const finback::Event& event) {
  const std::string_view text =
      event.kind == finback::EventKind::kFinish ? event.finish_reason : event.text;
  return py::make_tuple(static_cast<int32_t>(event.kind), Text(text), event.tool_index,
                        Text(event.tool_id), Text(event.tool_name), event.progress_done,
                        event.progress_total);
}

py::object Step(PyStream& self) {
  const Exclusive exclusive(&self.busy, "stream");
  const InterruptScope scope(self.cancellable());
  const finback::Event* event = Released([&] { return self.stream.Next(); });
  if (event == nullptr) return py::none();
  return ToTuple(*event);
}

// To the end in one go, for whoever wants the response alone. Returns the texts of the notices.
std::vector<py::str> Drain(PyStream& self) {
  const Exclusive exclusive(&self.busy, "stream");
  const InterruptScope scope(self.cancellable());
  const std::vector<std::string> notices = Released([&] {
    std::vector<std::string> texts;
    while (const finback::Event* event = self.stream.Next()) {
      if (event->kind == finback::EventKind::kNotice) texts.emplace_back(event->text);
    }
    return texts;
  });
  std::vector<py::str> decoded;
  for (const std::string& notice : notices) decoded.push_back(Text(notice));
  return decoded;
}

py::tuple Usage(PyStream& self) {
  const Exclusive exclusive(&self.busy, "stream");
  const finback_usage usage = Released([&] { return self.stream.Usage(); });
  return py::make_tuple(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
                        usage.reasoning_tokens, usage.disk_tokens, usage.proposed_tokens,
                        usage.accepted_tokens);
}

PyStream SessionChat(PySession& self, const std::string& request_json) {
  const Exclusive exclusive(&self.busy, "session");
  return PyStream(Released([&] { return self.session.Chat(request_json); }));
}

}  // namespace

void AddStreams(py::module_* module) {
  py::class_<PyStream>(*module, "Stream", "One answer being produced.")
      .def("step", &Step,
           "The next event as (kind, text, tool_index, tool_id, tool_name, progress_done,\n"
           "progress_total), or None when the stream is over. The text of FINISH is its reason.")
      .def("drain", &Drain, "Steps to the end; returns the texts of NOTICE events.")
      .def(
          "logprobs",
          [](PyStream& self) {
            const Exclusive exclusive(&self.busy, "stream");
            return Text(self.stream.Logprobs());
          },
          "The present event's tokens, as JSON.")
      .def(
          "response",
          [](PyStream& self) {
            const Exclusive exclusive(&self.busy, "stream");
            return Text(self.stream.Response());
          },
          "The answer so far, as a chat.completion or text_completion in JSON.")
      .def(
          "chunk",
          [](PyStream& self) {
            const Exclusive exclusive(&self.busy, "stream");
            return Text(self.stream.Chunk());
          },
          "The present event as a chat.completion.chunk in JSON; empty where it has none.")
      .def("usage", &Usage,
           "(prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, "
           "disk_tokens, proposed_tokens, accepted_tokens) as of now.")
      .def(
          "cancel", [](PyStream& self) { self.stream.Cancel(); },
          "Stops the stream within one token. Any thread.");

  py::class_<PySession>(*module, "Session", "What one conversation has computed.")
      .def("chat", &SessionChat, py::arg("request_json"), "Starts an answer in this session.");

  py::class_<finback::Engine>(*module, "Engine", "One open model. Any thread.")
      .def(py::init(
               [](const OptionList& options, const py::object& progress, const py::object& log) {
                 finback::Options values;
                 finback::Progress call_progress = MakeProgress(progress);
                 finback::Log call_log = MakeLog(log);
                 return Released([&] {
                   SetAll(options, &values);
                   return finback::Engine(std::move(values), std::move(call_progress),
                                          std::move(call_log));
                 });
               }),
           py::arg("options"), py::arg("progress"), py::arg("log"))
      .def("info",
           [](finback::Engine& self) { return Text(Released([&] { return self.Info(); })); })
      .def(
          "verify",
          [](finback::Engine& self, const std::optional<std::string>& sha256_list) {
            Released([&] { sha256_list ? self.Verify(*sha256_list) : self.Verify(); });
          },
          py::arg("sha256_list"))
      .def("models",
           [](finback::Engine& self) { return Text(Released([&] { return self.Models(); })); })
      .def("balance",
           [](finback::Engine& self) { return Text(Released([&] { return self.Balance(); })); })
      .def(
          "tokenize",
          [](finback::Engine& self, const std::string& text, bool recognize_special) {
            return Released([&] {
              return self.Tokenize(text, recognize_special ? finback::Engine::Special::kRecognize
                                                           : finback::Engine::Special::kIgnore);
            });
          },
          py::arg("text"), py::arg("recognize_special"))
      .def(
          "detokenize",
          [](finback::Engine& self, const std::vector<int32_t>& ids) {
            return Text(Released([&] { return self.Detokenize(ids); }));
          },
          py::arg("ids"))
      .def(
          "encode",
          [](finback::Engine& self, const std::string& request_json) {
            return Text(Released([&] { return self.Encode(request_json); }));
          },
          py::arg("request_json"))
      .def(
          "encode_tokens",
          [](finback::Engine& self, const std::string& request_json) {
            return Released([&] { return self.EncodeTokens(request_json); });
          },
          py::arg("request_json"))
      .def(
          "chat",
          [](finback::Engine& self, const std::string& request_json) {
            return PyStream(Released([&] { return self.Chat(request_json); }));
          },
          py::arg("request_json"))
      .def(
          "complete",
          [](finback::Engine& self, const std::string& request_json) {
            return PyStream(Released([&] { return self.Complete(request_json); }));
          },
          py::arg("request_json"))
      .def("new_session", [](finback::Engine& self) {
        return PySession(Released([&] { return self.NewSession(); }));
      });
}

}  // namespace finback_python
