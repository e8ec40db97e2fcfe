#include "core/engine/unknown_fields.h"

#include "core/base/status.h"
#include "core/engine/event.h"
#include "core/json/json_fields.h"

namespace finback {

std::string UnknownFieldsRule::Judge(const Request& request) const {
  const UnknownMembers& unknown = request.unknown;
  if (unknown.count == 0) return "";
  if (choice_ == UnknownFields::kRefuse) FailAt(unknown.paths.front(), "unknown field");
  std::string message = "unknown fields have no effect: ";
  for (const std::string& path : unknown.paths) {
    if (&path != &unknown.paths.front()) message += ", ";
    message += path;
  }
  const size_t more = unknown.count - unknown.paths.size();
  if (more > 0) message += Format(" and %zu more", more);
  if (log_) log_(LogLevel::kWarning, message.c_str());
  return NoticeText("unknown_fields", message);
}

}  // namespace finback
