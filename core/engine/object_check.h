// What became of `response_format: json_object`, judged alike whoever answered.
#pragma once

#include <string>
#include <string_view>

#include "core/engine/event.h"

namespace finback {

// The text of the notice that an answer which ended for `reason` is no JSON object; "" if it is
// one, and where its end says why it is none.
std::string NoObjectNotice(std::string_view content, FinishReason reason);

}  // namespace finback
