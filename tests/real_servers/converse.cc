// Holds conversations for the tests of this folder, which are no C++: reads one JSON object a line
// and answers each with one.
//
//   {"open": {OPTION: VALUE, ..}}               -> {"end": "ok"}: the engine of all that follows
//   {"models": true}                            -> {"end": "ok", "value": {..}}
//   {"chat": REQUEST} or {"complete": REQUEST}  -> {"streams": [{"events": [..], "end": "done",
//                                                   "finish_reason", "usage", "response"}]}
//     "streams": N       as many at once, each in a thread of its own
//     "cancel_after": N  another thread cancels each stream when it has delivered N events
//     "cancel_line": 1   the line that follows, whatever it says, cancels all streams
//     "replies": [..]    the conversation goes on: after every answer with calls, the next text is
//                        the result of each of them; "streams" then has every answer in turn
//
// Whatever failed has "end": the code's name, "error" and "details".
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tools/handles.h"

namespace {

using nlohmann::json;

using Starter = finback_stream* (*)(finback_engine*, const char*);

json Failure() {
  return {{"end", finback_status_name(finback_last_error_code())},
          {"error", finback_last_error()},
          {"details", json::parse(finback_last_error_details())}};
}

const char* KindName(int32_t kind) {
  switch (kind) {
    case FINBACK_EVENT_REASONING:
      return "reasoning";
    case FINBACK_EVENT_CONTENT:
      return "content";
    case FINBACK_EVENT_TOOL_CALL:
      return "tool_call";
    case FINBACK_EVENT_TOOL_ARGUMENTS:
      return "tool_arguments";
    case FINBACK_EVENT_TOOL_CALL_END:
      return "tool_call_end";
    case FINBACK_EVENT_FINISH:
      return "finish";
    case FINBACK_EVENT_NOTICE:
      return "notice";
    default:
      return "other";
  }
}

json EventOf(const finback_stream* stream) {
  const int32_t kind = finback_stream_kind(stream);
  json event = {
      {"kind", KindName(kind)},
      {"text", std::string(finback_stream_text(stream), finback_stream_text_size(stream))}};
  const json logprobs = json::parse(finback_stream_logprobs(stream));
  if (!logprobs.empty()) event["logprobs"] = logprobs;
  if (kind == FINBACK_EVENT_TOOL_CALL || kind == FINBACK_EVENT_TOOL_CALL_END) {
    event["index"] = finback_stream_tool_index(stream);
    event["id"] = finback_stream_tool_id(stream);
    event["name"] = finback_stream_tool_name(stream);
  }
  return event;
}

// Counts what a stream delivered, for the thread that cancels it at a certain number.
class Progress {
 public:
  void Advance() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++events_;
    changed_.notify_all();
  }
  void End() {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }
  void Await(int64_t events) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return over_ || events_ >= events; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t events_ = 0;
  bool over_ = false;
};

json Drain(finback_stream* stream, Progress* progress) {
  json events = json::array();
  finback_status status;
  while ((status = finback_stream_step(stream)) == FINBACK_OK) {
    events.push_back(EventOf(stream));
    progress->Advance();
  }
  json result = status < 0 ? Failure() : json{{"end", finback_status_name(status)}};
  progress->End();
  finback_usage usage = {};
  usage.struct_size = sizeof(usage);
  finback_stream_usage(stream, &usage);
  result["events"] = std::move(events);
  result["finish_reason"] = finback_stream_finish_reason(stream);
  result["usage"] = {usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
                     usage.reasoning_tokens};
  result["response"] = json::parse(finback_stream_response(stream));
  return result;
}

struct Answering {
  StreamHandle stream;
  Progress progress;
  std::thread stepping, cancelling;
  json result;
};

json AnswerAtOnce(finback_engine* engine, Starter start, const json& command,
                  const std::string& request) {
  std::vector<std::unique_ptr<Answering>> all;
  const int64_t count = command.value("streams", 1);
  const int64_t cancel_after = command.value("cancel_after", int64_t{-1});
  for (int64_t i = 0; i < count; ++i) {
    auto one = std::make_unique<Answering>();
    one->stream.reset(start(engine, request.c_str()));
    if (!one->stream) return {{"streams", json::array({Failure()})}};
    all.push_back(std::move(one));
  }
  for (const auto& one : all) {
    one->stepping = std::thread([&one] { one->result = Drain(one->stream.get(), &one->progress); });
    if (cancel_after < 0) continue;
    one->cancelling = std::thread([&one, cancel_after] {
      one->progress.Await(cancel_after);
      finback_stream_cancel(one->stream.get());
    });
  }
  if (command.contains("cancel_line")) {
    std::string line;
    std::getline(std::cin, line);
    for (const auto& one : all) finback_stream_cancel(one->stream.get());
  }
  json streams = json::array();
  for (const auto& one : all) {
    one->stepping.join();
    if (one->cancelling.joinable()) one->cancelling.join();
    streams.push_back(std::move(one->result));
  }
  return {{"streams", std::move(streams)}};
}

// The request as text, so that numbers reach the library as the test spelled them.
json Answer(finback_engine* engine, const json& command) {
  const bool chat = command.contains("chat");
  json request = command[chat ? "chat" : "complete"];
  const Starter start = chat ? finback_engine_chat : finback_engine_complete;
  json answer = AnswerAtOnce(engine, start, command,
                             request.is_string() ? request.get<std::string>() : request.dump());
  for (const json& reply : command.value("replies", json::array())) {
    const json& last = answer["streams"].back();
    if (last.value("finish_reason", "") != "tool_calls") break;
    const json message = last["response"]["choices"][0]["message"];
    request["messages"].push_back(message);
    for (const json& call : message["tool_calls"]) {
      request["messages"].push_back(
          {{"role", "tool"}, {"tool_call_id", call["id"]}, {"content", reply}});
    }
    json next = AnswerAtOnce(engine, start, command, request.dump());
    answer["streams"].push_back(next["streams"][0]);
  }
  return answer;
}

json Open(const json& values, EngineHandle* engine) {
  const OptionsHandle options(finback_options_new());
  for (const auto& [name, value] : values.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (finback_options_set(options.get(), name.c_str(), text.c_str()) != FINBACK_OK) {
      return Failure();
    }
  }
  engine->reset(finback_engine_open(options.get()));
  return *engine ? json{{"end", "ok"}} : Failure();
}

json Models(finback_engine* engine) {
  const TextHandle text(finback_engine_models(engine));
  if (!text) return Failure();
  return {{"end", "ok"}, {"value", json::parse(finback_text_data(text.get()))}};
}

}  // namespace

int main() {
  EngineHandle engine;
  std::string line;
  while (std::getline(std::cin, line)) {
    const json command = json::parse(line);
    json answer;
    if (command.contains("open")) {
      answer = Open(command["open"], &engine);
    } else if (command.contains("models")) {
      answer = Models(engine.get());
    } else {
      answer = Answer(engine.get(), command);
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}
