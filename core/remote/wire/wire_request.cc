#include "core/remote/wire/wire_request.h"

#include "core/json/json_fields.h"
#include "core/json/lenient_json.h"

namespace finback {
namespace {

bool IsJson(std::string_view text) {
  try {
    ParseJson(text, "arguments");
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string_view EffortText(const WirePlan& plan) {
  return plan.provider->EffortName(plan.thinking ? EffortName(plan.sent_effort) : kNoEffort);
}

std::string_view ReplayedArguments(std::string_view raw) { return IsJson(raw) ? raw : "{}"; }

std::optional<std::string_view> ReplayedReasoning(const Request& request, const WirePlan& plan,
                                                  const Message& message) {
  if (plan.replay_reasoning && message.has_reasoning) return message.reasoning_content;
  if (plan.provider->reasoning_required && !request.tools.empty()) return "";
  return std::nullopt;
}

std::vector<const Json*> ReplayedDetails(const WirePlan& plan, const Message& message,
                                         std::string_view type) {
  std::vector<const Json*> details;
  if (!plan.replay_reasoning) return details;
  for (const Json& item : message.reasoning_details.items) {
    if (FindText(item, "type").substr(0, type.size()) == type) details.push_back(&item);
  }
  return details;
}

std::string WithExtraBody(const Request& request, std::string body) {
  if (request.extra_body.empty()) return body;
  Json document = ParseJson(body, "request");
  const auto find = [](Json* object, const std::string& name) -> Json* {
    for (auto& [member, value] : object->members) {
      if (member == name) return &value;
    }
    return nullptr;
  };
  const auto put = [&find](Json* object, const std::string& name, const Json& value,
                           const std::string& path) {
    const Json* there = find(object, name);
    if (there == nullptr) {
      object->members.emplace_back(name, value);
    } else if (JsonText(*there) != JsonText(value)) {
      FailAt(path, "is written by Finback here; use the request's own fields");
    }
  };
  for (const auto& [name, value] : request.extra_body) {
    const std::string path = "extra_body." + Shown(name);
    Json* there = find(&document, name);
    if (there == nullptr || !there->IsObject() || !value.IsObject()) {
      put(&document, name, value, path);
      continue;
    }
    for (const auto& [inner, inner_value] : value.members) {
      put(there, inner, inner_value, path + "." + Shown(inner));
    }
  }
  return JsonText(document);
}

std::string_view ToolOutput(const Message& message) {
  return message.content.empty() ? std::string_view("(no output)") : message.content;
}

std::optional<DataUrl> ParseDataUrl(std::string_view url) {
  constexpr std::string_view kScheme = "data:", kBase64 = ";base64,";
  const size_t mark = url.find(kBase64);
  if (url.substr(0, kScheme.size()) != kScheme || mark == std::string_view::npos) return {};
  return DataUrl{url.substr(kScheme.size(), mark - kScheme.size()),
                 url.substr(mark + kBase64.size())};
}

std::string_view ImageUrl(const Json& part) {
  const Json* image = FindObject(part, "image_url");
  return image != nullptr ? FindText(*image, "url") : "";
}

}  // namespace finback
