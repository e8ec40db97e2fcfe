// What the tests of the wire formats share: requests and plans by provider, and events in words.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/engine/request.h"
#include "core/remote/catalog/provider.h"
#include "core/remote/wire/wire_codec.h"

namespace finback {

inline const ProviderTable& Providers() {
  static const ProviderTable kTable = ProviderTable::Load("");
  return kTable;
}

// "deepseek:deepseek-flash"
struct ModelName {
  std::string provider, model;
  explicit ModelName(const std::string& name)
      : provider(name.substr(0, name.find(':'))), model(name.substr(name.find(':') + 1)) {}
};

// The plan points into the table.
inline WirePlan Plan(const Request& request, const WirePolicy& policy = {},
                     const ProviderTable& table = Providers()) {
  const ModelName name(request.model);
  const Provider* provider = table.Find(name.provider);
  if (provider == nullptr) Throw(Code::kNotFound, "no provider %s", name.provider.c_str());
  return PlanWire(request, *provider, table.Model(*provider, name.model), name.model, policy);
}

// {"model": MODEL, "messages": [a user's], FIELDS}
inline Request Ask(const std::string& model, const std::string& fields = "") {
  return ParseChatRequest("{\"model\": \"" + model +
                          "\", \"messages\": [{\"role\": \"user\", \"content\": \"say json\"}]" +
                          (fields.empty() ? "" : ", " + fields) + "}");
}

// Two tools: get_weather with a city, and get_time without parameters.
inline constexpr const char* kTools =
    R"("tools": [{"type": "function", "function": {"name": "get_weather", "parameters":
         {"type": "object", "properties": {"city": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "get_time"}}])";

// The same and two of short names.
inline constexpr const char* kMoreTools =
    R"("tools": [{"type": "function", "function": {"name": "get_weather", "parameters":
         {"type": "object", "properties": {"city": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "get_time"}},
        {"type": "function", "function": {"name": "t"}},
        {"type": "function", "function": {"name": "u"}}])";

inline std::unique_ptr<WireDecoder> Decoder(const Request& request, const WirePolicy& policy = {},
                                            const ProviderTable& table = Providers()) {
  const WirePlan plan = Plan(request, policy, table);
  return CodecOf(*plan.provider).decoder(request, plan);
}

inline std::string Encoded(const Request& request, const WirePolicy& policy = {}) {
  const WirePlan plan = Plan(request, policy);
  return CodecOf(*plan.provider).encode(request, plan).body;
}

using OrderedJson = nlohmann::ordered_json;

inline constexpr const char* kHello = R"([{"role": "user", "content": "x"}])";

// What is sent for {"model": MODEL, "messages": MESSAGES, FIELDS}.
inline OrderedJson SentBody(const std::string& model, const std::string& messages,
                            const std::string& fields, const WirePolicy& policy) {
  const Request request =
      ParseChatRequest("{\"model\": \"" + model + "\", \"messages\": " + messages +
                       (fields.empty() ? "" : ", " + fields) + "}");
  return OrderedJson::parse(Encoded(request, policy));
}

// One line per event; neighbouring texts of a kind are one.
inline std::string Words(const std::vector<Event>& events) {
  std::string words;
  EventKind last = EventKind::kNone;
  int32_t index = -1;
  for (const Event& event : events) {
    const bool text = event.kind == EventKind::kReasoning || event.kind == EventKind::kContent;
    if (text && event.kind == last) {
      words.insert(words.size() - 1, event.text);
      continue;
    }
    last = event.kind;
    index = event.tool_index;
    switch (event.kind) {
      case EventKind::kReasoning:
        words += "reasoning " + event.text + "\n";
        break;
      case EventKind::kContent:
        words += "content " + event.text + "\n";
        break;
      case EventKind::kToolCall:
        words += Format("call %d ", index) + event.tool_id + " " + event.tool_name + "\n";
        break;
      case EventKind::kToolArguments:
        words += Format("arguments %d ", index) + event.text + "\n";
        break;
      case EventKind::kToolCallEnd:
        words += Format("end %d ", index) + event.text + "\n";
        break;
      case EventKind::kFinish:
        words += std::string("finish ") + FinishReasonName(event.finish_reason) + "\n";
        break;
      case EventKind::kNotice: {
        const Json notice = ParseJson(event.text, "notice");
        words += "notice " + notice.Find("code")->text + "\n";
        break;
      }
      default:
        words += "?\n";
    }
  }
  return words;
}

// The `kind` of the failure that `action` must raise: "transport", "resource", ...
template <typename Action>
Json FailureOf(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return ParseJson(error.details().empty() ? "{}" : error.details(), "details");
  }
  ADD_FAILURE() << "nothing failed";
  return {};
}

inline std::string FailureText(const Json& details, const char* name) {
  const Json* value = details.Find(name);
  return value == nullptr  ? ""
         : value->IsBool() ? (value->boolean ? "true" : "false")
                           : value->text;
}

}  // namespace finback
