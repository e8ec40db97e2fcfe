#include "core/engine/event.h"

#include <cstddef>
#include <iterator>
#include <utility>

#include "core/json/json_writer.h"

namespace finback {
namespace {

// By the enum's values.
constexpr const char* kNames[] = {"", "stop", "length", "tool_calls", "content_filter", "other"};
static_assert(std::size(kNames) == static_cast<size_t>(FinishReason::kOther) + 1);

}  // namespace

std::string NoticeText(std::string_view code, std::string_view message) {
  std::string text;
  JsonWriter(&text)
      .BeginObject()
      .Key("code")
      .String(code)
      .Key("message")
      .String(message)
      .EndObject();
  return text;
}

Event NoticeEvent(std::string text) {
  Event event;
  event.kind = EventKind::kNotice;
  event.text = std::move(text);
  return event;
}

const char* FinishReasonName(FinishReason reason) { return kNames[static_cast<size_t>(reason)]; }

std::optional<FinishReason> FindFinishReason(std::string_view name) {
  for (size_t i = 1; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<FinishReason>(i);
  }
  return std::nullopt;
}

}  // namespace finback
