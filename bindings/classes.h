// What the scripting and managed languages see: finback.hpp once more,
// in types that SWIG maps well.
//
// Strings, numbers and lists by value, objects by pointer, an end instead of an iterator. Two
// things are added for languages that collect garbage or share objects among threads: Close() gives
// a handle up at once, safely even while another thread is inside a call, and calls into one object
// take turns. The methods mean what their namesakes in finback.h say.
// SWIG renames them to each language's habit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "finback/finback.hpp"

namespace finback::binding {

// A snapshot's bytes: a type of its own, because languages keep bytes and text apart.
struct Bytes {
  std::string data;
};

using TokenIds = std::vector<int32_t>;
using Logits = std::vector<float>;

#ifndef SWIG

// What a call failed with, in one shape for every language.
struct Failure {
  int32_t code;
  std::string name;     // "not_found"; see finback_status_name()
  std::string message;  // one line
  std::string details;  // a JSON object; see finback_last_error_details()
};

inline Failure MakeFailure(int32_t code, const std::string &message,
                           const std::string &details = "{}") {
  return {code, finback_status_name(code), message, details};
}

// Call it inside `catch (...)`.
inline Failure CurrentFailure() {
  try {
    throw;
  } catch (const Error &error) {
    return MakeFailure(error.code(), error.what(), error.details());
  } catch (const std::bad_alloc &) {
    return MakeFailure(FINBACK_ERROR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return MakeFailure(FINBACK_ERROR_INTERNAL, error.what());
  } catch (...) {
    return MakeFailure(FINBACK_ERROR_INTERNAL, "an unknown exception");
  }
}

// The handle inside an object. Any thread may close it at any time; a call that is running keeps it
// alive until it returns.
template <typename T>
class Held {
 public:
  Held(const char *what, T value)
      : what_(what), pointer_(std::make_shared<T>(std::move(value))), turns_(new std::mutex) {}

  // For calls that take turns; converts to the pointer for as long as it lives.
  class Turn {
   public:
    Turn(std::shared_ptr<T> pointer, std::shared_ptr<std::mutex> turns)
        : pointer_(std::move(pointer)), turns_(std::move(turns)), lock_(*turns_) {}
    T *operator->() const { return pointer_.get(); }

   private:
    std::shared_ptr<T> pointer_;
    std::shared_ptr<std::mutex> turns_;
    std::unique_lock<std::mutex> lock_;
  };
  Turn Use() const { return Turn(Get(), turns_); }

  // For calls that any thread may make at any time. Throws after Close().
  std::shared_ptr<T> Get() const {
    std::shared_ptr<T> pointer = Find();
    if (pointer == nullptr) {
      throw Error(FINBACK_ERROR_INVALID_ARGUMENT, std::string("the ") + what_ + " is closed");
    }
    return pointer;
  }
  // The same, but nullptr after Close().
  std::shared_ptr<T> Find() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return pointer_;
  }
  void Close() {
    std::shared_ptr<T> last;  // freed after the lock
    const std::lock_guard<std::mutex> lock(mutex_);
    last.swap(pointer_);
  }

 private:
  const char *what_;
  mutable std::mutex mutex_;
  std::shared_ptr<T> pointer_;
  std::shared_ptr<std::mutex> turns_;
};

// Numbers of the streams that are open, for languages whose threads cannot share objects.
class OpenStreams {
 public:
  static OpenStreams &Instance() {
    static auto *instance = new OpenStreams;  // outlives every thread, so never destroyed
    return *instance;
  }
  int64_t Add(std::weak_ptr<finback::Stream> stream) {
    const std::lock_guard<std::mutex> lock(mutex_);
    streams_[++last_] = std::move(stream);
    return last_;
  }
  void Remove(int64_t number) {
    const std::lock_guard<std::mutex> lock(mutex_);
    streams_.erase(number);
  }
  std::shared_ptr<finback::Stream> Find(int64_t number) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = streams_.find(number);
    return found == streams_.end() ? nullptr : found->second.lock();
  }

 private:
  std::mutex mutex_;
  int64_t last_ = 0;
  std::map<int64_t, std::weak_ptr<finback::Stream>> streams_;
};

#endif  // SWIG

class Options {
 public:
  void Set(const std::string &name, const std::string &value) {
    options_.Set(detail::WithoutNul("option name", name), value);
  }
#if !defined(SWIG) || defined(SWIGPERL)
  // For a language that keeps apart what a file's name is in bytes.
  void SetBytes(const std::string &name, const Bytes &value) { Set(name, value.data); }
#endif
  std::string Get(const std::string &name) const {
    return options_.Get(detail::WithoutNul("option name", name));
  }
#ifndef SWIG
  const finback::Options &get() const { return options_; }

 private:
  finback::Options options_;
#endif
};

// FINBACK_EVENT_*. A kind that a newer library invented is kOther: skip it.
enum class EventKind {
  kOther = 0,
  kReasoning = FINBACK_EVENT_REASONING,
  kContent = FINBACK_EVENT_CONTENT,
  kToolCall = FINBACK_EVENT_TOOL_CALL,
  kToolArguments = FINBACK_EVENT_TOOL_ARGUMENTS,
  kToolCallEnd = FINBACK_EVENT_TOOL_CALL_END,
  kFinish = FINBACK_EVENT_FINISH,
  kProgress = FINBACK_EVENT_PROGRESS,
  kNotice = FINBACK_EVENT_NOTICE,
};

#ifndef SWIG
inline EventKind KnownKind(int32_t kind) {
  return kind > FINBACK_EVENT_NONE && kind <= FINBACK_EVENT_NOTICE ? static_cast<EventKind>(kind)
                                                                   : EventKind::kOther;
}

// How languages without enumerations spell a kind.
inline const char *KindName(EventKind kind) {
  static const char *const kNames[] = {"other",     "reasoning",      "content",
                                       "tool_call", "tool_arguments", "tool_call_end",
                                       "finish",    "progress",       "notice"};
  return kNames[static_cast<int>(kind)];
}
#endif

// One event, a copy: it stays as it is when the stream moves on.
struct Event {
  EventKind kind = EventKind::kOther;
  std::string text;
  int32_t tool_index = 0;
  std::string tool_id, tool_name;
  std::string finish_reason;
  std::string logprobs;  // a JSON array
  int64_t progress_done = 0, progress_total = 0;
};

struct Usage {
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  int64_t disk_tokens = 0, proposed_tokens = 0, accepted_tokens = 0;
};

class Stream {
 public:
  // The next event, the caller's to free; a null pointer when the stream is over.
  Event *Next() {
    const auto turn = held_.Use();
    const finback::Event *from = turn->Next();
    if (from == nullptr) return nullptr;
    auto event = std::make_unique<Event>();
    event->kind = KnownKind(static_cast<int32_t>(from->kind));
    event->text = from->text;
    event->tool_index = from->tool_index;
    event->tool_id = from->tool_id;
    event->tool_name = from->tool_name;
    event->finish_reason = from->finish_reason;
    event->logprobs = turn->Logprobs();
    event->progress_done = from->progress_done;
    event->progress_total = from->progress_total;
    return event.release();
  }
  std::string Response() const { return held_.Use()->Response(); }
  std::string Message() const { return held_.Use()->Message(); }
  std::string Chunk() const { return held_.Use()->Chunk(); }
  finback::binding::Usage Usage() const {
    const finback_usage usage = held_.Use()->Usage();
    return {usage.prompt_tokens,    usage.cached_tokens, usage.completion_tokens,
            usage.reasoning_tokens, usage.disk_tokens,   usage.proposed_tokens,
            usage.accepted_tokens};
  }
  // Any thread, any time; nothing happens once the stream is closed.
  void Cancel() {
    if (const auto stream = held_.Find()) stream->Cancel();
  }
  // What CancelStream() knows this stream by, in any thread of the process.
  int64_t Number() const { return number_; }
  // What another thread is waiting for ends, as cancelled.
  void Close() {
    OpenStreams::Instance().Remove(number_);
    Cancel();
    held_.Close();
  }
  ~Stream() { OpenStreams::Instance().Remove(number_); }
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

#ifndef SWIG
  explicit Stream(finback::Stream stream)
      : held_("stream", std::move(stream)), number_(OpenStreams::Instance().Add(held_.Get())) {}

 private:
  Held<finback::Stream> held_;
  int64_t number_;
#else
 private:
  Stream();
#endif
};

// Cancels the stream of that number; false when there is none any more.
inline bool CancelStream(int64_t number) {
  const auto stream = OpenStreams::Instance().Find(number);
  if (stream != nullptr) stream->Cancel();
  return stream != nullptr;
}

class Session {
 public:
  Stream *Chat(const std::string &request_json) {
    return new Stream(held_.Use()->Chat(request_json));
  }
  void Close() { held_.Close(); }

#ifndef SWIG
  explicit Session(finback::Session session) : held_("session", std::move(session)) {}

 private:
  Held<finback::Session> held_;
#else
 private:
  Session();
#endif
};

class Sequence {
 public:
  // Logits after the last id; after every id, row by row; none.
  Logits Evaluate(const TokenIds &ids) { return held_.Use()->Evaluate(ids, Rows::kLast); }
  Logits EvaluateAll(const TokenIds &ids) { return held_.Use()->Evaluate(ids, Rows::kAll); }
  void Append(const TokenIds &ids) { held_.Use()->Evaluate(ids, Rows::kNone); }
  int64_t Position() const { return held_.Use()->Position(); }
  int64_t ContextTokens() const { return held_.Use()->ContextTokens(); }
  int64_t Vocab() const { return static_cast<int64_t>(held_.Use()->Vocab()); }
  void RollBack(int64_t tokens) { held_.Use()->RollBack(tokens); }
  Sequence *Fork() const { return new Sequence(held_.Use()->Fork()); }
  Bytes Snapshot() const {
    const std::vector<uint8_t> bytes = held_.Use()->Snapshot();
    return {std::string(bytes.begin(), bytes.end())};
  }
  void Restore(const Bytes &bytes) {
    held_.Use()->Restore(std::vector<uint8_t>(bytes.data.begin(), bytes.data.end()));
  }
  void Cancel() {
    if (const auto sequence = held_.Find()) sequence->Cancel();
  }
  void Close() {
    Cancel();
    held_.Close();
  }

#ifndef SWIG
  explicit Sequence(finback::Sequence sequence) : held_("sequence", std::move(sequence)) {}

 private:
  Held<finback::Sequence> held_;
#else
 private:
  Sequence();
#endif
};

// Its methods may run in several threads at once.
class Engine {
 public:
  explicit Engine(const Options &options) : held_("engine", finback::Engine(options.get())) {}

  std::string Info() const { return held_.Get()->Info(); }
  std::string Models() const { return detail::TakeText(finback_engine_models(held_.Get()->get())); }
  std::string Balance() const {
    return detail::TakeText(finback_engine_balance(held_.Get()->get()));
  }
  // With what sha256sum printed for the folder, that too.
  void Verify(const std::string &sha256_list = "") const {
    if (sha256_list.empty()) {
      held_.Get()->Verify();
    } else {
      held_.Get()->Verify(sha256_list);
    }
  }
  TokenIds Tokenize(const std::string &text) const { return held_.Get()->Tokenize(text); }
  // Special tokens such as <think> become their ids.
  TokenIds TokenizeSpecial(const std::string &text) const {
    return held_.Get()->Tokenize(text, finback::Engine::Special::kRecognize);
  }
  std::string Detokenize(const TokenIds &ids) const { return held_.Get()->Detokenize(ids); }
  std::string Encode(const std::string &request_json) const {
    return held_.Get()->Encode(request_json);
  }
  TokenIds EncodeTokens(const std::string &request_json) const {
    return held_.Get()->EncodeTokens(request_json);
  }
  Stream *Chat(const std::string &request_json) const {
    return new Stream(held_.Get()->Chat(request_json));
  }
  Stream *Complete(const std::string &request_json) const {
    return new Stream(held_.Get()->Complete(request_json));
  }
  Session *NewSession() const { return new Session(held_.Get()->NewSession()); }
  Sequence *NewSequence() const { return new Sequence(held_.Get()->NewSequence()); }
  void Close() { held_.Close(); }

#ifndef SWIG

 private:
  Held<finback::Engine> held_;
#endif
};

inline std::string Version() { return finback_version(); }
inline std::string BuildInfo() { return finback_build_info(); }
inline std::string EncodeMessages(const std::string &json) { return finback::EncodeMessages(json); }
// Strict: the published grammar; any deviation is an error.
inline std::string ParseCompletion(const std::string &text, bool thinking, bool strict) {
  return finback::ParseCompletion(text, thinking ? StartsIn::kReasoning : StartsIn::kContent,
                                  strict ? Grammar::kStrict : Grammar::kTolerant);
}
inline std::string CostReport(const Options &options, const std::string &query_json) {
  return detail::TakeText(
      finback_cost_report(options.get().get(), detail::WithoutNul("query", query_json)));
}
inline std::string Services(const Options &options) {
  return detail::TakeText(finback_services(options.get().get()));
}
inline int64_t OptionCount() { return static_cast<int64_t>(finback_options_count()); }
// One option as a JSON object; `index` below OptionCount().
inline std::string DescribeOption(int64_t index) {
  return detail::NotNull(finback_options_describe(static_cast<std::size_t>(index)));
}

}  // namespace finback::binding
