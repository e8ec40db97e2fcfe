// Finback for C++: owning classes over finback.h, which is the manual. Header only, C++17.
//
//     finback::Engine engine({{"model", "/models/DeepSeek-V4-Flash"}});
//     finback::Stream stream = engine.Chat(
//         R"({"messages": [{"role": "user", "content": "Hello"}]})");
//     for (const finback::Event& event : stream)
//       if (event.kind == finback::EventKind::kContent) std::cout << event.text;
//
// Failures throw finback::Error. Objects may be destroyed in any order; threads as in finback.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "finback/finback.h"

namespace finback {
inline namespace v0 {

// A failed call: code() is FINBACK_ERROR_*, what() the library's message.
class Error : public std::runtime_error {
 public:
  Error(finback_status code, const std::string &message, const std::string &details = "{}")
      : std::runtime_error(message), code_(code), details_(details) {}
  finback_status code() const noexcept { return code_; }
  const std::string &details() const noexcept { return details_; }  // finback_last_error_details()
  // Throws what this thread's last call left behind.
  [[noreturn]] static void ThrowLast() {
    const finback_status code = finback_last_error_code();
    throw Error(code, finback_last_error(), finback_last_error_details());
  }

 private:
  finback_status code_;
  std::string details_;
};

namespace detail {

template <typename T, void (*free_function)(T *)>
struct Deleter {
  void operator()(T *pointer) const noexcept { free_function(pointer); }
};
template <typename T, void (*free_function)(T *)>
using Handle = std::unique_ptr<T, Deleter<T, free_function>>;

template <typename T>
T *NotNull(T *pointer) {
  if (pointer == nullptr) Error::ThrowLast();
  return pointer;
}

inline void Check(finback_status status) {
  if (status < 0) Error::ThrowLast();
}

// The library takes NUL-terminated text: what follows a NUL must not vanish in silence.
inline const char *WithoutNul(const char *what, const std::string &text) {
  const std::size_t position = text.find('\0');
  if (position == std::string::npos) return text.c_str();
  throw Error(FINBACK_ERROR_INVALID_ARGUMENT,
              std::string(what) + ": NUL character at byte " + std::to_string(position));
}

inline std::string TakeText(finback_text *owned) {
  const Handle<finback_text, finback_text_free> text(NotNull(owned));
  return std::string(finback_text_data(text.get()), finback_text_size(text.get()));
}

inline std::vector<int32_t> TakeTokens(finback_tokens *owned) {
  const Handle<finback_tokens, finback_tokens_free> tokens(NotNull(owned));
  const int32_t *data = finback_tokens_data(tokens.get());
  return std::vector<int32_t>(data, data + finback_tokens_count(tokens.get()));
}

}  // namespace detail

// Returns false to stop the work with FINBACK_ERROR_CANCELLED.
using Progress = std::function<bool(std::string_view phase, uint64_t done, uint64_t total)>;
// Receives a line for the log; `level` is FINBACK_LOG_*.
using Log = std::function<void(int32_t level, std::string_view message)>;

class Options {
 public:
  Options() : handle_(detail::NotNull(finback_options_new())) {}
  Options(std::initializer_list<std::pair<const char *, const char *>> values) : Options() {
    for (const auto &[name, value] : values) Set(name, value);
  }
  Options &Set(const char *name, const char *value) {
    detail::Check(finback_options_set(handle_.get(), name, value));
    return *this;
  }
  Options &Set(const char *name, const std::string &value) {
    const std::string what = std::string("option ") + (name == nullptr ? "" : name);
    return Set(name, detail::WithoutNul(what.c_str(), value));
  }
  std::string Get(const char *name) const {
    return detail::NotNull(finback_options_get(handle_.get(), name));
  }
  const finback_options *get() const noexcept { return handle_.get(); }
  finback_options *get() noexcept { return handle_.get(); }

 private:
  detail::Handle<finback_options, finback_options_free> handle_;
};

enum class EventKind : int32_t {
  kNone = FINBACK_EVENT_NONE,
  kReasoning = FINBACK_EVENT_REASONING,
  kContent = FINBACK_EVENT_CONTENT,
  kToolCall = FINBACK_EVENT_TOOL_CALL,
  kToolArguments = FINBACK_EVENT_TOOL_ARGUMENTS,
  kToolCallEnd = FINBACK_EVENT_TOOL_CALL_END,
  kFinish = FINBACK_EVENT_FINISH,
  kProgress = FINBACK_EVENT_PROGRESS,
  kNotice = FINBACK_EVENT_NOTICE,
};

// Views into the stream: valid until it steps again.
struct Event {
  EventKind kind = EventKind::kNone;
  std::string_view text;
  int32_t tool_index = 0;
  std::string_view tool_id, tool_name;
  std::string_view finish_reason;
  int64_t progress_done = 0, progress_total = 0;
};

class Stream {
 public:
  explicit Stream(finback_stream *owned, std::shared_ptr<void> keep = nullptr)
      : keep_(std::move(keep)), handle_(detail::NotNull(owned)) {}

  // The next event, or nullptr when the stream is over.
  const Event *Next() {
    finback_stream *self = handle_.get();
    const finback_status status = finback_stream_step(self);
    detail::Check(status);
    if (status == FINBACK_DONE) return nullptr;
    event_.kind = static_cast<EventKind>(finback_stream_kind(self));
    event_.text = {finback_stream_text(self), finback_stream_text_size(self)};
    event_.tool_index = finback_stream_tool_index(self);
    event_.tool_id = finback_stream_tool_id(self);
    event_.tool_name = finback_stream_tool_name(self);
    event_.finish_reason = finback_stream_finish_reason(self);
    event_.progress_done = finback_stream_progress_done(self);
    event_.progress_total = finback_stream_progress_total(self);
    return &event_;
  }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Event;
    using difference_type = std::ptrdiff_t;
    using pointer = const Event *;
    using reference = const Event &;
    Iterator() = default;
    explicit Iterator(Stream *stream) : stream_(stream), event_(stream->Next()) {}
    reference operator*() const { return *event_; }
    pointer operator->() const { return event_; }
    Iterator &operator++() {
      event_ = stream_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator &a, const Iterator &b) { return a.event_ == b.event_; }
    friend bool operator!=(const Iterator &a, const Iterator &b) { return !(a == b); }

   private:
    Stream *stream_ = nullptr;
    const Event *event_ = nullptr;
  };
  // One pass: the events that are still to come.
  Iterator begin() { return Iterator(this); }
  Iterator end() { return Iterator(); }

  std::string Logprobs() const { return finback_stream_logprobs(handle_.get()); }
  std::string Response() const { return finback_stream_response(handle_.get()); }
  std::string Message() const { return finback_stream_message(handle_.get()); }
  std::string Chunk() const { return finback_stream_chunk(handle_.get()); }
  finback_usage Usage() const {
    finback_usage usage{};
    usage.struct_size = sizeof usage;
    detail::Check(finback_stream_usage(handle_.get(), &usage));
    return usage;
  }
  void Cancel() noexcept { finback_stream_cancel(handle_.get()); }  // any thread
  finback_stream *get() noexcept { return handle_.get(); }

 private:
  std::shared_ptr<void> keep_;  // what the engine's callbacks need
  detail::Handle<finback_stream, finback_stream_free> handle_;
  Event event_;
};

class Session {
 public:
  explicit Session(finback_session *owned, std::shared_ptr<void> keep = nullptr)
      : keep_(std::move(keep)), handle_(detail::NotNull(owned)) {}
  Stream Chat(const std::string &request_json) {
    return Stream(finback_session_chat(handle_.get(), detail::WithoutNul("request", request_json)),
                  keep_);
  }
  finback_session *get() noexcept { return handle_.get(); }

 private:
  std::shared_ptr<void> keep_;  // what the engine's callbacks need
  detail::Handle<finback_session, finback_session_free> handle_;
};

enum class Rows { kNone, kLast, kAll };

class Sequence {
 public:
  explicit Sequence(finback_sequence *owned, std::shared_ptr<void> keep = nullptr)
      : keep_(std::move(keep)), handle_(detail::NotNull(owned)) {}
  // Logits of the rows asked for, [rows, Vocab()].
  std::vector<float> Evaluate(const std::vector<int32_t> &ids, Rows rows = Rows::kLast) {
    const std::size_t count = rows == Rows::kNone || ids.empty() ? 0
                              : rows == Rows::kLast              ? 1
                                                                 : ids.size();
    std::vector<float> logits(count * Vocab());
    detail::Check(
        finback_sequence_evaluate(handle_.get(), ids.data(), ids.size(), logits.data(), count));
    return logits;
  }
  // The same into memory of the caller's, [rows, Vocab()]; rows is 0, 1 or count.
  void EvaluateInto(const int32_t *ids, std::size_t count, float *logits, std::size_t rows) {
    detail::Check(finback_sequence_evaluate(handle_.get(), ids, count, logits, rows));
  }
  int64_t Position() const noexcept { return finback_sequence_position(handle_.get()); }
  int64_t ContextTokens() const noexcept { return finback_sequence_context_tokens(handle_.get()); }
  std::size_t Vocab() const noexcept { return finback_sequence_vocab(handle_.get()); }
  void RollBack(int64_t tokens) {
    detail::Check(finback_sequence_roll_back(handle_.get(), tokens));
  }
  Sequence Fork() const { return Sequence(finback_sequence_fork(handle_.get()), keep_); }
  std::vector<uint8_t> Snapshot() const {
    const detail::Handle<finback_bytes, finback_bytes_free> bytes(
        detail::NotNull(finback_sequence_snapshot(handle_.get())));
    const uint8_t *data = static_cast<const uint8_t *>(finback_bytes_data(bytes.get()));
    return std::vector<uint8_t>(data, data + finback_bytes_size(bytes.get()));
  }
  void Restore(const void *data, std::size_t size) {
    detail::Check(finback_sequence_restore(handle_.get(), data, size));
  }
  void Restore(const std::vector<uint8_t> &bytes) { Restore(bytes.data(), bytes.size()); }
  void Cancel() noexcept { finback_sequence_cancel(handle_.get()); }  // any thread
  finback_sequence *get() noexcept { return handle_.get(); }

 private:
  std::shared_ptr<void> keep_;  // what the engine's callbacks need
  detail::Handle<finback_sequence, finback_sequence_free> handle_;
};

class Engine {
 public:
  explicit Engine(const Options &options)
      : handle_(detail::NotNull(finback_engine_open(options.get()))) {}
  // With callbacks, which live as long as the engine and all that it made; either may be empty.
  Engine(Options options, Progress progress, Log log = nullptr)
      : callbacks_(std::make_shared<Callbacks>(Callbacks{std::move(progress), std::move(log)})) {
    if (callbacks_->progress) {
      detail::Check(finback_options_set_progress(options.get(), &CallProgress, callbacks_.get()));
    }
    if (callbacks_->log) {
      detail::Check(finback_options_set_log(options.get(), &CallLog, callbacks_.get()));
    }
    handle_.reset(detail::NotNull(finback_engine_open(options.get())));
  }

  std::string Info() { return detail::NotNull(finback_engine_info(handle_.get())); }
  void Verify() { detail::Check(finback_engine_verify(handle_.get(), nullptr)); }
  void Verify(const std::string &sha256_list) {
    detail::Check(
        finback_engine_verify(handle_.get(), detail::WithoutNul("SHA-256 list", sha256_list)));
  }
  // What a service says of its models, and of the key's account, as JSON.
  std::string Models() { return detail::TakeText(finback_engine_models(handle_.get())); }
  std::string Balance() { return detail::TakeText(finback_engine_balance(handle_.get())); }
  enum class Special { kIgnore, kRecognize };
  std::vector<int32_t> Tokenize(std::string_view text, Special special = Special::kIgnore) {
    return detail::TakeTokens(finback_engine_tokenize(handle_.get(), text.data(), text.size(),
                                                      special == Special::kRecognize ? 1 : 0));
  }
  std::string Detokenize(const std::vector<int32_t> &ids) {
    return detail::TakeText(finback_engine_detokenize(handle_.get(), ids.data(), ids.size()));
  }
  std::string Encode(const std::string &request_json) {
    return detail::TakeText(
        finback_engine_encode(handle_.get(), detail::WithoutNul("request", request_json)));
  }
  std::vector<int32_t> EncodeTokens(const std::string &request_json) {
    return detail::TakeTokens(
        finback_engine_encode_tokens(handle_.get(), detail::WithoutNul("request", request_json)));
  }
  Stream Chat(const std::string &request_json) {
    return Stream(finback_engine_chat(handle_.get(), detail::WithoutNul("request", request_json)),
                  callbacks_);
  }
  Stream Complete(const std::string &request_json) {
    return Stream(
        finback_engine_complete(handle_.get(), detail::WithoutNul("request", request_json)),
        callbacks_);
  }
  Session NewSession() { return Session(finback_session_new(handle_.get()), callbacks_); }
  Sequence NewSequence() { return Sequence(finback_sequence_new(handle_.get()), callbacks_); }
  finback_engine *get() noexcept { return handle_.get(); }

 private:
  struct Callbacks {
    Progress progress;
    Log log;
  };
  // Exceptions must not cross the C library: a callback that throws stops the work.
  static int32_t CallProgress(const char *phase, uint64_t done, uint64_t total, void *user_data) {
    try {
      return static_cast<Callbacks *>(user_data)->progress(phase, done, total) ? 0 : 1;
    } catch (...) {
      return 1;
    }
  }
  // ... and one of the log is lost.
  static void CallLog(int32_t level, const char *message, void *user_data) {
    try {
      static_cast<Callbacks *>(user_data)->log(level, message);
    } catch (...) {
    }
  }

  std::shared_ptr<Callbacks> callbacks_;
  detail::Handle<finback_engine, finback_engine_free> handle_;
};

// What was spent, by a ledger, as JSON; finback_cost_report() has the query.
inline std::string CostReport(const Options &options, const std::string &query_json) {
  return detail::TakeText(
      finback_cost_report(options.get(), detail::WithoutNul("query", query_json)));
}

// How fast a model is on this machine, as JSON; finback_benchmark() has the settings.
inline std::string Benchmark(const Options &options, const std::string &settings_json) {
  return detail::TakeText(
      finback_benchmark(options.get(), detail::WithoutNul("settings", settings_json)));
}

// What a cache folder holds, as JSON; docs/cache.md has the query, which may check or clear it too.
inline std::string Cache(const Options &options, const std::string &query_json) {
  return detail::TakeText(finback_cache(options.get(), detail::WithoutNul("query", query_json)));
}

inline std::string EncodeMessages(const std::string &json) {
  return detail::TakeText(finback_encode_messages(detail::WithoutNul("messages", json)));
}

// Text as a JSON string, quotes included.
inline std::string JsonString(std::string_view text) {
  return detail::TakeText(finback_json_string(text.data(), text.size()));
}

enum class Grammar { kTolerant, kStrict };
enum class StartsIn { kContent, kReasoning };
inline std::string ParseCompletion(std::string_view text, StartsIn start, Grammar grammar) {
  return detail::TakeText(finback_parse_completion(text.data(), text.size(),
                                                   start == StartsIn::kReasoning ? 1 : 0,
                                                   grammar == Grammar::kStrict ? 1 : 0));
}

}  // namespace v0
}  // namespace finback
