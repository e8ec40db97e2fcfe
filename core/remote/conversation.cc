#include "core/remote/conversation.h"

#include <mutex>

#include "core/base/random.h"
#include "core/base/status.h"

namespace finback {

Conversation::Conversation() : id_(RandomId()) {}

std::string Conversation::Compare(std::string_view body) {
  const std::lock_guard<ForkMutex> lock(mutex_);
  const auto found = prefix_.Next(body);
  if (!found) return "";
  const char* what = found->kind == PrefixBreak::Kind::kChanged ? "changed"
                     : found->kind == PrefixBreak::Kind::kAdded ? "added"
                                                                : "removed";
  return Format(
      "%s was %s: the request stops repeating the one before at byte %zu%s, so a cache "
      "can serve %zu of its %zu bytes",
      found->path.c_str(), what, found->byte, found->exact ? "" : " or later", found->matched,
      found->matched + found->lost);
}

}  // namespace finback
