// Go: slices and strings in, strings out (the Go package makes slices of them). A failure is kept
// for the thread, and the Go package, which stays on the thread for the two calls, takes it: panics
// through C++ frames would skip their destructors.
%include "managed.i"
%include <std_string.i>

%insert(cgo_comment) %{
#cgo pkg-config: finback
#cgo CXXFLAGS: -std=c++20
%}

%{
namespace {
thread_local std::string failure_text;
}  // namespace
%}
%inline %{
// What the last failed call of this thread left, and forgets it: code, name, message and details,
// with NUL between them; "" when it succeeded.
static std::string TakeFailure() {
  return std::exchange(failure_text, {});
}
%}

%define %finback_catch(RESULT)
  try {
    $action
  } catch (...) {
    const Failure failure = CurrentFailure();
    failure_text = std::to_string(failure.code) + '\0' + failure.name + '\0' + failure.message + '\0' +
                   failure.details;
    RESULT;
  }
%enddef
%exception { %finback_catch() }
%exception TakeFailure "$action"
%exception finback::binding::Sequence::Position { %finback_catch(result = 0) }
%exception finback::binding::Sequence::ContextTokens { %finback_catch(result = 0) }
%exception finback::binding::Sequence::Vocab { %finback_catch(result = 0) }

%typemap(gotype) const finback::binding::TokenIds & "[]int32"
%typemap(in) const finback::binding::TokenIds & (finback::binding::TokenIds ids) {
  const int32_t *from = static_cast<const int32_t *>($input.array);
  ids.assign(from, from + $input.len);
  $1 = &ids;
}
%typemap(gotype) const finback::binding::Bytes & "[]byte"
%typemap(in) const finback::binding::Bytes & (finback::binding::Bytes bytes) {
  bytes.data.assign(static_cast<const char *>($input.array), static_cast<std::size_t>($input.len));
  $1 = &bytes;
}
%typemap(freearg) const finback::binding::TokenIds &, const finback::binding::Bytes & ""

// Arrays travel as the memory that SWIG allocates for a std::string.
%define %finback_as_string(CPP, DATA, BYTES)
%typemap(gotype) CPP "string"
%typemap(imtype) CPP "string"
%typemap(out, fragment="AllocateString") CPP {
  $result = Swig_AllocateString(reinterpret_cast<const char *>(DATA), BYTES);
}
%typemap(goout, fragment="CopyString") CPP "$result = swigCopyString($1)"
%enddef
%finback_as_string(finback::binding::TokenIds, $1.data(), $1.size() * sizeof(int32_t))
%finback_as_string(finback::binding::Logits, $1.data(), $1.size() * sizeof(float))
%finback_as_string(finback::binding::Bytes, $1.data.data(), $1.data.size())
