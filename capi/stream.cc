#include <cstring>
#include <ctime>
#include <memory>
#include <string>

#include "capi/boundary.h"
#include "capi/handles.h"
#include "core/base/random.h"
#include "core/engine/answer_json.h"

using finback::AnswerName;
using finback::Code;
using finback::Event;
using finback::EventKind;
using finback::Guard;
using finback::GuardStatus;
using finback::Require;

namespace {

std::string NewResponseId(const char* prefix) {
  return std::string(prefix) + "-" + finback::RandomId();
}

// A handle without its stream: everything that can fail before the session is taken.
std::unique_ptr<finback_stream> NewHandle(const std::shared_ptr<finback::Backend>& backend,
                                          const finback::Request& request,
                                          const std::string& model_name) {
  auto handle = std::make_unique<finback_stream>();
  handle->backend = backend;
  const AnswerName name{request.is_chat ? AnswerName::Shape::kChat : AnswerName::Shape::kText,
                        request.model.empty() ? model_name : request.model,
                        NewResponseId(request.is_chat ? "chatcmpl" : "cmpl"),
                        static_cast<int64_t>(time(nullptr))};
  handle->response.Start(name);
  handle->chunk.Start(name);
  return handle;
}

finback_stream* StartOnEngine(finback_engine* engine, finback::Request request) {
  auto handle = NewHandle(engine->backend, request, engine->model_name);
  handle->notice = engine->unknown_fields.Judge(request);
  handle->stream = engine->backend->Start(std::move(request));
  return handle.release();
}

// An empty answer for a NULL self, with the error set.
const char* TextOf(const finback_stream* self, const std::string Event::*member) {
  return Guard<const char*>("", [&] { return (Require(self, "self").event.*member).c_str(); });
}

}  // namespace

finback_stream* finback_engine_chat(finback_engine* self, const char* request_json) {
  return Guard<finback_stream*>(nullptr, [&] {
    Require(self, "self");
    return StartOnEngine(self, finback::ParseChatRequest(&Require(request_json, "request_json")));
  });
}

finback_stream* finback_engine_complete(finback_engine* self, const char* request_json) {
  return Guard<finback_stream*>(nullptr, [&] {
    Require(self, "self");
    return StartOnEngine(self,
                         finback::ParseCompletionRequest(&Require(request_json, "request_json")));
  });
}

finback_session* finback_session_new(finback_engine* engine) {
  return Guard<finback_session*>(nullptr, [&] {
    Require(engine, "engine");
    auto handle = std::make_unique<finback_session>();
    handle->backend = engine->backend;
    handle->model_name = engine->model_name;
    handle->unknown_fields = engine->unknown_fields;
    handle->session = engine->backend->NewSession();
    return handle.release();
  });
}

finback_stream* finback_session_chat(finback_session* self, const char* request_json) {
  return Guard<finback_stream*>(nullptr, [&] {
    Require(self, "self");
    finback::Request request = finback::ParseChatRequest(&Require(request_json, "request_json"));
    auto handle = NewHandle(self->backend, request, self->model_name);
    handle->session = self->session;
    handle->notice = self->unknown_fields.Judge(request);
    handle->stream = self->session->Start(std::move(request));
    return handle.release();
  });
}

void finback_session_free(finback_session* self) { delete self; }

finback_status finback_stream_step(finback_stream* self) {
  return GuardStatus([&]() -> finback_status {
    Require(self, "self");
    self->event.kind = EventKind::kNone;  // in case of an error
    if (!self->occupancy.Own()) {
      finback::Throw(Code::kInvalidArgument,
                     "stream: it was begun before fork(), by the parent; begin another");
    }
    const finback::Occupancy::Call call(&self->occupancy, "stream");
    if (!self->notice.empty()) {
      self->event = Event();
      self->event.kind = EventKind::kNotice;
      self->event.text.swap(self->notice);
    } else if (!self->stream->Step(&self->event)) {
      self->event.kind = EventKind::kNone;
      self->event.text.clear();
      return FINBACK_DONE;
    }
    self->chunk.Add(self->event, self->response);
    self->response.Add(self->event);
    return FINBACK_OK;
  });
}

int32_t finback_stream_kind(const finback_stream* self) {
  return Guard<int32_t>(FINBACK_EVENT_NONE,
                        [&] { return static_cast<int32_t>(Require(self, "self").event.kind); });
}

const char* finback_stream_text(const finback_stream* self) { return TextOf(self, &Event::text); }

size_t finback_stream_text_size(const finback_stream* self) {
  return Guard<size_t>(0, [&] { return Require(self, "self").event.text.size(); });
}

int32_t finback_stream_tool_index(const finback_stream* self) {
  return Guard<int32_t>(0, [&] { return Require(self, "self").event.tool_index; });
}

const char* finback_stream_tool_id(const finback_stream* self) {
  return TextOf(self, &Event::tool_id);
}

const char* finback_stream_tool_name(const finback_stream* self) {
  return TextOf(self, &Event::tool_name);
}

const char* finback_stream_finish_reason(const finback_stream* self) {
  return Guard<const char*>(
      "", [&] { return FinishReasonName(Require(self, "self").response.finish_reason()); });
}

const char* finback_stream_logprobs(const finback_stream* self) {
  return Guard<const char*>("[]", [&] {
    Require(self, "self");
    std::string items;
    if (self->event.kind != EventKind::kNone) AppendLogprobs(self->event.logprobs, &items);
    self->logprobs_json = "[" + items + "]";
    return self->logprobs_json.c_str();
  });
}

const char* finback_stream_response(const finback_stream* self) {
  return Guard<const char*>("{}", [&] {
    Require(self, "self");
    self->response_json = self->response.Json(self->stream->usage(), self->stream->service());
    return self->response_json.c_str();
  });
}

const char* finback_stream_message(const finback_stream* self) {
  return Guard<const char*>("{}", [&] {
    Require(self, "self");
    self->message_json = self->response.Message(self->stream->service());
    return self->message_json.c_str();
  });
}

const char* finback_stream_chunk(const finback_stream* self) {
  return Guard<const char*>("", [&] {
    Require(self, "self");
    self->chunk_json =
        self->chunk.Json(self->event, self->stream->usage(), self->stream->service());
    return self->chunk_json.c_str();
  });
}

finback_status finback_stream_usage(const finback_stream* self, finback_usage* usage) {
  return GuardStatus([&] {
    Require(self, "self");
    constexpr uint32_t kFirstSize = 40;  // of version 0.1
    const uint32_t size = Require(usage, "usage").struct_size;
    if (size < kFirstSize) {
      finback::Throw(Code::kInvalidArgument, "usage.struct_size: must be at least %u, got %u",
                     kFirstSize, size);
    }
    const finback::Usage now = self->stream->usage();
    usage->reserved = 0;
    usage->prompt_tokens = now.prompt_tokens;
    usage->cached_tokens = now.cached_tokens;
    usage->completion_tokens = now.completion_tokens;
    usage->reasoning_tokens = now.reasoning_tokens;
    if (size < sizeof(finback_usage)) return;
    usage->disk_tokens = now.disk_tokens;
    usage->proposed_tokens = now.proposed_tokens;
    usage->accepted_tokens = now.accepted_tokens;
  });
}

int64_t finback_stream_progress_done(const finback_stream* self) {
  return Guard<int64_t>(0, [&] { return Require(self, "self").event.progress_done; });
}

int64_t finback_stream_progress_total(const finback_stream* self) {
  return Guard<int64_t>(0, [&] { return Require(self, "self").event.progress_total; });
}

void finback_stream_cancel(finback_stream* self) {
  finback::ClearLastError();
  if (self != nullptr && self->occupancy.Own()) self->stream->Cancel();
}

void finback_stream_free(finback_stream* self) {
  if (self == nullptr) return;
  // A service's stream is the parent's: to end it here would end it there.
  const bool of_parent = !self->occupancy.Own() && self->stream->service() != nullptr;
  if (of_parent || self->occupancy.Orphaned()) static_cast<void>(self->stream.release());
  delete self;
}
