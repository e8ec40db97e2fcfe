#include "core/schema/json_pattern.h"

#include <algorithm>
#include <cstdint>
#include <new>

#include "core/base/pcre2_handles.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

constexpr uint32_t kHeapLimitKib = 16 * 1024;
constexpr uint32_t kMaxGroupDepth = 50;
constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                              PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS |
                              PCRE2_NEVER_BACKSLASH_C;

OwnedPcre2<pcre2_code> Compile(std::string_view pattern, uint32_t options,
                               const std::string& path) {
  const auto context = OrBadAlloc(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);
  pcre2_set_parens_nest_limit(context.get(), kMaxGroupDepth);
  int error = 0;
  PCRE2_SIZE offset = 0;
  OwnedPcre2<pcre2_code> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                            pattern.size(), options, &error, &offset,
                                            context.get()));
  if (code != nullptr) return code;
  if (error == PCRE2_ERROR_HEAP_FAILED || error == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  FailAt(path, Format("%s at byte %zu", Pcre2Message(error).c_str(), offset));
}

// Steps of backtracking of one search. Honest patterns need a few per byte.
uint32_t MatchLimit(size_t text_bytes) {
  return static_cast<uint32_t>(std::min<size_t>(50000 + 64 * text_bytes, UINT32_MAX / 2));
}

}  // namespace

struct JsonPattern::Compiled {
  OwnedPcre2<pcre2_code> code;
};

// PCRE2 counts the steps from each place in the text anew. So the places are tried by the pattern
// itself, which is anchored, and the limit is for all of them; alone the pattern is compiled first,
// for it must be one without what is put around it.
JsonPattern::JsonPattern(std::string_view pattern, std::string path) : path_(std::move(path)) {
  if (pattern.substr(0, 2) == "(*") FailAt(path_, "control verbs are not supported");
  Compile(pattern, kOptions, path_);
  const std::string searching = "(?s:.*?)(?:" + std::string(pattern) + ")";
  auto compiled = std::make_unique<Compiled>();
  compiled->code = Compile(searching, kOptions | PCRE2_ANCHORED, path_);
  compiled_ = std::move(compiled);
}
JsonPattern::~JsonPattern() = default;
JsonPattern::JsonPattern(JsonPattern&&) noexcept = default;

bool JsonPattern::Finds(std::string_view text) const {
  const auto match = OrBadAlloc(pcre2_match_data_create(1, nullptr));
  const auto context = OrBadAlloc(pcre2_match_context_create(nullptr));
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  pcre2_set_match_limit(context.get(), MatchLimit(text.size()));
  const int result = pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                 text.size(), 0, 0, match.get(), context.get());
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  if (result < 0) {
    FailAt(path_,
           Format("searching a text of %zu bytes: %s", text.size(), Pcre2Message(result).c_str()));
  }
  return true;
}

}  // namespace finback
