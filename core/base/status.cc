#include "core/base/status.h"

#include <cstdarg>
#include <cstdio>
#include <new>
#include <system_error>

namespace finback {
namespace {

std::string FormatList(const char* format, va_list arguments) {
  va_list copy;
  va_copy(copy, arguments);
  const int length = vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  // Our formats are right: what can fail is an allocation, which glibc makes when some library of
  // the process (libquadmath, below OpenBLAS) has registered conversions of its own.
  if (length < 0) throw std::bad_alloc();
  std::string text(static_cast<size_t>(length), '\0');
  if (vsnprintf(text.data(), text.size() + 1, format, arguments) != length) throw std::bad_alloc();
  return text;
}

}  // namespace

std::string Format(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string text = FormatList(format, arguments);
  va_end(arguments);
  return text;
}

void Throw(Code code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string text = FormatList(format, arguments);
  va_end(arguments);
  throw Error(code, std::move(text));
}

void ThrowErrno(const std::string& path, const char* action, int error, Code code) {
  const std::string reason = std::generic_category().message(error);
  Throw(code, "%s: cannot %s: %s", path.c_str(), action, reason.c_str());
}

}  // namespace finback
