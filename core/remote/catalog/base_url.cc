#include "core/remote/catalog/base_url.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/json/json_fields.h"

namespace finback {
std::string WithoutSlash(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

std::string BaseUrlProblem(std::string_view text) {
  const std::string url = WithoutSlash(text);
  const size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (scheme > 0 && url.size() > scheme && url[scheme] != '/' &&
      std::all_of(url.begin(), url.end(), IsVisibleAscii) &&
      url.find_first_of("?#@\"\\<>") == std::string::npos) {
    return "";
  }
  const std::string expected = "expected http:// or https:// with a host and perhaps a path";
  // A login may stand before an @ or behind a question mark: not shown.
  if (url.find_first_of("?#@") != std::string::npos) {
    return expected +
           ", without a login, ? or #: a key goes into api_key, others into http_headers; a query, "
           "such as api-version, cannot be sent";
  }
  return expected + ", found \"" + Shown(text) + "\"";
}

std::string TidyBaseUrl(std::string_view text, std::string_view wire_format,
                        std::string* wrong_format) {
  struct Call {
    std::string_view path, wire_format;
  };
  constexpr Call kCalls[] = {{"/chat/completions", "openai"},
                             {"/completions", "openai"},
                             {"/responses", "responses"},
                             {"/v1/messages", "anthropic"},
                             {"/messages", "anthropic"}};
  std::string url = WithoutSlash(Trimmed(text));
  for (const Call& call : kCalls) {
    if (!url.ends_with(call.path)) continue;
    if (call.wire_format == wire_format) {
      url = WithoutSlash(url.substr(0, url.size() - call.path.size()));
    } else {
      *wrong_format = "ends in " + std::string(call.path) + ", an address of the wire format " +
                      std::string(call.wire_format) + ": take that off, or set wire_format to " +
                      std::string(call.wire_format);
    }
    break;
  }
  // Half of that format's path, as other clients want it.
  constexpr std::string_view kVersion = "/v1";
  if (wire_format == "anthropic" && url.ends_with(kVersion)) {
    url = WithoutSlash(url.substr(0, url.size() - kVersion.size()));
  }
  return url;
}

}  // namespace finback
