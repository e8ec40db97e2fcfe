// What the compiled languages share: a hand-written layer copies events and usage at once into
// types of its own, so the wrapped ones stay inside the package.
%rename(NativeEvent) finback::binding::Event;
%rename(NativeUsage) finback::binding::Usage;
%rename(NextNative) finback::binding::Stream::Next;
%rename(UsageNative) finback::binding::Stream::Usage;
%rename(SetText) finback::binding::Options::Set;
%ignore finback::binding::EventKind;
%apply int { finback::binding::EventKind };
%typemap(out) finback::binding::EventKind "$result = static_cast<int>($1);"
// Any thread may cancel the stream object itself.
%ignore finback::binding::Stream::Number;
%ignore finback::binding::CancelStream;
%ignore finback::binding::Bytes;
// Callers pass "" when they have no list.
%feature("compactdefaultargs") finback::binding::Engine::Verify;
