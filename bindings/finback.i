// The one interface for every language. What is the same everywhere stands here; a language's own
// part (strings, errors, locks, names) is LANGUAGE/finback_LANGUAGE.i.
%module finback
%{
#include "classes.h"
using namespace finback::binding;  // NOLINT: wrappers alone follow
%}
%include <stdint.i>
%include <exception.i>

// Who makes it, gives it away.
%newobject finback::binding::Engine::Chat;
%newobject finback::binding::Engine::Complete;
%newobject finback::binding::Engine::NewSession;
%newobject finback::binding::Engine::NewSequence;
%newobject finback::binding::Session::Chat;
%newobject finback::binding::Sequence::Fork;
%newobject finback::binding::Stream::Next;

// Records are results: nobody sets their fields.
%immutable finback::binding::Event::kind;
%immutable finback::binding::Event::text;
%immutable finback::binding::Event::tool_index;
%immutable finback::binding::Event::tool_id;
%immutable finback::binding::Event::tool_name;
%immutable finback::binding::Event::finish_reason;
%immutable finback::binding::Event::logprobs;
%immutable finback::binding::Event::progress_done;
%immutable finback::binding::Event::progress_total;
%immutable finback::binding::Usage::prompt_tokens;
%immutable finback::binding::Usage::cached_tokens;
%immutable finback::binding::Usage::completion_tokens;
%immutable finback::binding::Usage::reasoning_tokens;
%immutable finback::binding::Usage::disk_tokens;
%immutable finback::binding::Usage::proposed_tokens;
%immutable finback::binding::Usage::accepted_tokens;

#ifdef SWIGPERL
%include "perl/finback_perl.i"
#endif
#ifdef SWIGRUBY
%include "ruby/finback_ruby.i"
#endif
#ifdef SWIGLUA
%include "lua/finback_lua.i"
#endif
#ifdef SWIGTCL
%include "tcl/finback_tcl.i"
#endif
#ifdef SWIGJAVA
%include "java/finback_java.i"
#endif
#ifdef SWIGCSHARP
%include "csharp/finback_csharp.i"
#endif
#ifdef SWIGGO
%include "go/finback_go.i"
#endif

%include "classes.h"
