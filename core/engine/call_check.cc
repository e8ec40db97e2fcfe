#include "core/engine/call_check.h"

#include <utility>

#include "core/base/ascii.h"
#include "core/base/status.h"
#include "core/chat/tool_arguments.h"
#include "core/json/json_writer.h"
#include "core/json/lenient_json.h"

namespace finback {
namespace {

std::string CallNotice(const EndedCall& call, std::string_view code, const std::string& message) {
  std::string text;
  JsonWriter json(&text);
  json.BeginObject().Key("code").String(code).Key("message").String(message);
  json.Key("tool_index").Integer(call.tool_index).Key("raw").String(call.said).EndObject();
  return text;
}

}  // namespace

const Json* FindTool(const std::vector<Json>& tools, std::string_view name) {
  for (const Json& tool : tools) {
    if (FindText(tool, "name") == name) return &tool;
  }
  return nullptr;
}

std::string CheckedArguments(const EndedCall& call, const Json* tool, std::string* notice) {
  const std::string name(call.name);
  RepairedArguments repaired =
      RepairArguments(call.meant, tool != nullptr ? FindObject(*tool, "parameters") : nullptr);
  // Nothing is {} when it is all, but not when the rest is missing.
  if (!repaired.valid || (call.cut && Trimmed(call.said).empty())) {
    *notice = CallNotice(call, "arguments_invalid",
                         Format("the arguments of %s are no JSON object", name.c_str()));
    return std::string(call.said);
  }
  if (repaired.text != call.said) {
    *notice = CallNotice(call, "arguments_repaired",
                         Format("the arguments of %s were no plain JSON object: %s", name.c_str(),
                                *call.how != '\0' ? call.how : repaired.how));
  }
  return std::move(repaired.text);
}

std::string ToolUnknown(const EndedCall& call, const char* caller) {
  return CallNotice(call, "tool_unknown",
                    Format("the request has no tool %s, which the %s calls",
                           std::string(call.name).c_str(), caller));
}

}  // namespace finback
