// Perl: characters in and out, hashes for records, errors as objects of class Finback::Error.
%{
namespace {

using Value = SV *;
#define FINBACK_HERE(x) x
#define FINBACK_NEW_RECORD Record()
#define FINBACK_RETURN(value) \
  ST(argvi) = (value);        \
  argvi++
#define FINBACK_REJECT(message) \
  do { \
    SetError(MakeFailure(FINBACK_ERROR_INVALID_ARGUMENT, message)); \
    SWIG_fail; \
  } while (false)

SV *NewText(const std::string &text) {
  return newSVpvn_flags(text.data(), text.size(), SVf_UTF8);
}
Value FromText(const std::string &text) { return sv_2mortal(NewText(text)); }
Value FromInteger(int64_t number) { return sv_2mortal(newSViv(number)); }
Value FromBytes(const Bytes &bytes) {
  return sv_2mortal(newSVpvn(bytes.data.data(), bytes.data.size()));
}
Value FromNothing(void *) { return &PL_sv_undef; }

template <typename List, typename Make>
Value FromList(const List &list, const Make &make) {
  AV *array = newAV();
  if (!list.empty()) av_extend(array, static_cast<SSize_t>(list.size()) - 1);
  for (const auto item : list) av_push(array, make(item));
  return sv_2mortal(newRV_noinc(reinterpret_cast<SV *>(array)));
}
Value FromTokenIds(const TokenIds &ids) {
  return FromList(ids, [](int32_t id) { return newSViv(id); });
}
Value FromLogits(const Logits &logits) {
  return FromList(logits, [](float logit) { return newSVnv(logit); });
}

class Record {
 public:
  void Add(const char *name, const std::string &text) { Put(name, NewText(text)); }
  void Add(const char *name, int64_t number) { Put(name, newSViv(number)); }
  Value Take() { return sv_2mortal(newRV_noinc(reinterpret_cast<SV *>(hash_))); }

 private:
  void Put(const char *name, SV *value) {
    (void)hv_store(hash_, name, static_cast<I32>(strlen(name)), value, 0);
  }
  HV *hash_ = newHV();
};

// A plain reference would become "HASH(0x...)", which nobody means; objects may have a string.
bool IsScalar(SV *value) { return SvOK(value) && (!SvROK(value) || SvAMAGIC(value)); }

std::string *ToText(SV *value) {
  SvGETMAGIC(value);
  if (!IsScalar(value)) return nullptr;
  SV *copy = sv_mortalcopy(value);  // upgrading changes it; SvPVutf8 evaluates twice
  STRLEN size;
  const char *data = SvPVutf8(copy, size);
  return new std::string(data, size);
}
int64_t *ToInteger(SV *value) {
  SvGETMAGIC(value);
  return IsScalar(value) && looks_like_number(value) ? new int64_t(SvIV(value)) : nullptr;
}
Bytes *ToBytes(SV *value) {
  SvGETMAGIC(value);
  if (!IsScalar(value)) return nullptr;
  SV *copy = sv_mortalcopy(value);
  if (!sv_utf8_downgrade(copy, TRUE)) return nullptr;  // characters beyond 255
  STRLEN size;
  const char *data = SvPV(copy, size);
  return new Bytes{std::string(data, size)};
}
TokenIds *ToTokenIds(SV *value) {
  SvGETMAGIC(value);
  if (!SvROK(value) || SvTYPE(SvRV(value)) != SVt_PVAV) return nullptr;
  AV *array = reinterpret_cast<AV *>(SvRV(value));
  auto ids = std::make_unique<TokenIds>();
  for (SSize_t i = 0; i <= av_len(array); ++i) {
    SV **item = av_fetch(array, i, 0);
    if (item == nullptr || !looks_like_number(*item)) return nullptr;
    const IV id = SvIV(*item);
    if (id < INT32_MIN || id > INT32_MAX) return nullptr;
    ids->push_back(static_cast<int32_t>(id));
  }
  return ids.release();
}

// Makes $@ the error object; the Perl part knows where the caller stands.
void SetError(const Failure &failure) {
  dSP;
  ENTER;
  SAVETMPS;
  PUSHMARK(SP);
  EXTEND(SP, 4);
  PUSHs(FromInteger(failure.code));
  PUSHs(FromText(failure.name));
  PUSHs(FromText(failure.message));
  PUSHs(FromText(failure.details));
  PUTBACK;
  call_pv("Finback::Error::_make", G_SCALAR);
  SPAGAIN;
  sv_setsv(ERRSV, POPs);
  PUTBACK;
  FREETMPS;
  LEAVE;
}

}  // namespace
%}

%exception {
  bool failed = false;
  try {
    $action
  } catch (...) {
    SetError(CurrentFailure());
    failed = true;
  }
  if (failed) SWIG_fail;
}

%include "scripting.i"
%insert("perl") "perl/methods.pl"
