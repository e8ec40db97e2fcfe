// Ruby: UTF-8 strings, hashes for records, Finback::Error,
// and no lock held while the library computes.
%header %{
#include <ruby/encoding.h>
#include <ruby/thread.h>
%}
%{
#include <functional>
#include <optional>

namespace {

using Value = VALUE;
#define FINBACK_HERE(x) x
#define FINBACK_NEW_RECORD Record()
#define FINBACK_RETURN(value) vresult = (value)
#define FINBACK_REJECT(message) SWIG_exception_fail(SWIG_TypeError, message)

Value FromText(const std::string &text) {
  return rb_enc_str_new(text.data(), static_cast<long>(text.size()), rb_utf8_encoding());
}
Value FromInteger(int64_t number) { return LL2NUM(number); }
Value FromBytes(const Bytes &bytes) {
  return rb_str_new(bytes.data.data(), static_cast<long>(bytes.data.size()));
}
Value FromNothing(void *) { return Qnil; }
Value FromTokenIds(const TokenIds &ids) {
  VALUE array = rb_ary_new_capa(static_cast<long>(ids.size()));
  for (const int32_t id : ids) rb_ary_push(array, INT2NUM(id));
  return array;
}
Value FromLogits(const Logits &logits) {
  VALUE array = rb_ary_new_capa(static_cast<long>(logits.size()));
  for (const float logit : logits) rb_ary_push(array, rb_float_new(logit));
  return array;
}

class Record {
 public:
  void Add(const char *name, const std::string &text) { Put(name, FromText(text)); }
  void Add(const char *name, int64_t number) { Put(name, FromInteger(number)); }
  Value Take() { return hash_; }

 private:
  void Put(const char *name, VALUE value) { rb_hash_aset(hash_, ID2SYM(rb_intern(name)), value); }
  VALUE hash_ = rb_hash_new();
};

// What may raise is called through rb_protect: nullopt, with the exception forgotten, if it did.
std::optional<VALUE> Try(VALUE (*function)(VALUE), VALUE argument) {
  int state = 0;
  const VALUE result = rb_protect(function, argument, &state);
  if (state == 0) return result;
  rb_set_errinfo(Qnil);
  return std::nullopt;
}
VALUE InUtf8(VALUE string) {
  return rb_str_encode(string, rb_enc_from_encoding(rb_utf8_encoding()), 0, Qnil);
}

std::string *ToText(VALUE value) {
  if (SYMBOL_P(value)) value = rb_sym2str(value);
  if (!RB_TYPE_P(value, T_STRING)) return nullptr;
  // Bytes without an encoding are taken for UTF-8, which the library checks; so are names of files,
  // which Dir marks as UTF-8 or US-ASCII whatever they are.
  const rb_encoding *encoding = rb_enc_get(value);
  if (encoding != rb_ascii8bit_encoding() && encoding != rb_usascii_encoding()) {
    const std::optional<VALUE> text = Try(InUtf8, value);
    if (!text) return nullptr;
    value = *text;
  }
  return new std::string(RSTRING_PTR(value), static_cast<size_t>(RSTRING_LEN(value)));
}
int64_t *ToInteger(VALUE value) {
  if (!RB_INTEGER_TYPE_P(value)) return nullptr;
  int64_t number = 0;
  // 2: a two's complement number of one word; other results say that it does not fit.
  const int fits = rb_integer_pack(value, &number, 1, sizeof number, 0,
                                   INTEGER_PACK_NATIVE_BYTE_ORDER | INTEGER_PACK_2COMP);
  return fits >= -1 && fits <= 1 ? new int64_t(number) : nullptr;
}
Bytes *ToBytes(VALUE value) {
  if (!RB_TYPE_P(value, T_STRING)) return nullptr;
  return new Bytes{std::string(RSTRING_PTR(value), static_cast<size_t>(RSTRING_LEN(value)))};
}
TokenIds *ToTokenIds(VALUE value) {
  if (!RB_TYPE_P(value, T_ARRAY)) return nullptr;
  auto ids = std::make_unique<TokenIds>();
  for (long i = 0; i < RARRAY_LEN(value); ++i) {
    const std::unique_ptr<int64_t> id(ToInteger(rb_ary_entry(value, i)));
    if (id == nullptr || *id < INT32_MIN || *id > INT32_MAX) return nullptr;
    ids->push_back(static_cast<int32_t>(*id));
  }
  return ids.release();
}

// A Finback::Error, to be raised where no C++ object is left.
VALUE MakeError(const Failure &failure) {
  const VALUE error_class = rb_path2class("Finback::Error");
  return rb_funcall(error_class, rb_intern("new"), 4, FromText(failure.message),
                    INT2NUM(failure.code), FromText(failure.name), FromText(failure.details));
}

// How a call ended: nothing set, what is to be raised, or a jump that Ruby has begun.
struct Outcome {
  VALUE error = Qnil;
  int jump = 0;
};

// Lets Ruby handle what it interrupted the thread for; the state of rb_protect.
int HandleInterrupts() {
  int state = 0;
  rb_protect([](VALUE) -> VALUE { rb_thread_check_ints(); return Qnil; }, Qnil, &state);
  return state;
}

// Runs `work` without Ruby's lock; `stop` when Ruby wants the thread back (Timeout, kill, signal).
Outcome WithoutLock(const std::function<void()> &work, const std::function<void()> &stop) {
  struct Call {
    const std::function<void()> &work, &stop;
    bool ran = false;
    std::optional<Failure> failure;
  } call{work, stop};
  const auto run = [](void *data) -> void * {
    Call &self = *static_cast<Call *>(data);
    self.ran = true;
    try {
      self.work();
    } catch (...) {
      self.failure = CurrentFailure();
    }
    return nullptr;
  };
  const auto interrupt = [](void *data) { static_cast<Call *>(data)->stop(); };
  while (!call.ran) {
    // ...2 does not raise by itself, which would jump over C++ objects; it returns at once when
    // there are interrupts to handle.
    rb_thread_call_without_gvl2(run, &call, interrupt, &call);
    const bool interrupted =
        !call.ran || (call.failure && call.failure->code == FINBACK_ERROR_CANCELLED);
    // A timeout's own exception says more than that it cancelled.
    const int jump = interrupted ? HandleInterrupts() : 0;
    if (jump != 0) return {Qnil, jump};
  }
  return {call.failure ? MakeError(*call.failure) : Qnil, 0};
}

}  // namespace
%}

// Raising jumps: it is done where no C++ object is left but the arguments, which $cleanup frees.
%define %finback_raise(OUTCOME)
  if (OUTCOME.error != Qnil || OUTCOME.jump != 0) {
    $cleanup
    if (OUTCOME.jump != 0) rb_jump_tag(OUTCOME.jump);
    rb_exc_raise(OUTCOME.error);
  }
%enddef
%exception {
  Outcome outcome;
  try {
    $action
  } catch (...) {
    outcome.error = MakeError(CurrentFailure());
  }
  %finback_raise(outcome)
}

// Calls that may take long. STOP ends them early.
%define %finback_without_lock(METHOD, STOP)
%exception METHOD {
  const Outcome outcome = WithoutLock([&] { $action }, [&] { STOP; });
  %finback_raise(outcome)
}
%enddef
%finback_without_lock(finback::binding::Stream::Next, arg1->Cancel())
%finback_without_lock(finback::binding::Sequence::Evaluate, arg1->Cancel())
%finback_without_lock(finback::binding::Sequence::EvaluateAll, arg1->Cancel())
%finback_without_lock(finback::binding::Sequence::Append, arg1->Cancel())
%finback_without_lock(finback::binding::Engine::Engine, )
%finback_without_lock(finback::binding::Engine::Models, )
%finback_without_lock(finback::binding::Engine::Balance, )
%finback_without_lock(finback::binding::Engine::Verify, )
%finback_without_lock(finback::binding::Engine::Tokenize, )
%finback_without_lock(finback::binding::CostReport, )

%include "scripting.i"
