// Typemaps of the scripting languages, whose values are scalars, lists and records of their own.
//
// A language's part defines, before it includes this, in C++:
//   FINBACK_HERE(x)     the arguments that its functions take: x, perhaps after an interpreter
//   FINBACK_RETURN(v)   returns the value v from a wrapper
//   FINBACK_REJECT(m)   fails: an argument is of another type
//   Value               what stands for a value of the language
//   Record              class with Add(name, text), Add(name, integer) and Take(): a Value
//   FINBACK_NEW_RECORD  an empty one
//   ToText, ToInteger, ToTokenIds, ToBytes                       a new C++ value; nullptr: no such
//   FromText, FromInteger, FromTokenIds, FromLogits, FromBytes   a Value
//   FromNothing         a Value, of a null pointer
%rename("%(undercase)s", %$isfunction) "";
%feature("compactdefaultargs");
%ignore finback::binding::Bytes;
%ignore finback::binding::Event;
%ignore finback::binding::EventKind;
%ignore finback::binding::Usage;

%{
namespace {

Value Fill(Record record, const Event &event) {
  record.Add("kind", std::string(KindName(event.kind)));
  record.Add("text", event.text);
  record.Add("tool_index", static_cast<int64_t>(event.tool_index));
  record.Add("tool_id", event.tool_id);
  record.Add("tool_name", event.tool_name);
  record.Add("finish_reason", event.finish_reason);
  record.Add("logprobs", event.logprobs);
  record.Add("progress_done", event.progress_done);
  record.Add("progress_total", event.progress_total);
  return record.Take();
}

Value Fill(Record record, const Usage &usage) {
  record.Add("prompt_tokens", usage.prompt_tokens);
  record.Add("cached_tokens", usage.cached_tokens);
  record.Add("completion_tokens", usage.completion_tokens);
  record.Add("reasoning_tokens", usage.reasoning_tokens);
  record.Add("disk_tokens", usage.disk_tokens);
  record.Add("proposed_tokens", usage.proposed_tokens);
  record.Add("accepted_tokens", usage.accepted_tokens);
  return record.Take();
}

}  // namespace
%}

%define %finback_reference_in(TYPE, CONVERT, EXPECTED)
%typemap(in) const TYPE & {
  $1 = CONVERT(FINBACK_HERE($input));
  if ($1 == nullptr) FINBACK_REJECT("$1_name: expected " EXPECTED);
}
%typemap(freearg) const TYPE & "delete $1;"
%enddef
%finback_reference_in(std::string, ToText, "text")
%finback_reference_in(finback::binding::TokenIds, ToTokenIds, "a list of token ids")
%finback_reference_in(finback::binding::Bytes, ToBytes, "bytes")
%typemap(in) int64_t {
  const std::unique_ptr<int64_t> integer(ToInteger(FINBACK_HERE($input)));
  if (integer == nullptr) FINBACK_REJECT("$1_name: expected an integer");
  $1 = *integer;
}

// Nothing where an object belongs, such as undef or nil.
%typemap(check) SWIGTYPE * {
  if ($1 == nullptr) FINBACK_REJECT("$symname: called on no object");
}

%define %finback_out(TYPE, CONVERT)
%typemap(out) TYPE { FINBACK_RETURN(CONVERT(FINBACK_HERE($1))); }
%enddef
%finback_out(std::string, FromText)
%finback_out(int64_t, FromInteger)
%finback_out(finback::binding::TokenIds, FromTokenIds)
%finback_out(finback::binding::Logits, FromLogits)
%finback_out(finback::binding::Bytes, FromBytes)
%typemap(out) finback::binding::Usage { FINBACK_RETURN(Fill(FINBACK_NEW_RECORD, $1)); }
// An event becomes a record at once; the end of the stream is the language's nothing.
%typemap(newfree) finback::binding::Event * "delete $1;"
%typemap(out) finback::binding::Event * {
  if ($1 == nullptr) {
    FINBACK_RETURN(FromNothing(FINBACK_HERE(nullptr)));
  } else {
    FINBACK_RETURN(Fill(FINBACK_NEW_RECORD, *$1));
  }
}
