// What requests of all wire formats share: effort, and what is given back of earlier turns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/remote/wire/wire_plan.h"

namespace finback {

// "none", "low", "high" or "max" as the provider spells it.
std::string_view EffortText(const WirePlan& plan);

// The arguments of an earlier call as they came; what is no JSON becomes an object without members,
// because some services refuse the whole request for it (docs/services.md 18.3).
std::string_view ReplayedArguments(std::string_view raw);

// The reasoning to give back for an assistant message: its own, or "" where the service wants it on
// every turn; nothing if none is to be sent.
std::optional<std::string_view> ReplayedReasoning(const Request& request, const WirePlan& plan,
                                                  const Message& message);

// Those of its reasoning details whose type begins with `type`: each format knows its own.
std::vector<const Json*> ReplayedDetails(const WirePlan& plan, const Message& message,
                                         std::string_view type);

// The body with the request's extra_body at its top level; objects that both have are joined.
// Throws Error(kInvalidRequest) by path for what both say.
std::string WithExtraBody(const Request& request, std::string body);

// A tool's output; services refuse an empty one.
std::string_view ToolOutput(const Message& message);

// The part's media type and base64 data if `url` is a data URL.
struct DataUrl {
  std::string_view media_type, base64;
};
std::optional<DataUrl> ParseDataUrl(std::string_view url);

// The URL of an image_url part, "" if it has none.
std::string_view ImageUrl(const Json& part);

}  // namespace finback
