#include "tools/text.h"

#include <cstdio>

#include "tools/failure.h"

namespace {

constexpr std::string_view kBlank = " \t\r\n";

// The bytes of the well-formed character at the start of `text`; 0 if there is none. After the
// Unicode standard's table 3-7: the second byte's range depends on the first.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < bytes; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return bytes;
}

}  // namespace

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = CharacterBytes(text.substr(i));
    if (bytes == 0) return i;
    i += bytes;
  }
  return std::string_view::npos;
}

std::string ValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = CharacterBytes(text.substr(i));
    valid += bytes == 0 ? "\xEF\xBF\xBD" : text.substr(i, bytes);
    i += bytes == 0 ? 1 : bytes;
  }
  return valid;
}

void CheckIsText(std::string_view text, const std::string& source) {
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    throw Failure(kExitFailure,
                  source + " is not text: there is a zero byte at offset " + std::to_string(nul),
                  "UTF-16 becomes UTF-8 with iconv; of other files, pass on their text alone");
  }
  const size_t invalid = FindInvalidUtf8(text);
  if (invalid == std::string_view::npos) return;
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[invalid]));
  throw Failure(
      kExitFailure,
      source + " is not valid UTF-8: byte " + byte + " at offset " + std::to_string(invalid),
      "text in another encoding becomes UTF-8 with iconv, such as `iconv -f latin1`");
}

std::string ThreeDigits(double figure) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", figure < 9.995 ? 2 : figure < 99.95 ? 1 : 0, figure);
  return text;
}

std::string Grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > (number < 0 ? 1 : 0); i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string ShortBytes(int64_t bytes) {
  const char* const units[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1000) return Grouped(bytes) + " bytes";
  double amount = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; amount >= 999.5 && unit < 3; ++unit) amount /= 1000;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", amount, units[unit]);
  return text;
}

std::string Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(kBlank) == std::string_view::npos;
}
