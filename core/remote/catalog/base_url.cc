#include "core/remote/catalog/base_url.h"

#include <algorithm>
#include <cstdint>

#include "core/base/ascii.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool coded = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                       HexDigit(text[i + 2]) >= 0;
    out += coded ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])) : text[i];
    if (coded) i += 2;
  }
  return out;
}

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

}  // namespace

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
           ", without a login, ? or #: a key goes into api_key, others into http_headers";
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
  return url;
}

std::vector<std::string> SecretsOfUrl(std::string_view url) {
  std::vector<std::string> secrets;
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const size_t at = url.rfind('@');
  if (at == std::string_view::npos) return secrets;
  const std::string login = PercentDecoded(url.substr(0, at));
  secrets.push_back(Base64(login));
  for (const std::string& text : {std::string(url.substr(0, at)), login}) {
    secrets.push_back(text);
    const size_t colon = text.find(':');
    if (colon == std::string::npos) continue;
    secrets.push_back(text.substr(0, colon));
    secrets.push_back(text.substr(colon + 1));
  }
  return secrets;
}

}  // namespace finback
