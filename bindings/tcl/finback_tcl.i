// Tcl: its strings are not UTF-8 (surrogate pairs, NUL as two bytes), so text is converted; dicts
// for records, lists, byte arrays, and errors with an errorCode.
%{
namespace {

using Value = Tcl_Obj *;
#define FINBACK_HERE(x) x
#define FINBACK_NEW_RECORD Record()
#define FINBACK_RETURN(value) Tcl_SetObjResult(interp, (value))
#define FINBACK_REJECT(message)                                              \
  do {                                                                       \
    SetError(interp, MakeFailure(FINBACK_ERROR_INVALID_ARGUMENT, message)); \
    SWIG_fail;                                                               \
  } while (false)

// Kept for the life of the process.
Tcl_Encoding Utf8() {
  static const Tcl_Encoding kEncoding = Tcl_GetEncoding(nullptr, "utf-8");
  return kEncoding;
}

Value FromText(const std::string &text) {
  Tcl_DString converted;
  Tcl_ExternalToUtfDString(Utf8(), text.data(), static_cast<int>(text.size()), &converted);
  Tcl_Obj *value = Tcl_NewStringObj(Tcl_DStringValue(&converted), Tcl_DStringLength(&converted));
  Tcl_DStringFree(&converted);
  return value;
}
Value FromInteger(int64_t number) { return Tcl_NewWideIntObj(number); }
Value FromBytes(const Bytes &bytes) {
  return Tcl_NewByteArrayObj(reinterpret_cast<const unsigned char *>(bytes.data.data()),
                             static_cast<int>(bytes.data.size()));
}
Value FromNothing(void *) { return Tcl_NewObj(); }
Value FromTokenIds(const TokenIds &ids) {
  Tcl_Obj *list = Tcl_NewListObj(0, nullptr);
  for (const int32_t id : ids) Tcl_ListObjAppendElement(nullptr, list, Tcl_NewIntObj(id));
  return list;
}
Value FromLogits(const Logits &logits) {
  Tcl_Obj *list = Tcl_NewListObj(0, nullptr);
  for (const float logit : logits) {
    Tcl_ListObjAppendElement(nullptr, list, Tcl_NewDoubleObj(logit));
  }
  return list;
}

class Record {
 public:
  void Add(const char *name, const std::string &text) { Put(name, FromText(text)); }
  void Add(const char *name, int64_t number) { Put(name, FromInteger(number)); }
  Value Take() { return dict_; }

 private:
  void Put(const char *name, Tcl_Obj *value) {
    Tcl_DictObjPut(nullptr, dict_, Tcl_NewStringObj(name, -1), value);
  }
  Tcl_Obj *dict_ = Tcl_NewDictObj();
};

std::string *ToText(Tcl_Obj *value) {
  int size = 0;
  const char *data = Tcl_GetStringFromObj(value, &size);
  Tcl_DString converted;
  Tcl_UtfToExternalDString(Utf8(), data, size, &converted);
  auto *text = new std::string(Tcl_DStringValue(&converted),
                               static_cast<size_t>(Tcl_DStringLength(&converted)));
  Tcl_DStringFree(&converted);
  return text;
}
Bytes *ToBytes(Tcl_Obj *value) {
  int size = 0;
  const unsigned char *data = Tcl_GetByteArrayFromObj(value, &size);
  return new Bytes{std::string(reinterpret_cast<const char *>(data), static_cast<size_t>(size))};
}
int64_t *ToInteger(Tcl_Obj *value) {
  Tcl_WideInt number = 0;
  return Tcl_GetWideIntFromObj(nullptr, value, &number) == TCL_OK ? new int64_t(number) : nullptr;
}
TokenIds *ToTokenIds(Tcl_Obj *value) {
  int count = 0;
  Tcl_Obj **items = nullptr;
  if (Tcl_ListObjGetElements(nullptr, value, &count, &items) != TCL_OK) return nullptr;
  auto ids = std::make_unique<TokenIds>();
  for (int i = 0; i < count; ++i) {
    Tcl_WideInt id = 0;
    if (Tcl_GetWideIntFromObj(nullptr, items[i], &id) != TCL_OK) return nullptr;
    if (id < INT32_MIN || id > INT32_MAX) return nullptr;
    ids->push_back(static_cast<int32_t>(id));
  }
  return ids.release();
}

// The message, and errorCode {FINBACK not_found -3 DETAILS},
// for `try ... trap {FINBACK not_found}`.
void SetError(Tcl_Interp *interp, const Failure &failure) {
  Tcl_Obj *code = Tcl_NewListObj(0, nullptr);
  Tcl_ListObjAppendElement(nullptr, code, Tcl_NewStringObj("FINBACK", -1));
  Tcl_ListObjAppendElement(nullptr, code, FromText(failure.name));
  Tcl_ListObjAppendElement(nullptr, code, FromInteger(failure.code));
  Tcl_ListObjAppendElement(nullptr, code, FromText(failure.details));
  Tcl_SetObjErrorCode(interp, code);
  Tcl_SetObjResult(interp, FromText(failure.message));
}

}  // namespace
%}

%exception {
  bool failed = false;
  try {
    $action
  } catch (...) {
    SetError(interp, CurrentFailure());
    failed = true;
  }
  if (failed) SWIG_fail;
}

%include "scripting.i"
