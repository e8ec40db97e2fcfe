#include "core/engine/unknown_fields.h"

#include "core/engine/event.h"
#include "core/json/json_fields.h"

namespace finback {

std::string UnknownFieldsRule::Judge(const Request& request) const {
  const UnknownMembers& unknown = request.unknown;
  if (unknown.count == 0) return "";
  if (choice_ == UnknownFields::kRefuse) FailAt(unknown.paths.front(), "unknown field");
  const std::string message = "unknown fields have no effect: " + unknown.Listed();
  if (log_) log_(LogLevel::kWarning, message.c_str());
  return NoticeText("unknown_fields", message);
}

}  // namespace finback
