#include "core/engine/request_tools.h"

#include <set>

#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr size_t kLongestToolName = 128;

std::string ParseToolName(JsonFields* function) {
  const std::string& name = function->RequireString("name");
  if (name.empty() || name.size() > kLongestToolName) {
    function->Fail("name",
                   Format("must have 1 to %zu characters, got %zu", kLongestToolName, name.size()));
  }
  for (const char c : name) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    if (!good) function->Fail("name", "may only have letters, digits, \"_\" and \"-\"");
  }
  return name;
}

PromptMessage* LeadingSystem(std::vector<PromptMessage>* messages) {
  if (messages->empty() || messages->front().role != Role::kSystem) {
    PromptMessage system;
    system.role = Role::kSystem;
    messages->insert(messages->begin(), std::move(system));
  }
  return &messages->front();
}

}  // namespace

std::vector<Json> ParseTools(const Json& array, const std::string& path, UnknownMembers* unknown) {
  std::vector<Json> tools;
  std::set<std::string> names;
  JsonSource source;
  source.unknown = unknown;
  for (size_t i = 0; i < array.items.size(); ++i) {
    JsonFields tool(array.items[i], Format("%s[%zu]", path.c_str(), i), source);
    const std::string& type = tool.RequireString("type");
    if (type != "function") {
      tool.Fail("type", "must be \"function\", got \"" + Shown(type) + "\"");
    }
    const Json& function = tool.RequireObject("function");
    JsonFields fields = tool.Within(function, tool.Path("function"));
    const std::string name = ParseToolName(&fields);
    if (!names.insert(name).second) {
      fields.Fail("name", "\"" + name + "\" is defined twice");
    }
    fields.FindString("description");
    fields.FindObject("parameters");
    fields.Bool("strict", false);
    if (unknown != nullptr) {
      tool.RejectUnknown();
      fields.RejectUnknown();
    }
    tools.push_back(function);
  }
  return tools;
}

void PlaceTools(std::vector<Json> tools, std::vector<PromptMessage>* messages) {
  if (tools.empty()) return;
  PromptMessage* system = LeadingSystem(messages);
  for (Json& tool : tools) system->tools.push_back(std::move(tool));
}

void PlaceResponseFormat(const Json& format, std::vector<PromptMessage>* messages) {
  PromptMessage* system = LeadingSystem(messages);
  if (system->has_response_format) {
    FailAt("response_format", "the system message has a response format of its own");
  }
  system->has_response_format = true;
  system->response_format = format;
}

}  // namespace finback
