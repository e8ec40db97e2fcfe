// PCRE2's objects with owners, for the rooms that link it: nothing here needs the library.
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <memory>
#include <new>
#include <string>

namespace finback {

struct FreePcre2 {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};
template <typename T>
using OwnedPcre2 = std::unique_ptr<T, FreePcre2>;

// For functions of PCRE2 whose only failure is that memory ran out.
template <typename T>
OwnedPcre2<T> OrBadAlloc(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return OwnedPcre2<T>(pointer);
}

inline std::string Pcre2Message(int code) {
  PCRE2_UCHAR buffer[160] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer / sizeof buffer[0]);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace finback
