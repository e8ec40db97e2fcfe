#include "tools/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

bool IsTerminal(std::FILE* file) { return isatty(fileno(file)) != 0; }

bool MayStyle(std::FILE* file) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return IsTerminal(file) && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

std::string WithoutControls(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
      shown += kReplacement;
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      shown += kReplacement;
      ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}
