#include "core/schema/value_format.h"

#include <arpa/inet.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace finback {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// Whether `text` looks like `shape`, in which 0 stands for any digit, x for any hexadecimal one.
bool Looks(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool fits = shape[i] == '0'   ? IsDigit(text[i])
                      : shape[i] == 'x' ? IsHex(text[i])
                                        : text[i] == shape[i];
    if (!fits) return false;
  }
  return true;
}

int Digits(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

bool IsDate(std::string_view text) {
  if (!Looks(text, "0000-00-00")) return false;
  const auto date = std::chrono::year(Digits(text.substr(0, 4))) /
                    std::chrono::month(static_cast<unsigned>(Digits(text.substr(5, 2)))) /
                    std::chrono::day(static_cast<unsigned>(Digits(text.substr(8, 2))));
  return date.ok();
}

bool IsOffset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return true;
  if (text[0] != '+' && text[0] != '-') return false;
  return Looks(text.substr(1), "00:00") && Digits(text.substr(1, 2)) < 24 &&
         Digits(text.substr(4, 2)) < 60;
}

bool IsTime(std::string_view text) {
  if (!Looks(text.substr(0, 8), "00:00:00")) return false;
  if (Digits(text.substr(0, 2)) > 23 || Digits(text.substr(3, 2)) > 59) return false;
  if (Digits(text.substr(6, 2)) > 60) return false;  // 60: a leap second
  text.remove_prefix(8);
  if (!text.empty() && text[0] == '.') {
    size_t end = 1;
    while (end < text.size() && IsDigit(text[end])) ++end;
    if (end == 1) return false;
    text.remove_prefix(end);
  }
  return IsOffset(text);
}

bool IsDateTime(std::string_view text) {
  if (text.size() < 11) return false;
  const char between = text[10];
  return IsDate(text.substr(0, 10)) && (between == 'T' || between == 't' || between == ' ') &&
         IsTime(text.substr(11));
}

bool IsHostname(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
      return false;
    }
    const auto good = [](char c) { return IsLetter(c) || IsDigit(c) || c == '-'; };
    if (!std::all_of(label.begin(), label.end(), good)) return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

bool IsAddress(std::string_view text, int family) {
  unsigned char address[16];
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), address) == 1;
}
bool IsIpv4(std::string_view text) { return IsAddress(text, AF_INET); }
bool IsIpv6(std::string_view text) { return IsAddress(text, AF_INET6); }

bool IsEmail(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view local = text.substr(0, at);
  const auto bad = [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7F ||
           std::string_view("@()<>[],;:\\\"").find(c) != std::string_view::npos;
  };
  if (std::any_of(local.begin(), local.end(), bad)) return false;
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) {
    return false;
  }
  return IsHostname(text.substr(at + 1));
}

bool IsUuid(std::string_view text) { return Looks(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"); }

bool IsUri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !IsLetter(text[0])) return false;
  const auto of_scheme = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '+' || c == '-' || c == '.';
  };
  if (!std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon), of_scheme)) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && std::string_view("<>\"{}|\\^`").find(c) == std::string_view::npos;
  });
}

struct Rule {
  std::string_view name;
  bool (*fits)(std::string_view text);
};
constexpr Rule kRules[] = {
    {"date", IsDate},   {"time", IsTime},         {"date-time", IsDateTime},
    {"email", IsEmail}, {"hostname", IsHostname}, {"ipv4", IsIpv4},
    {"ipv6", IsIpv6},   {"uuid", IsUuid},         {"uri", IsUri},
};

}  // namespace

bool FitsFormat(std::string_view format, std::string_view text) {
  for (const Rule& rule : kRules) {
    if (rule.name == format) return rule.fits(text);
  }
  return true;
}

}  // namespace finback
