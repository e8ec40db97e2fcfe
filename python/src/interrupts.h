// Ctrl-C while the main thread is inside the library. Python only notes a signal until the call
// returns, which may take minutes: here it cancels the call at once, and Python raises
// KeyboardInterrupt as soon as it is back.
#pragma once

namespace finback_python {

// What to do at an interrupt; runs on a thread of its own, which knows nothing of Python.
struct Cancellable {
  void (*cancel)(void* object);
  void* object;
};

// From construction to destruction SIGINT cancels `what`. Does nothing on other threads than the
// main one, or where the program has its own idea of SIGINT. Made and destroyed with the GIL held.
class InterruptScope {
 public:
  explicit InterruptScope(Cancellable what);
  ~InterruptScope();
  // Ends it early; true when an interrupt cancelled `what`.
  bool End();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  enum class Installed { kNot, kHandler, kInsideAnother };
  Installed installed_ = Installed::kNot;
  Cancellable outer_{nullptr, nullptr};
};

// Once, when the module is imported; throws pybind11::error_already_set.
void PrepareInterrupts();

// True when this is Python's main thread.
bool OnMainThread();

}  // namespace finback_python
