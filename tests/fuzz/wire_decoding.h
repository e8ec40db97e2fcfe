// What the targets of the three wire decoders share: an answer from hostile bytes, streamed in any
// pieces or whole, must be events that make sense, or a failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/engine/request.h"
#include "core/json/json.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/transport/sse.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {

inline void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// What a program hears, in words; neighbouring texts of a kind are one.
struct Heard {
  std::string words;
  bool failed = false;
  bool operator==(const Heard&) const = default;
};

class Listener {
 public:
  void Hear(const std::vector<Event>& events) {
    for (const Event& event : events) Hear(event);
  }
  void Fail(const Error& error) {
    Require(error.what()[0] != '\0');
    Require(FindInvalidUtf8(error.what()) == kValidUtf8);
    ParseJson(error.details(), "details");  // throws on a defect, which ends the run
    heard.words += std::string("\nfailed: ") + error.what();
    heard.failed = true;
  }
  // The answer is over, and nothing failed.
  void End() const { Require(finished_ && open_.empty()); }

  Heard heard;

 private:
  void Hear(const Event& event) {
    Require(!finished_);
    Require(FindInvalidUtf8(event.text) == kValidUtf8);
    if (event.kind != last_ || event.tool_index != call_) {
      heard.words += Format("\n%d %d: ", static_cast<int>(event.kind), event.tool_index);
    }
    last_ = event.kind;
    call_ = event.tool_index;
    heard.words += event.text;
    switch (event.kind) {
      case EventKind::kToolCall:
        Require(ids_.insert(event.tool_id).second && !event.tool_id.empty());
        Require(open_.insert(event.tool_index).second);
        heard.words += event.tool_name;
        break;
      case EventKind::kToolArguments:
        Require(open_.count(event.tool_index) == 1);
        break;
      case EventKind::kToolCallEnd:
        Require(open_.erase(event.tool_index) == 1);
        break;
      case EventKind::kNotice:
        ParseJson(event.text, "notice");
        break;
      case EventKind::kFinish:
        finished_ = true;
        Require(event.finish_reason != FinishReason::kNone);
        Require(event.usage.prompt_tokens >= 0 && event.usage.completion_tokens >= 0);
        heard.words += FinishReasonName(event.finish_reason);
        break;
      default:
        break;
    }
  }

  EventKind last_ = EventKind::kNone;
  int32_t call_ = -1;
  std::set<std::string> ids_;
  std::set<int32_t> open_;
  bool finished_ = false;
};

class WireFuzzer {
 public:
  explicit WireFuzzer(const char* provider) : provider_(*Providers().Find(provider)) {
    const std::string model = "deepseek-v4-pro";
    for (const bool tools : {false, true}) {
      for (const bool logprobs : {false, true}) {
        if (logprobs && !provider_.supports.logprobs) continue;
        Question& question = questions_[tools][logprobs];
        question.request = ParseChatRequest(RequestJson(tools, logprobs));
        question.plan = PlanWire(question.request, provider_, Providers().Model(provider_, model),
                                 model, WirePolicy());
      }
    }
  }

  // Byte 0: bit 0, whether the answer is whole; bit 1, whether tools are offered. Byte 1 seeds the
  // lengths of the pieces.
  void Run(const uint8_t* data, size_t size) const {
    if (size < 2) return;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const bool tools = (data[0] & 2) != 0;
    if ((data[0] & 1) != 0) {
      Whole(text, tools);
      return;
    }
    const Heard at_once = Streamed(text, tools, 0, false);
    Require(Streamed(text, tools, 1, false) == at_once);
    Require(Streamed(text, tools, 2u + data[1], false) == at_once);
    // With logprobs every chunk is parsed; without, those like others are read by their template.
    Require(!provider_.supports.logprobs || Streamed(text, tools, 0, true) == at_once);
  }

 private:
  static const ProviderTable& Providers() {
    static const ProviderTable table = ProviderTable::Load("");
    return table;
  }

  struct Question {
    Request request;
    WirePlan plan;
  };

  static std::string RequestJson(bool tools, bool logprobs) {
    std::string json = R"({"messages": [{"role": "user", "content": "Weather?"}])";
    if (logprobs) json += R"(, "logprobs": true)";
    if (tools) {
      json += R"(, "tools": [{"type": "function", "function": {"name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "get_time"}}])";
    }
    return json + "}";
  }

  std::unique_ptr<WireDecoder> Decoder(bool tools, bool logprobs) const {
    const Question& question = questions_[tools][logprobs];
    return CodecOf(provider_).decoder(question.request, question.plan);
  }

  Heard Streamed(std::string_view text, bool tools, uint32_t seed, bool logprobs) const {
    const auto decoder = Decoder(tools, logprobs);
    SseParser parser;
    Listener listener;
    std::vector<Event> events;
    uint32_t random = seed;
    try {
      for (size_t i = 0; i < text.size() && !decoder->response().closed;) {
        random = random * 1664525u + 1013904223u;
        const size_t piece = seed == 0 ? text.size() : seed == 1 ? 1 : 1 + (random >> 16) % 200;
        parser.Push(text.substr(i, piece));
        i += piece;
        std::string_view name, data;
        while (parser.Next(&name, &data)) decoder->Push(name, data, &events);
      }
      decoder->End(&events);
      listener.Hear(events);
      listener.End();
    } catch (const Error& error) {
      listener.Hear(events);
      listener.Fail(error);
    }
    return listener.heard;
  }

  void Whole(std::string_view text, bool tools) const {
    const auto decoder = Decoder(tools, false);
    Listener listener;
    std::vector<Event> events;
    try {
      decoder->Whole(text, &events);
      decoder->End(&events);
      listener.Hear(events);
      listener.End();
    } catch (const Error& error) {
      listener.Hear(events);
      listener.Fail(error);
    }
  }

  const Provider& provider_;
  Question questions_[2][2];  // [tools][logprobs]
};

}  // namespace finback
