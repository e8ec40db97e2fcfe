// Why a command ends early: its exit code, one line of message and perhaps a hint
// for the next step.
#pragma once

#include <finback/finback.h>

#include <exception>
#include <string>

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

class Failure : public std::exception {
 public:
  Failure(int exit_code, std::string message, std::string hint = "")
      : exit_code_(exit_code), message_(std::move(message)), hint_(std::move(hint)) {}

  int exit_code() const { return exit_code_; }
  const std::string& hint() const { return hint_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int exit_code_;
  std::string message_, hint_;
};

// This thread's last error of the library, as a Failure.
Failure LibraryFailure();

// Passes a handle on, or throws LibraryFailure() if it is NULL.
template <typename T>
T* Checked(T* handle) {
  if (handle == nullptr) throw LibraryFailure();
  return handle;
}

// Throws LibraryFailure() for a negative status.
void Check(finback_status status);
