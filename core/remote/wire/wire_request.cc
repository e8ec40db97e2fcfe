#include "core/remote/wire/wire_request.h"

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
  return plan.provider->EffortName(plan.thinking ? EffortName(plan.effort) : kNoEffort);
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
