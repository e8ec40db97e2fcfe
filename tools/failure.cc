#include "tools/failure.h"

#include <cstring>
#include <string>

namespace {

const char* HintFor(finback_status code, const std::string& message) {
  const auto says = [&message](const char* words) {
    return message.find(words) != std::string::npos;
  };
  switch (code) {
    case FINBACK_ERROR_NOT_FOUND:
      return says("config.json") ? "name a checkpoint folder with --model or FINBACK_MODEL" : "";
    case FINBACK_ERROR_CHECKPOINT:
      return says("truncated?") ? "a truncated download is the usual cause: download the file again"
                                : "";
    case FINBACK_ERROR_OUT_OF_MEMORY:
    case FINBACK_ERROR_BUDGET:
      return "a smaller --context needs less memory; `finback inspect --context N` shows how much";
    case FINBACK_ERROR_CONTEXT_FULL:
      return "allow more tokens with --context, or start over with less text";
    case FINBACK_ERROR_AUTHENTICATION:
      return "keys come from the environment, such as DEEPSEEK_API_KEY";
    case FINBACK_ERROR_RATE_LIMIT:
      return "wait, or allow fewer requests at once with --set max_concurrency=N";
    default:
      return "";
  }
}

// What a service did is said with what to do about it.
bool IsOfService() { return std::strcmp(finback_last_error_details(), "{}") != 0; }

}  // namespace

Failure LibraryFailure() {
  const finback_status code = finback_last_error_code();
  const std::string message = finback_last_error();
  return Failure(kExitFailure, message.empty() ? finback_status_name(code) : message,
                 IsOfService() && code != FINBACK_ERROR_RATE_LIMIT ? "" : HintFor(code, message));
}

void Check(finback_status status) {
  if (status < 0) throw LibraryFailure();
}
