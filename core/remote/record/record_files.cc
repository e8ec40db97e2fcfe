#include "core/remote/record/record_files.h"

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/json/json.h"
#include "core/remote/transport/secrets.h"

namespace finback {

std::string RecordPlace(const std::string& folder, int number) {
  return number == 1 ? folder : folder + "/" + std::to_string(number);
}

std::string RecordedBody(std::string_view body, const std::vector<std::string>& secrets) {
  std::string safe = Redact(body, secrets);
  try {
    ParseJson(safe, "body");
    return safe;
  } catch (const Error&) {
    std::string quoted;
    AppendJsonString(ValidUtf8(safe), &quoted);
    return quoted;
  }
}

}  // namespace finback
