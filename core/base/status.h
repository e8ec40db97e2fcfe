// The one error type of the library. Rooms below the ABI throw Error; capi's Guard is the only
// place that catches it and turns it into a code and a one-line message.
#pragma once

#include <cstdint>
#include <exception>
#include <string>

namespace finback {

// Values are those of FINBACK_* in finback.h.
enum class Code : int32_t {
  kOk = 0,
  kDone = 1,
  kInvalidArgument = -1,  // a parameter or option is wrong
  kInvalidRequest = -2,   // the request JSON is wrong; the message names the JSON path
  kNotFound = -3,         // a file, tensor or name does not exist
  kCheckpoint = -4,       // weights, config or tokenizer are malformed; names file, found, expected
  kUnsupported = -5,      // well-formed but not something this library can do
  kOutOfMemory = -6,      // an allocation failed
  kBudget = -7,           // more memory than the budget allows; the message has the number needed
  kContextFull = -8,      // more tokens than the sequence was planned for
  kCancelled = -9,
  kIo = -10,        // the operating system refused a read or write
  kInternal = -11,  // a defect of the library
  // Of services; the details say which of several reasons it was.
  kAuthentication = -12,  // the key is missing or refused
  kQuota = -13,           // the account's balance, or our own spending limit, is used up
  kRateLimit = -14,       // too many requests at once
  kService = -15,         // the service failed, was overloaded, or cannot be reached
  kTimeout = -16,
  kRefused = -17,  // moderation
  kSchema = -18,   // the answer does not fit the schema that was asked for
};

class Error : public std::exception {
 public:
  // `details`: what a program may want to know beyond the message, as one JSON object, or "".
  Error(Code code, std::string message, std::string details = {})
      : code_(code), message_(std::move(message)), details_(std::move(details)) {}
  Code code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& details() const { return details_; }

 private:
  Code code_;
  std::string message_, details_;
};

// printf-style formatting into a std::string.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

[[noreturn]] [[gnu::format(printf, 2, 3)]] void Throw(Code code, const char* format, ...);

// "path: cannot action: reason", for what the operating system refused with this errno.
[[noreturn]] void ThrowErrno(const std::string& path, const char* action, int error,
                             Code code = Code::kIo);

}  // namespace finback
