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
  return "expected http:// or https:// with a host and perhaps a path, found \"" + Shown(text) +
         "\"";
}

}  // namespace finback
