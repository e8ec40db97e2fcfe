#include "core/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/file_map.h"
#include "core/base/status.h"
#include "core/tokenizer/added_token_matcher.h"
#include "core/tokenizer/bpe.h"
#include "core/tokenizer/split_pattern.h"
#include "core/tokenizer/text_index.h"
#include "core/tokenizer/tokenizer_file.h"

namespace finback {
namespace {

// Positions inside a piece are 32 bits wide.
constexpr size_t kMaxTextBytes = (size_t{1} << 31) - 1;

size_t CharacterBytes(char lead_char) {
  const auto lead = static_cast<uint8_t>(lead_char);
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

}  // namespace

struct Tokenizer::Impl {
  enum Flag : uint8_t { kAdded = 1, kSpecial = 2, kSpelled = 4 };
  struct Token {
    uint32_t offset = 0;  // into bytes
    uint16_t length = 0;  // 0: no token has this id
    uint8_t flags = 0;
  };
  // What one Encode call works with.
  struct Work {
    Bpe bpe;
    SplitPattern::Scratch scratch;
    std::vector<int32_t>* ids;
  };

  std::string bytes;
  std::vector<Token> tokens;  // by id
  TextIndex by_bytes;         // added tokens first
  std::array<int32_t, 256> byte_ids = {};
  MergeTable merges;
  // Without those that make an added token, if there are any.
  std::optional<MergeTable> plain_merges;
  bool ignore_merges = false;
  std::vector<SplitPattern> splits;
  // Tokens marked "normalized" are looked for in what the others leave: the format's order.
  std::array<AddedTokenMatcher, 2> added;

  explicit Impl(TokenizerFile file);
  void ReadTokens(const std::vector<TokenizerFile::Token>& list);
  void BuildMerges(const TokenizerFile& file);

  std::string_view Bytes(int32_t id) const {
    if (id < 0 || static_cast<size_t>(id) >= tokens.size()) return {};
    return std::string_view(bytes).substr(tokens[id].offset, tokens[id].length);
  }
  bool Has(int32_t id, Flag flag) const {
    return id >= 0 && static_cast<size_t>(id) < tokens.size() && (tokens[id].flags & flag) != 0;
  }
  // The base token that stands for exactly these bytes, or -1.
  int32_t SpelledToken(std::string_view piece, bool may_be_added) const;

  void EncodeMatching(std::string_view text, size_t matcher, Work* work) const;
  void EncodePlain(std::string_view text, size_t step, AddedTokens mode, Work* work) const;
  void EncodePiece(std::string_view piece, AddedTokens mode, Work* work) const;
};

Tokenizer::Impl::Impl(TokenizerFile file)
    : byte_ids(file.byte_ids), ignore_merges(file.ignore_merges) {
  for (const TokenizerFile::Split& split : file.splits) {
    splits.push_back(split.is_regex ? SplitPattern::Regex(split.pattern, split.where)
                                    : SplitPattern::Literal(split.pattern));
  }
  ReadTokens(file.tokens);
  BuildMerges(file);
}

void Tokenizer::Impl::ReadTokens(const std::vector<TokenizerFile::Token>& list) {
  int32_t highest = -1;
  size_t total = 0;
  for (const TokenizerFile::Token& token : list) {
    highest = std::max(highest, token.id);
    total += token.bytes.size();
  }
  tokens.resize(static_cast<size_t>(highest) + 1);
  bytes.reserve(total);
  for (const TokenizerFile::Token& token : list) {
    const int flags = (token.added ? kAdded : 0) | (token.special ? kSpecial : 0) |
                      (token.spelled ? kSpelled : 0);
    tokens[token.id] = {static_cast<uint32_t>(bytes.size()),
                        static_cast<uint16_t>(token.bytes.size()), static_cast<uint8_t>(flags)};
    bytes += token.bytes;
    if (token.added) added[token.normalized ? 1 : 0].Add(token.bytes, token.id);
  }
  for (AddedTokenMatcher& matcher : added) matcher.Finish();
  by_bytes.Reserve(list.size());
  for (const bool wants_added : {true, false}) {
    for (const TokenizerFile::Token& token : list) {
      if (token.added == wants_added) by_bytes.Add(Bytes(token.id), token.id);
    }
  }
  by_bytes.Build();
}

void Tokenizer::Impl::BuildMerges(const TokenizerFile& file) {
  std::vector<uint32_t> ranks(file.merges.size());
  for (uint32_t i = 0; i < ranks.size(); ++i) ranks[i] = i;
  merges = MergeTable(file.merges, ranks, file.merges_where);
  std::vector<Merge> plain;
  ranks.clear();
  for (uint32_t i = 0; i < file.merges.size(); ++i) {
    if (Has(file.merges[i].result, kAdded)) continue;
    plain.push_back(file.merges[i]);
    ranks.push_back(i);
  }
  if (plain.size() < file.merges.size()) plain_merges.emplace(plain, ranks, file.merges_where);
}

int32_t Tokenizer::Impl::SpelledToken(std::string_view piece, bool may_be_added) const {
  for (const TextIndex::Entry& entry : by_bytes.Find(piece)) {
    if (Has(entry.id, kSpelled) && (may_be_added || !Has(entry.id, kAdded))) return entry.id;
  }
  return -1;
}

void Tokenizer::Impl::EncodeMatching(std::string_view text, size_t matcher, Work* work) const {
  if (matcher == added.size()) return EncodePlain(text, 0, AddedTokens::kRecognize, work);
  size_t done = 0;
  AddedTokenMatcher::Match match;
  while (!added[matcher].empty() && added[matcher].Find(text, done, &match)) {
    EncodeMatching(text.substr(done, match.begin - done), matcher + 1, work);
    work->ids->push_back(match.id);
    done = match.end;
  }
  EncodeMatching(text.substr(done), matcher + 1, work);
}

void Tokenizer::Impl::EncodePlain(std::string_view text, size_t step, AddedTokens mode,
                                  Work* work) const {
  if (text.empty()) return;
  if (step == splits.size()) return EncodePiece(text, mode, work);
  size_t done = 0;
  size_t start = 0;
  bool has_matched = false;
  SplitPattern::Span span;
  while (start <= text.size() && splits[step].Find(text, start, &work->scratch, &span)) {
    // An empty match cuts, but not where the last match ended.
    if (span.begin == span.end && has_matched && span.end == done) {
      start += start < text.size() ? CharacterBytes(text[start]) : 1;
      continue;
    }
    EncodePlain(text.substr(done, span.begin - done), step + 1, mode, work);
    EncodePlain(text.substr(span.begin, span.end - span.begin), step + 1, mode, work);
    has_matched = true;
    start = done = span.end;
  }
  EncodePlain(text.substr(done), step + 1, mode, work);
}

void Tokenizer::Impl::EncodePiece(std::string_view piece, AddedTokens mode, Work* work) const {
  if (ignore_merges) {
    const int32_t id = SpelledToken(piece, mode == AddedTokens::kRecognize);
    if (id >= 0) return work->ids->push_back(id);
  }
  work->bpe.Encode(piece, work->ids);
}

Tokenizer::Tokenizer() = default;
Tokenizer::~Tokenizer() = default;

std::unique_ptr<Tokenizer> Tokenizer::Parse(std::string_view json, const std::string& path) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer);
  tokenizer->impl_ = std::make_unique<Impl>(TokenizerFile::Parse(json, path));
  return tokenizer;
}

std::unique_ptr<Tokenizer> Tokenizer::Load(const std::string& folder) {
  const std::string path = folder + "/tokenizer.json";
  return Parse(ReadFile(path, TokenizerFile::kMaxBytes), path);
}

void Tokenizer::Encode(std::string_view text, AddedTokens mode, std::vector<int32_t>* ids) const {
  if (text.size() > kMaxTextBytes) {
    Throw(Code::kInvalidArgument, "text of %zu bytes, expected at most %zu", text.size(),
          kMaxTextBytes);
  }
  const size_t invalid = FindInvalidUtf8(text);
  if (invalid != kValidUtf8) {
    Throw(Code::kInvalidArgument, "invalid UTF-8 at byte %zu", invalid);
  }
  const bool plain = mode == AddedTokens::kIgnore && impl_->plain_merges.has_value();
  Impl::Work work{{plain ? &*impl_->plain_merges : &impl_->merges, &impl_->byte_ids}, {}, ids};
  if (mode == AddedTokens::kIgnore) {
    impl_->EncodePlain(text, 0, mode, &work);
  } else {
    impl_->EncodeMatching(text, 0, &work);
  }
}

int32_t Tokenizer::size() const { return static_cast<int32_t>(impl_->tokens.size()); }
std::string_view Tokenizer::Bytes(int32_t id) const { return impl_->Bytes(id); }
bool Tokenizer::IsAdded(int32_t id) const { return impl_->Has(id, Impl::kAdded); }
bool Tokenizer::IsSpecial(int32_t id) const { return impl_->Has(id, Impl::kSpecial); }

int32_t Tokenizer::FindToken(std::string_view content) const {
  return impl_->by_bytes.FindFirst(content);
}

std::string Tokenizer::Decode(const std::vector<int32_t>& ids) const {
  std::string out;
  Utf8Stream stream;
  for (const int32_t id : ids) stream.Push(Bytes(id), &out);
  stream.Finish(&out);
  return out;
}

}  // namespace finback
