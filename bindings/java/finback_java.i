// Java: text crosses as UTF-8 bytes (JNI's own strings are modified UTF-8), errors are
// FinbackException, and a Cleaner frees what nobody closed.
%include "managed.i"
%rename("%(lowercamelcase)s", %$isfunction) "";
%rename(nextNative) finback::binding::Stream::Next;
%rename(usageNative) finback::binding::Stream::Usage;
%rename(setText) finback::binding::Options::Set;
%javamethodmodifiers finback::binding::Stream::Next "private";
%javamethodmodifiers finback::binding::Stream::Usage "private";
%javamethodmodifiers finback::binding::Options::Set "private";

%{
#include <limits>

namespace {

constexpr const char *kNullPointer = "java/lang/NullPointerException";
constexpr const char *kOutOfMemory = "java/lang/OutOfMemoryError";

void Throw(JNIEnv *jenv, const char *name, const char *message) {
  jenv->ExceptionClear();
  const jclass type = jenv->FindClass(name);
  if (type != nullptr) jenv->ThrowNew(type, message);
}

bool Fits(JNIEnv *jenv, std::size_t size) {
  const bool fits = size <= static_cast<std::size_t>(std::numeric_limits<jsize>::max());
  if (!fits) Throw(jenv, kOutOfMemory, "more than 2 GiB do not fit into a Java array");
  return fits;
}

// Each returns a null pointer with a Java exception pending if it fails.
jbyteArray FromText(JNIEnv *jenv, const std::string &text) {
  if (!Fits(jenv, text.size())) return nullptr;
  const jsize size = static_cast<jsize>(text.size());
  const jbyteArray array = jenv->NewByteArray(size);
  if (array != nullptr) {
    jenv->SetByteArrayRegion(array, 0, size, reinterpret_cast<const jbyte *>(text.data()));
  }
  return array;
}
jintArray FromTokenIds(JNIEnv *jenv, const TokenIds &ids) {
  if (!Fits(jenv, ids.size())) return nullptr;
  const jsize size = static_cast<jsize>(ids.size());
  const jintArray array = jenv->NewIntArray(size);
  if (array != nullptr) jenv->SetIntArrayRegion(array, 0, size, ids.data());
  return array;
}
jfloatArray FromLogits(JNIEnv *jenv, const Logits &logits) {
  if (!Fits(jenv, logits.size())) return nullptr;
  const jsize size = static_cast<jsize>(logits.size());
  const jfloatArray array = jenv->NewFloatArray(size);
  if (array != nullptr) jenv->SetFloatArrayRegion(array, 0, size, logits.data());
  return array;
}
std::string ToText(JNIEnv *jenv, jbyteArray array) {
  std::string text(static_cast<std::size_t>(jenv->GetArrayLength(array)), '\0');
  jenv->GetByteArrayRegion(array, 0, static_cast<jsize>(text.size()),
                           reinterpret_cast<jbyte *>(text.data()));
  return text;
}
TokenIds ToTokenIds(JNIEnv *jenv, jintArray array) {
  TokenIds ids(static_cast<std::size_t>(jenv->GetArrayLength(array)));
  jenv->GetIntArrayRegion(array, 0, static_cast<jsize>(ids.size()), ids.data());
  return ids;
}

void ThrowFailure(JNIEnv *jenv, const Failure &failure) {
  const jclass type = jenv->FindClass("finback/FinbackException");
  if (type == nullptr) return;  // that is pending now
  const jmethodID make = jenv->GetMethodID(type, "<init>", "(I[B[B[B)V");
  const jbyteArray name = FromText(jenv, failure.name);
  const jbyteArray message = FromText(jenv, failure.message);
  const jbyteArray details = FromText(jenv, failure.details);
  if (make == nullptr || name == nullptr || message == nullptr || details == nullptr) return;
  const jobject error = jenv->NewObject(type, make, failure.code, name, message, details);
  if (error != nullptr) jenv->Throw(static_cast<jthrowable>(error));
}

}  // namespace
%}

%exception {
  try {
    $action
  } catch (...) {
    ThrowFailure(jenv, CurrentFailure());
    return $null;
  }
}

// Arguments are converted before the $action: memory may run out there too.
%define %finback_convert(ASSIGNMENT)
  try {
    ASSIGNMENT;
  } catch (...) {
    ThrowFailure(jenv, CurrentFailure());
    return $null;
  }
%enddef

// JAVA is what callers see, TYPE what crosses. ENCODE and DECODE are done in Java.
%define %finback_value(CPP, JNI, TYPE, JAVA, TO, FROM, ENCODE, DECODE)
%typemap(jni) CPP, const CPP & "JNI"
%typemap(jtype) CPP, const CPP & "TYPE"
%typemap(jstype) CPP, const CPP & "JAVA"
%typemap(javain) CPP, const CPP & "ENCODE($javainput)"
%typemap(javaout) CPP, const CPP & { return DECODE($jnicall); }
%typemap(in) const CPP & (CPP value) {
  if ($input == nullptr) {
    Throw(jenv, kNullPointer, "$1_name is null");
    return $null;
  }
  %finback_convert(value = TO(jenv, $input))
  $1 = &value;
}
%typemap(out) CPP { $result = FROM(jenv, $1); }
%typemap(out) const CPP & { $result = FROM(jenv, *$1); }
%typemap(freearg) const CPP & ""
%typemap(typecheck) const CPP & = char *;
%enddef
%finback_value(std::string, jbyteArray, byte[], String, ToText, FromText, Text.encode, Text.decode)
%finback_value(finback::binding::TokenIds, jintArray, int[], int[], ToTokenIds, FromTokenIds, , )
%typemap(jni) finback::binding::Logits "jfloatArray"
%typemap(jtype) finback::binding::Logits "float[]"
%typemap(jstype) finback::binding::Logits "float[]"
%typemap(javaout) finback::binding::Logits { return $jnicall; }
%typemap(out) finback::binding::Logits { $result = FromLogits(jenv, $1); }
%typemap(jni) finback::binding::Bytes, const finback::binding::Bytes & "jbyteArray"
%typemap(jtype) finback::binding::Bytes, const finback::binding::Bytes & "byte[]"
%typemap(jstype) finback::binding::Bytes, const finback::binding::Bytes & "byte[]"
%typemap(javain) const finback::binding::Bytes & "$javainput"
%typemap(javaout) finback::binding::Bytes { return $jnicall; }
%typemap(in) const finback::binding::Bytes & (finback::binding::Bytes value) {
  if ($input == nullptr) {
    Throw(jenv, kNullPointer, "$1_name is null");
    return $null;
  }
  %finback_convert(value.data = ToText(jenv, $input))
  $1 = &value;
}
%typemap(out) finback::binding::Bytes { $result = FromText(jenv, $1.data); }

// Objects. close() lets go of the handle at once; the small shell is freed with the Java object.
%typemap(javabody) SWIGTYPE %{
  private final long swigCPtr;

  $javaclassname(long cPtr, boolean cMemoryOwn) {
    swigCPtr = cPtr;
    if (cMemoryOwn) {
      Library.CLEANER.register(this, () -> $imclassname.delete_$javaclassname(cPtr));
    }
  }

  static long getCPtr($javaclassname object) {
    return object == null ? 0 : object.swigCPtr;
  }
%}
%typemap(javadestruct, methodname="delete", methodmodifiers="private") SWIGTYPE ""
%typemap(javafinalize) SWIGTYPE ""
%typemap(javaclassmodifiers) finback::binding::Event "final class"
%typemap(javaclassmodifiers) finback::binding::Usage "final class"
%typemap(javaclassmodifiers) finback::binding::Options, finback::binding::Engine,
  finback::binding::Session, finback::binding::Sequence, finback::binding::Stream "public final class"
%typemap(javainterfaces) finback::binding::Engine, finback::binding::Session,
  finback::binding::Sequence "AutoCloseable"
%typemap(javainterfaces) finback::binding::Stream "AutoCloseable, Iterable<Event>"
%pragma(java) jniclassclassmodifiers="final class"
%pragma(java) moduleclassmodifiers="public final class"
%pragma(java) modulecode=%{
  private Finback() {}

  /** A JSON string: for requests that are put together without a JSON library. */
  public static String quote(String text) {
    return Text.quote(text);
  }
%}
%pragma(java) jniclasscode=%{
  static {
    Library.load();
  }
%}

%typemap(javacode) finback::binding::Options %{
  /** Sets one option from its text, a number or a boolean; unknown names fail. */
  public Options set(String name, Object value) {
    setText(name, value instanceof Boolean flag ? (flag ? "1" : "0") : String.valueOf(value));
    return this;
  }
%}
%typemap(javacode) finback::binding::Engine %{
  /** Opens a model with default options: a folder, "krill" or "PROVIDER:MODEL". */
  public static Engine open(String model) {
    return new Engine(new Options().set("model", model));
  }

  /** Checks every weight of the model. */
  public void verify() {
    verify("");
  }
%}
%typemap(javacode) finback::binding::Stream %{
  /** Computes until the next event; null: the stream is over. Any thread may cancel() meanwhile. */
  public Event next() {
    NativeEvent event = nextNative();
    return event == null ? null : Event.of(event);
  }

  /** The events that are still to come: a stream is read once. */
  @Override
  public java.util.Iterator<Event> iterator() {
    return new EventIterator(this);
  }

  /** Runs to the end: the answer as chat.completion JSON. */
  public String finish() {
    while (next() != null) {
      // response() collects
    }
    return response();
  }

  /** Token counts so far; final after the FINISH event. */
  public Usage usage() {
    return Usage.of(usageNative());
  }
%}
