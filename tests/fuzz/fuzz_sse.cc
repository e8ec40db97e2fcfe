// Server-sent events from any bytes: the parser against a plain reading of the whole text, however
// the bytes are cut, and its work against what was pushed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/remote/transport/sse.h"

namespace {

using Events = std::vector<std::pair<std::string, std::string>>;  // name, data

void Require(bool condition) {
  if (!condition) __builtin_trap();
}

// The standard's words, without care for speed. A line that nothing ends is not read.
Events Read(std::string text) {
  if (text.rfind("\xEF\xBB\xBF", 0) == 0) text.erase(0, 3);
  Events events;
  std::string name, data;
  bool has_data = false;
  for (size_t begin = 0;;) {
    const size_t end = text.find_first_of("\r\n", begin);
    if (end == std::string::npos) return events;
    const std::string line = text.substr(begin, end - begin);
    begin = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    if (line.empty()) {
      if (has_data) events.emplace_back(name, data);
      name = data = "";
      has_data = false;
      continue;
    }
    const size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.rfind(' ', 0) == 0) value.erase(0, 1);
    if (field == "data") {
      data += (has_data ? "\n" : "") + value;
      has_data = true;
    } else if (field == "event") {
      name = value;
    }
  }
}

// Piece lengths follow from the seed; 0: all at once, 1: byte by byte.
Events Parse(std::string_view text, uint32_t seed) {
  finback::SseParser parser;
  Events events;
  uint32_t random = seed;
  size_t pieces = 0;
  for (size_t i = 0; i < text.size(); ++pieces) {
    random = random * 1664525u + 1013904223u;
    const size_t piece = seed == 0 ? text.size() : seed == 1 ? 1 : 1 + (random >> 16) % 40;
    parser.Push(text.substr(i, piece));
    i += piece;
    std::string_view name, data;
    while (parser.Next(&name, &data)) events.emplace_back(name, data);
  }
  Require(parser.work_bytes() <= 8 * text.size() + 64);
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Events expected = Read(std::string(text));
  for (const uint32_t seed : {0u, 1u, 2u + data[0]}) Require(Parse(text, seed) == expected);
  return 0;
}
