// The edge of the ABI: every exported function runs inside Guard, which clears the thread's last
// error and turns whatever is thrown into a code and a one-line message.
// Nothing else catches everything.
#pragma once

#include <type_traits>
#include <utility>

#include "core/base/status.h"
#include "finback/finback.h"

namespace finback {

// A call that finds a NULL handle brings back the error that it cleared.
void ClearLastError() noexcept;
// The message is cut to one line of UTF-8 that fits; details that do not fit are left out, since
// half an object is none.
void SetLastError(Code code, const char* text, const char* more = "") noexcept;
Code LastErrorCode() noexcept;

// Inside a catch block: records what is being handled.
void RecordException() noexcept;

// Runs `body`; on failure returns `on_error`.
template <typename Result, typename Body>
Result Guard(Result on_error, Body&& body) noexcept {
  ClearLastError();
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    RecordException();
  }
  return on_error;
}

// Runs `body`, which returns a status or nothing; on failure returns the error's code.
template <typename Body>
finback_status GuardStatus(Body&& body) noexcept {
  ClearLastError();
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return FINBACK_OK;
    } else {
      return body();
    }
  } catch (...) {
    RecordException();
  }
  return static_cast<finback_status>(LastErrorCode());
}

// What a NULL handle throws.
struct NullHandle {
  const char* name;
};

// Bindings pass NULL: an error, never a crash. A handle is NULL mostly because the call that should
// have made it failed, so the error of that call stays where there is one.
template <typename T>
T& Require(T* pointer, const char* name) {
  if (pointer != nullptr) return *pointer;
  constexpr bool kIsHandle =
      std::is_class_v<T> && !std::is_same_v<std::remove_const_t<T>, finback_usage>;
  if constexpr (kIsHandle) throw NullHandle{name};
  Throw(Code::kInvalidArgument, "%s is NULL", name);
}

}  // namespace finback
