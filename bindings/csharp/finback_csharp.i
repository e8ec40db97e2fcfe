// C#: values cross as blocks, an int64 of bytes and then those bytes, so that text is UTF-8 and may
// hold NUL whatever the runtime's default marshalling is; errors are FinbackException.
%include "managed.i"
%rename(ChatStream) finback::binding::Stream;  // System.IO has a Stream
%csmethodmodifiers finback::binding::Stream::Next "private";
%csmethodmodifiers finback::binding::Stream::Usage "private";
%csmethodmodifiers finback::binding::Options::Set "private";
%rename(CloseNative) Close;
%csmethodmodifiers Close "private";

%insert(runtime) %{
#include <cstring>

typedef void(SWIGSTDCALL *FinbackFailure)(int32_t code, void *name, void *message, void *details);
static FinbackFailure finback_failure = nullptr;

extern "C" SWIGEXPORT void SWIGSTDCALL finback_csharp_on_failure(FinbackFailure failure) {
  finback_failure = failure;
}
extern "C" SWIGEXPORT void SWIGSTDCALL finback_csharp_free(void *block) { std::free(block); }
%}
%{
namespace {

// A block that C# frees; a null pointer when memory is out.
void *ToBlock(const void *data, std::size_t size) {
  const int64_t head = static_cast<int64_t>(size);
  char *const block = static_cast<char *>(std::malloc(sizeof head + size));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &head, sizeof head);
  if (size != 0) std::memcpy(block + sizeof head, data, size);
  return block;
}
void *ToBlock(const std::string &text) { return ToBlock(text.data(), text.size()); }
void *ToBlock(const Bytes &bytes) { return ToBlock(bytes.data); }
void *ToBlock(const TokenIds &ids) { return ToBlock(ids.data(), ids.size() * sizeof(int32_t)); }
void *ToBlock(const Logits &logits) {
  return ToBlock(logits.data(), logits.size() * sizeof(float));
}

template <typename T>
std::vector<T> Items(const void *block) {
  int64_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  std::vector<T> items(static_cast<std::size_t>(bytes) / sizeof(T));
  if (bytes != 0) std::memcpy(items.data(), static_cast<const char *>(block) + sizeof bytes, bytes);
  return items;
}
void FromBlock(const void *block, std::string *text) {
  const std::vector<char> bytes = Items<char>(block);
  text->assign(bytes.begin(), bytes.end());
}
void FromBlock(const void *block, Bytes *bytes) { FromBlock(block, &bytes->data); }
void FromBlock(const void *block, TokenIds *ids) { *ids = Items<int32_t>(block); }

void SetPending(const Failure &failure) {
  finback_failure(failure.code, ToBlock(failure.name), ToBlock(failure.message),
                  ToBlock(failure.details));
}

}  // namespace
%}

%feature("except", canthrow="1") {
  try {
    $action
  } catch (...) {
    SetPending(CurrentFailure());
    return $null;
  }
}

%define %finback_block(CPP, CSHARP, TAKE)
%typemap(ctype) CPP, const CPP & "void *"
%typemap(imtype, out="global::System.IntPtr") CPP, const CPP & "byte[]"
%typemap(cstype) CPP, const CPP & "CSHARP"
%typemap(csin) const CPP & "Block.Of($csinput, \"$1_name\")"
%typemap(in, canthrow=1) const CPP & (CPP value) {
  try {
    FromBlock($input, &value);
  } catch (...) {
    SetPending(CurrentFailure());
    return $null;
  }
  $1 = &value;
}
%typemap(out) CPP { $result = ToBlock($1); }
%typemap(out) const CPP & { $result = ToBlock(*$1); }
%typemap(csout, excode=SWIGEXCODE) CPP, const CPP & {
    global::System.IntPtr block = $imcall;$excode
    return Block.TAKE(block);
  }
%typemap(csvarout, excode=SWIGEXCODE2) CPP, const CPP & %{
    get {
      global::System.IntPtr block = $imcall;$excode
      return Block.TAKE(block);
    } %}
%enddef
%finback_block(std::string, string, TakeText)
%finback_block(finback::binding::TokenIds, int[], TakeInts)
%finback_block(finback::binding::Logits, float[], TakeFloats)
%finback_block(finback::binding::Bytes, byte[], TakeBytes)

%pragma(csharp) imclassclassmodifiers="internal class"
%pragma(csharp) moduleclassmodifiers="public static class"
%pragma(csharp) modulecode=%{
  /// <summary>A JSON string: for requests that are put together without a JSON library.</summary>
  public static string Quote(string text) {
    return Block.Quote(text);
  }
%}
%pragma(csharp) imclasscode=%{
  private delegate void Failure(int code, global::System.IntPtr name, global::System.IntPtr message,
    global::System.IntPtr details);
  // Kept for as long as the library may call it.
  private static readonly Failure failure = SetPending;

  [global::System.Runtime.InteropServices.DllImport("$dllimport", EntryPoint="finback_csharp_on_failure")]
  private static extern void OnFailure(Failure failure);

  private static void SetPending(int code, global::System.IntPtr name, global::System.IntPtr message,
      global::System.IntPtr details) {
    SWIGPendingException.Set(new FinbackException(
      code, Block.TakeText(name), Block.TakeText(message), Block.TakeText(details)));
  }

  private static bool Register() {
    OnFailure(failure);
    return true;
  }
  internal static readonly bool registered = Register();
%}

// Objects. Dispose() lets go of the handle at once, also while another thread is inside a call; the
// small shell is freed with the C# object.
%typemap(csinterfaces) SWIGTYPE ""
%typemap(csclassmodifiers) SWIGTYPE "public sealed class"
%typemap(csclassmodifiers) finback::binding::Event, finback::binding::Usage "internal sealed class"
%typemap(csinterfaces) finback::binding::Engine, finback::binding::Session,
  finback::binding::Sequence "global::System.IDisposable"
%typemap(csinterfaces) finback::binding::Stream
  "global::System.IDisposable, global::System.Collections.Generic.IEnumerable<Event>"
%typemap(csbody) SWIGTYPE %{
  private readonly global::System.Runtime.InteropServices.HandleRef swigCPtr;
  private readonly bool swigCMemOwn;

  internal $csclassname(global::System.IntPtr cPtr, bool cMemoryOwn) {
    swigCMemOwn = cMemoryOwn;
    swigCPtr = new global::System.Runtime.InteropServices.HandleRef(this, cPtr);
  }

  internal static global::System.Runtime.InteropServices.HandleRef getCPtr($csclassname obj) {
    return obj == null
      ? new global::System.Runtime.InteropServices.HandleRef(null, global::System.IntPtr.Zero)
      : obj.swigCPtr;
  }
%}
%typemap(csdispose) SWIGTYPE %{
  ~$csclassname() {
    if (swigCMemOwn) $imclassname.delete_$csclassname(swigCPtr);
  }
%}
%typemap(csdispose) finback::binding::Engine, finback::binding::Session, finback::binding::Sequence,
  finback::binding::Stream %{
  ~$csclassname() {
    if (swigCMemOwn) $imclassname.delete_$csclassname(swigCPtr);
  }

  /// <summary>Releases what it holds, now.</summary>
  public void Dispose() {
    CloseNative();
  }
%}
%typemap(csdisposing, methodname="Free", methodmodifiers="private", parameters="") SWIGTYPE ""

%typemap(cscode) finback::binding::Options %{
  /// <summary>Sets one option from its text, a number or a bool; unknown names fail.</summary>
  public Options Set(string name, object value) {
    SetText(name, value is bool ? ((bool)value ? "1" : "0")
      : global::System.Convert.ToString(value, global::System.Globalization.CultureInfo.InvariantCulture));
    return this;
  }

  /// <summary>An option as text.</summary>
  public string this[string name] {
    get { return Get(name); }
    set { SetText(name, value); }
  }
%}
%typemap(cscode) finback::binding::Engine %{
  /// <summary>Opens a model with default options: a folder, "krill" or "PROVIDER:MODEL".</summary>
  public Engine(string model) : this(new Options().Set("model", model)) {
  }

  /// <summary>Checks every weight of the model.</summary>
  public void Verify() {
    Verify("");
  }
%}
%typemap(cscode) finback::binding::Stream %{
  /// <summary>Computes until the next event; null when the stream is over.</summary>
  public Event Next() {
    NativeEvent native = NextNative();
    return native == null ? null : new Event(native);
  }

  /// <summary>The same, but the token stops it.</summary>
  public Event Next(global::System.Threading.CancellationToken cancellation) {
    using (cancellation.Register(Cancel)) {
      try {
        return Next();
      } catch (FinbackException error) {
        if (error.Status == "cancelled" && cancellation.IsCancellationRequested) {
          throw new global::System.OperationCanceledException(error.Message, error, cancellation);
        }
        throw;
      }
    }
  }

  /// <summary>The same, without blocking the caller.</summary>
  public global::System.Threading.Tasks.Task<Event> NextAsync(
      global::System.Threading.CancellationToken cancellation =
        default(global::System.Threading.CancellationToken)) {
    return global::System.Threading.Tasks.Task.Run(() => Next(cancellation), cancellation);
  }

  /// <summary>The events that are still to come: a stream is read once.</summary>
  public global::System.Collections.Generic.IEnumerator<Event> GetEnumerator() {
    for (Event next = Next(); next != null; next = Next()) {
      yield return next;
    }
  }

  global::System.Collections.IEnumerator global::System.Collections.IEnumerable.GetEnumerator() {
    return GetEnumerator();
  }

  /// <summary>Runs to the end: the answer as chat.completion JSON.</summary>
  public string Finish() {
    while (Next() != null) {
    }
    return Response();
  }

  /// <summary>Token counts so far; final after the Finish event.</summary>
  public Usage Usage() {
    return new Usage(UsageNative());
  }
%}
