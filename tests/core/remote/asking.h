// Conversations with the service that fails on demand, and what a program is told of them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/remote/remote_backend.h"
#include "tests/core/remote/transport/fault_server.h"

namespace finback {

inline FaultServer& Server() {
  static FaultServer server;
  return server;
}

inline constexpr const char* kHello = R"({"messages": [{"role": "user", "content": "Weather?"}]})";
inline constexpr const char* kWithTools =
    R"({"messages": [{"role": "user", "content": "Weather?"}],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters":
                    {"type": "object", "properties": {"city": {"type": "string"}}}}},
                  {"type": "function", "function": {"name": "get_time"}}]})";

inline EngineOptions OptionsFor(const std::string& scenario) {
  EngineOptions options;
  options.model = "deepseek:deepseek-v4-pro";
  options.user_agent = "finback/test";
  options.service.base_url = Server().Url(scenario);
  options.service.api_key = "sk-very-secret-key-1234";
  options.service.connect_timeout_ms = 5000;
  options.service.first_token_timeout_ms = 20000;
  options.service.idle_timeout_ms = 20000;
  options.service.max_retries = 3;
  return options;
}

struct Told {
  std::string reasoning, content, finish;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments
  std::vector<std::string> ids, notices;
  Usage usage;
  ServiceAnswer answer;
  Code code = Code::kOk;
  std::string message, kind;
  EventKind last = EventKind::kNone;
};

inline Told Listen(Stream* stream) {
  Told told;
  std::map<int32_t, size_t> places;
  try {
    Event event;
    while (stream->Step(&event)) {
      if (event.kind == EventKind::kReasoning) told.reasoning += event.text;
      if (event.kind == EventKind::kContent) told.content += event.text;
      if (event.kind == EventKind::kToolCall) {
        places[event.tool_index] = told.calls.size();
        told.calls.emplace_back(event.tool_name, "");
        told.ids.push_back(event.tool_id);
      }
      if (event.kind == EventKind::kToolArguments || event.kind == EventKind::kToolCallEnd) {
        EXPECT_EQ(event.tool_id, told.ids.at(places.at(event.tool_index)));
        EXPECT_EQ(event.tool_name, told.calls.at(places.at(event.tool_index)).first);
      }
      if (event.kind == EventKind::kToolCallEnd) {
        told.calls[places.at(event.tool_index)].second = event.text;
        EXPECT_EQ(event.tool_id, told.ids[places.at(event.tool_index)]);
        EXPECT_EQ(event.tool_name, told.calls[places.at(event.tool_index)].first);
      }
      if (event.kind == EventKind::kNotice) {
        told.notices.push_back(nlohmann::json::parse(event.text).at("code"));
      }
      if (event.kind == EventKind::kFinish) told.finish = FinishReasonName(event.finish_reason);
      told.last = event.kind;
    }
  } catch (const Error& error) {
    told.code = error.code();
    told.message = error.what();
    const auto details = nlohmann::json::parse(error.details().empty() ? "{}" : error.details());
    told.kind = details.value("kind", "");
    EXPECT_EQ(error.details().find("very-secret"), std::string::npos);
  }
  EXPECT_EQ(told.message.find("very-secret"), std::string::npos);
  told.usage = stream->usage();
  if (stream->service() != nullptr) told.answer = *stream->service();
  return told;
}

inline Told Ask(const EngineOptions& options, const std::string& request = kHello) {
  const std::shared_ptr<Backend> backend = OpenRemoteBackend(options);
  const std::unique_ptr<Stream> stream = backend->Start(ParseChatRequest(request));
  return Listen(stream.get());
}

inline Told Ask(const std::string& scenario, const std::string& request = kHello) {
  return Ask(OptionsFor(scenario), request);
}

}  // namespace finback
