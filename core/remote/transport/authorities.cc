#include "core/remote/transport/authorities.h"

#include <curl/curl.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/base/file_map.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr size_t kMaxFileBytes = 16u << 20;

size_t CountCertificates(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  size_t count = 0;
  for (size_t at = 0; (at = text.find(kBegin, at)) != std::string_view::npos; at += kBegin.size()) {
    ++count;
  }
  return count;
}

// Eight hexadecimal digits of the subject's hash, a dot, and a number.
bool IsLookupName(std::string_view name) {
  constexpr size_t kHashDigits = 8;
  const auto all_of = [](std::string_view text, std::string_view allowed) {
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
  };
  return name.size() > kHashDigits + 1 && name[kHashDigits] == '.' &&
         all_of(name.substr(0, kHashDigits), "0123456789abcdef") &&
         all_of(name.substr(kHashDigits + 1), "0123456789");
}

}  // namespace

bool FolderHasAuthorities(const std::string& folder, const std::string& file) {
  size_t needed = 0;
  try {
    needed = CountCertificates(ReadFile(file, kMaxFileBytes));
  } catch (const Error&) {
    return false;
  }
  size_t found = 0;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code broken;  // a link to nowhere is no certificate
    found += IsLookupName(entry->path().filename().native()) && entry->is_regular_file(broken);
  }
  return !error && needed > 0 && found >= needed;
}

std::string AuthoritiesFolder() {
  const curl_version_info_data* libcurl = curl_version_info(CURLVERSION_NOW);
  if (libcurl->age < CURLVERSION_SEVENTH || !libcurl->capath || !libcurl->cainfo) return {};
  return FolderHasAuthorities(libcurl->capath, libcurl->cainfo) ? libcurl->capath : "";
}

}  // namespace finback
