#include "core/tokenizer/split_pattern.h"

#include <algorithm>
#include <cstdint>
#include <new>

#include "core/base/pcre2_handles.h"
#include "core/base/status.h"
#include "core/tokenizer/pattern_dialect.h"

namespace finback {
namespace {

// Backtracking in the interpreter lives on the heap; deeper ones are refused.
constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr uint32_t kMaxGroupDepth = 100;

// Steps of backtracking that one start of a match may take. Honest patterns need a few per byte
// (the longest run of white space is gone through twice); an exponential one hits this at once.
uint32_t MatchLimit(size_t text_bytes) {
  return static_cast<uint32_t>(std::min<size_t>(100000 + 16 * text_bytes, UINT32_MAX / 2));
}

}  // namespace

struct SplitPattern::Compiled {
  OwnedPcre2<pcre2_code> code;
};

struct SplitPattern::Scratch::Data {
  OwnedPcre2<pcre2_match_data> match = OrBadAlloc(pcre2_match_data_create(1, nullptr));
  OwnedPcre2<pcre2_match_context> context = OrBadAlloc(pcre2_match_context_create(nullptr));
};

SplitPattern::Scratch::Scratch() : data_(std::make_unique<Data>()) {
  pcre2_set_heap_limit(data_->context.get(), kHeapLimitKib);
}
SplitPattern::Scratch::~Scratch() = default;

SplitPattern::SplitPattern() = default;
SplitPattern::~SplitPattern() = default;
SplitPattern::SplitPattern(SplitPattern&& other) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&& other) noexcept = default;

SplitPattern SplitPattern::Regex(std::string_view regex, const std::string& where, bool use_jit) {
  const std::string translated = TranslatePattern(regex, where);
  const auto context = OrBadAlloc(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), kMaxGroupDepth);
  int error = 0;
  PCRE2_SIZE offset = 0;
  SplitPattern pattern;
  pattern.where_ = where;
  pattern.compiled_ = std::make_unique<Compiled>();
  pattern.compiled_->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                    &offset, context.get()));
  if (pattern.compiled_->code == nullptr) {
    if (error == PCRE2_ERROR_HEAP_FAILED || error == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    Throw(Code::kCheckpoint, "%s: %s (in %s)", where.c_str(), Pcre2Message(error).c_str(),
          translated.substr(offset > 20 ? offset - 20 : 0, 40).c_str());
  }
  // Where executable memory is refused, the interpreter does the same, slower.
  if (use_jit) pcre2_jit_compile(pattern.compiled_->code.get(), PCRE2_JIT_COMPLETE);
  return pattern;
}

SplitPattern SplitPattern::Literal(std::string_view text) {
  SplitPattern pattern;
  pattern.literal_ = text;
  return pattern;
}

bool SplitPattern::Find(std::string_view text, size_t start, Scratch* scratch, Span* span) const {
  if (compiled_ == nullptr) {
    const size_t begin = text.find(literal_, start);
    if (begin == std::string_view::npos) return false;
    *span = {begin, begin + literal_.size()};
    return true;
  }
  pcre2_match_data* const match = scratch->data_->match.get();
  pcre2_match_context* const context = scratch->data_->context.get();
  pcre2_set_match_limit(context, MatchLimit(text.size() - start));
  const auto run = [&](uint32_t options) {
    return pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                       text.size(), start, PCRE2_NO_UTF_CHECK | options, match, context);
  };
  int result = run(0);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
  if (result == PCRE2_ERROR_NOMATCH) return false;
  if (result == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  if (result < 0) {
    Throw(Code::kCheckpoint, "%s: matching a text of %zu bytes: %s", where_.c_str(), text.size(),
          Pcre2Message(result).c_str());
  }
  const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(match);
  *span = {bounds[0], bounds[1]};
  return true;
}

}  // namespace finback
