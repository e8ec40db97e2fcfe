#include "core/engine/object_check.h"

#include "core/json/lenient_json.h"

namespace finback {

std::string NoObjectNotice(std::string_view content, FinishReason reason) {
  if (reason != FinishReason::kStop) return "";
  Json value;
  if (ParseLenientJson(content, &value, nullptr) && value.IsObject()) return "";
  return NoticeText("answer_no_object",
                    "the answer is no JSON object, which response_format asks for");
}

}  // namespace finback
