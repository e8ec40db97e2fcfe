#include "capi/boundary.h"

#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/base/utf8.h"

namespace finback {
namespace {

struct LastError {
  Code code;
  Code cleared;  // what `code` was before the call; message and details are still those of it
  char message[1024];
  char details[8192];
};
// Zero-initialised and trivially destructible: nothing runs when threads come and go.
thread_local LastError last_error;

// Paths and what services say may be no UTF-8; what is said of them is.
std::string_view Valid(std::string_view text, std::string* storage) noexcept {
  const size_t bad = FindInvalidUtf8(text);
  if (bad == kValidUtf8) return text;
  try {
    *storage = ValidUtf8(text);
    return *storage;
  } catch (...) {
    return text.substr(0, bad);  // no memory for the rest
  }
}

}  // namespace

void ClearLastError() noexcept {
  last_error.cleared = last_error.code;
  last_error.code = Code::kOk;
}

void SetLastError(Code code, const char* text, const char* more) noexcept {
  last_error.code = code;
  std::string valid_message, valid_details;
  const std::string_view details = Valid(more, &valid_details);
  const bool fits = details.size() < sizeof last_error.details;
  if (fits) memcpy(last_error.details, details.data(), details.size());
  last_error.details[fits ? details.size() : 0] = '\0';
  const std::string_view message =
      CutUtf8(Valid(text, &valid_message), sizeof last_error.message - 1);
  const size_t size = message.size();
  for (size_t i = 0; i < size; ++i) {
    const bool control = static_cast<unsigned char>(message[i]) < 0x20;
    last_error.message[i] = control ? ' ' : message[i];
  }
  last_error.message[size] = '\0';
}

Code LastErrorCode() noexcept { return last_error.code; }

void RecordException() noexcept {
  try {
    throw;
  } catch (const NullHandle& handle) {
    last_error.code = last_error.cleared;
    if (last_error.code != Code::kOk) return;
    char message[64];
    snprintf(message, sizeof message, "%s is NULL", handle.name);
    SetLastError(Code::kInvalidArgument, message);
  } catch (const Error& error) {
    SetLastError(error.code(), error.what(), error.details().c_str());
  } catch (const std::bad_alloc&) {
    SetLastError(Code::kOutOfMemory, "out of memory");
  } catch (const std::length_error&) {
    SetLastError(Code::kOutOfMemory, "out of memory: a size is beyond the address space");
  } catch (const std::exception& error) {
    SetLastError(Code::kInternal, error.what());
  } catch (...) {
    SetLastError(Code::kInternal, "unknown failure");
  }
}

}  // namespace finback

using finback::Code;

finback_status finback_last_error_code(void) {
  return static_cast<finback_status>(finback::last_error.code);
}

const char* finback_last_error(void) {
  return finback::last_error.code != Code::kOk ? finback::last_error.message : "";
}

const char* finback_last_error_details(void) {
  const finback::LastError& error = finback::last_error;
  return error.code != Code::kOk && error.details[0] != '\0' ? error.details : "{}";
}

const char* finback_status_name(finback_status status) {
  switch (static_cast<Code>(status)) {
    case Code::kOk:
      return "ok";
    case Code::kDone:
      return "done";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kInvalidRequest:
      return "invalid_request";
    case Code::kNotFound:
      return "not_found";
    case Code::kCheckpoint:
      return "checkpoint";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kOutOfMemory:
      return "out_of_memory";
    case Code::kBudget:
      return "budget";
    case Code::kContextFull:
      return "context_full";
    case Code::kCancelled:
      return "cancelled";
    case Code::kIo:
      return "io";
    case Code::kInternal:
      return "internal";
    case Code::kAuthentication:
      return "authentication";
    case Code::kQuota:
      return "quota";
    case Code::kRateLimit:
      return "rate_limit";
    case Code::kService:
      return "service";
    case Code::kTimeout:
      return "timeout";
    case Code::kRefused:
      return "refused";
    case Code::kSchema:
      return "schema";
  }
  return "unknown";
}
