// What is left for the answer, told from a service's refusal of max_tokens.
#pragma once

#include <cstdint>
#include <optional>

#include "core/remote/transport/failure.h"

namespace finback {

// What to ask for in place of `asked`: so many tokens, or 0 for going without the field. Nothing if
// that is not what was refused, or the prompt alone is too long. `prompt_bound` is for formats that
// cannot do without the field: at most so many tokens of prompt; -1: it can be left out.
std::optional<int64_t> RoomForAnswer(const Failure& failure, int64_t asked, int64_t prompt_bound);

}  // namespace finback
