// tokenizer.json as input, then a few texts through what it makes. An input that begins with '/' is
// one pattern: those are rarely reached through a document that is well-formed enough.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/tokenizer/split_pattern.h"
#include "core/tokenizer/tokenizer.h"

using finback::AddedTokens;
using finback::Error;
using finback::SplitPattern;
using finback::Tokenizer;

namespace {

constexpr std::string_view kTexts[] = {
    "",
    "Hello, world! don't  stop;\n\n\t42 + 1234567 = x_y",
    "\u4f60\u597d\u3053\u3093\u30a2\u30fb\u30a4 na\u00efve e\u0301 \u0661\u0662 \u00bd "
    "\u0085\u180e\u3000",
    "<think>\U0001f468\u200d\U0001f469\u200d\U0001f467</think> \ue000\x01 aaaaaaaaaaaaaaaaaaaa",
};

void Match(std::string_view regex) {
  if (finback::FindInvalidUtf8(regex) != finback::kValidUtf8) return;
  const SplitPattern pattern = SplitPattern::Regex(regex, "fuzz");
  SplitPattern::Scratch scratch;
  for (const std::string_view text : kTexts) {
    SplitPattern::Span span;
    size_t start = 0;
    while (start <= text.size() && pattern.Find(text, start, &scratch, &span)) {
      if (span.begin < start || span.end < span.begin || span.end > text.size()) __builtin_trap();
      start = span.end;
      if (span.begin != span.end) continue;
      do {
        ++start;
      } while (start < text.size() && (static_cast<uint8_t>(text[start]) & 0xc0) == 0x80);
    }
  }
}

void Tokenize(std::string_view json) {
  const auto tokenizer = Tokenizer::Parse(json, "fuzz");
  for (const std::string_view text : kTexts) {
    for (const AddedTokens mode : {AddedTokens::kRecognize, AddedTokens::kIgnore}) {
      std::vector<int32_t> ids;
      tokenizer->Encode(text, mode, &ids);
      std::string bytes;
      for (const int32_t id : ids) bytes += tokenizer->Bytes(id);
      if (bytes != text || tokenizer->Decode(ids) != text) __builtin_trap();
    }
  }
  tokenizer->FindToken("<think>");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    if (!input.empty() && input[0] == '/') {
      Match(input.substr(1));
    } else {
      Tokenize(input);
    }
  } catch (const Error& error) {
    if (finback::FindInvalidUtf8(error.what()) != finback::kValidUtf8) __builtin_trap();
  }
  return 0;
}
