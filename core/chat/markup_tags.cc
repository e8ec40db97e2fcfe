#include "core/chat/markup_tags.h"

#include <algorithm>

#include "core/base/contains.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

constexpr std::string_view kBars[] = {"\uFF5C", "\u2016", "|"};
constexpr int kMaxBars = 2;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// `\s*WORD\s*=\s*"` at `*i`.
Match Attribute(std::string_view text, std::string_view word, size_t* i) {
  for (std::string_view part : {word, std::string_view("="), std::string_view("\"")}) {
    *i = SkipSpace(text, *i);
    const Match match = Literal(text, part, i);
    if (match != Match::kYes) return match;
  }
  return Match::kYes;
}

// A name may hold anything; but a DSML or end-of-sentence token says that it has no end, and so
// does its length. Returns how long a text is when that is known; more than text.size()
// if it is not.
size_t HopelessLength(std::string_view text) {
  size_t length = kLongestTag + 1;
  for (std::string_view marker : {wire::kDsml, wire::kEos}) {
    const size_t at = text.find(marker);
    if (at != std::string_view::npos) length = std::min(length, at + marker.size());
  }
  return length;
}

// Markup or a JSON object at `i`, behind blanks.
Match BodyFollows(std::string_view text, size_t i) {
  i = SkipSpace(text, i);
  if (i >= text.size()) return Match::kNeedMore;
  if (text[i] == '{') return i < kLongestTag ? Match::kYes : Match::kFails;
  size_t open = i, close = i;
  const Match opens = Literal(text, kTagStart, &open), closes = Literal(text, kTagClose, &close);
  if (opens == Match::kYes || closes == Match::kYes) {
    return std::max(open, close) <= kLongestTag ? Match::kYes : Match::kFails;
  }
  return opens == Match::kNeedMore || closes == Match::kNeedMore ? Match::kNeedMore : Match::kFails;
}

// The value of an attribute at `*i`: in quotes of either kind, or up to a blank or the bracket.
Match ReadAttributeValue(std::string_view text, size_t* i, std::string* value) {
  if (*i >= text.size()) return Match::kNeedMore;
  const char quote = text[*i];
  if (quote == '"' || quote == '\'') {
    const size_t end = text.find(quote, *i + 1);
    if (end == std::string_view::npos) return Match::kNeedMore;
    *value = text.substr(*i + 1, end - *i - 1);
    *i = end + 1;
    return Match::kYes;
  }
  size_t end = *i;
  while (end < text.size() && !IsSpace(text[end]) && text[end] != '>') ++end;
  if (end == text.size()) return Match::kNeedMore;
  if (text[end] == '>' && text[end - 1] == '/') --end;
  if (end == *i) return Match::kFails;
  *value = text.substr(*i, end - *i);
  *i = end;
  return Match::kYes;
}

// `(\s+KEY\s*=\s*VALUE)*\s*/?>`.
Match ReadAttributes(std::string_view text, TagHeader* header) {
  bool has_name = false;
  for (size_t i = 0;;) {
    i = SkipSpace(text, i);
    if (i >= text.size()) return Match::kNeedMore;
    if (text[i] == '/' || text[i] == '>') {
      header->is_closed = text[i] == '/';
      i += header->is_closed ? 1 : 0;
      const Match match = Bracket(text, &i);
      header->end = i;
      return match == Match::kYes && !has_name ? Match::kFails : match;
    }
    const size_t key_begin = i;
    while (i < text.size() && ((text[i] >= 'a' && text[i] <= 'z') || text[i] == '_')) ++i;
    const std::string_view key = text.substr(key_begin, i - key_begin);
    i = SkipSpace(text, i);
    if (i >= text.size()) return Match::kNeedMore;
    if (key.empty() || text[i] != '=') return Match::kFails;
    i = SkipSpace(text, i + 1);
    std::string value;
    const Match match = ReadAttributeValue(text, &i, &value);
    if (match != Match::kYes) return match;
    if (key == "name" && has_name) return Match::kFails;
    if (key == "name") {
      has_name = true;
      header->name = value;
    } else if (key == "string") {
      header->kind = value == "true"    ? ValueKind::kText
                     : value == "false" ? ValueKind::kJson
                                        : ValueKind::kEither;
    }
  }
}

// ReadAttributes of what cannot be the published form.
Match ReadOtherHeader(std::string_view text, TagHeader* header) {
  *header = {};
  const Match match = ReadAttributes(text, header);
  const size_t hopeless = HopelessLength(text);
  if (match == Match::kYes) return header->end <= hopeless ? match : Match::kFails;
  return hopeless <= text.size() ? Match::kFails : match;
}

// `\s*name\s*=\s*"X"` as short as possible, and what `rest` reads from behind it: a Match of
// (&position), which it moves to where the header ends.
template <typename Rest>
Match ReadPublishedHeader(std::string_view text, TagHeader* header, Rest rest) {
  size_t begin = 0;
  const Match start = Attribute(text, "name", &begin);
  if (start != Match::kYes) return start;
  const size_t hopeless = HopelessLength(text);
  for (size_t quote = text.find('"', begin); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    if (quote >= hopeless) return Match::kFails;
    size_t i = quote + 1;
    const Match match = rest(&i);
    if (match == Match::kFails) continue;
    if (match == Match::kNeedMore) break;
    header->name = text.substr(begin, quote - begin);
    header->end = i;
    return Match::kYes;
  }
  return hopeless <= text.size() ? Match::kFails : Match::kNeedMore;
}

// `\s*/>`, or `\s*>` and what makes a body.
Match ReadPublishedInvoke(std::string_view text, TagHeader* header) {
  return ReadPublishedHeader(text, header, [&](size_t* i) {
    size_t closed = SkipSpace(text, *i);
    if (Literal(text, "/>", &closed) == Match::kYes) {
      header->is_closed = true;
      *i = closed;
      return Match::kYes;
    }
    const Match bracket = Bracket(text, i);
    return bracket == Match::kYes ? BodyFollows(text, *i) : bracket;
  });
}

// `\s*string\s*=\s*"true|false"\s*>`.
Match ReadPublishedParameter(std::string_view text, TagHeader* header) {
  return ReadPublishedHeader(text, header, [&](size_t* i) {
    Match match = Attribute(text, "string", i);
    if (match != Match::kYes) return match;
    match = Literal(text, "true\"", i);
    header->kind = match == Match::kYes ? ValueKind::kText : ValueKind::kJson;
    if (match == Match::kFails) match = Literal(text, "false\"", i);
    if (match == Match::kYes) match = Bracket(text, i);
    return match == Match::kYes && *i > kLongestTag ? Match::kFails : match;
  });
}

}  // namespace

bool IsBlockWord(std::string_view word) { return Contains(kBlockWords, word); }

Match Bars(std::string_view text, size_t* i) {
  Match result = Match::kFails;
  for (int count = 0; count < kMaxBars; ++count) {
    Match next = Match::kFails;
    for (const std::string_view bar : kBars) {
      if (next == Match::kFails) next = Literal(text, bar, i);
    }
    if (next == Match::kNeedMore) return next;
    if (next == Match::kFails) break;
    result = Match::kYes;
  }
  return result;
}

size_t SkipSpace(std::string_view text, size_t begin) {
  size_t i = begin;
  while (i < text.size() && i - begin < kLongestTag && IsSpace(text[i])) ++i;
  return i;
}

Match Bracket(std::string_view text, size_t* i) {
  *i = SkipSpace(text, *i);
  return Literal(text, ">", i);
}

Match ReadInvokeHeader(std::string_view text, InvokeBody body, Rest rest, TagHeader* header) {
  Match match = ReadPublishedInvoke(text, header);
  // What might still be a name with quotes in it is over at the end.
  if (match == Match::kYes || (match == Match::kNeedMore && rest == Rest::kMayCome)) return match;
  match = ReadOtherHeader(text, header);
  if (match != Match::kYes || header->is_closed || body == InvokeBody::kAny) return match;
  return BodyFollows(text, header->end);
}

Match ReadParameterHeader(std::string_view text, TagHeader* header) {
  const Match match = ReadPublishedParameter(text, header);
  return match != Match::kFails ? match : ReadOtherHeader(text, header);
}

}  // namespace finback
