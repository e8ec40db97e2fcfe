#include "core/engine/think_tags.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/ascii.h"
#include "core/chat/markup_tags.h"

namespace finback {
namespace {

constexpr size_t kLongestThinkTag = 48;
constexpr size_t kTailBytes = 4;
// That belong to a tag. More are a model that does not stop, which others must see.
constexpr size_t kMostBlanks = 64;
constexpr std::string_view kBlanks = " \t\r\n";

// Names of tags, and which of them belong together.
struct TagName {
  std::string_view name, family;
  bool opens = true, closes = true;  // the latter with a slash
};
constexpr TagName kNames[] = {{"think", "think"},
                              {"thinking", "think"},
                              {"thought", "thought"},
                              {"thoughts", "thought"},
                              {"reasoning", "reasoning"},
                              {"begin_of_thought", "of_thought", true, false},
                              {"end_of_thought", "of_thought", false, false},
                              {"start_thinking", "start_end", true, false},
                              {"end_thinking", "start_end", false, false}};

struct Brackets {
  std::string_view open, close;
};
constexpr Brackets kBrackets[] = {{"<", ">"}, {"[", "]"}, {"\u25C1", "\u25B7"}};

// A tag between these is spoken of, and none.
constexpr Brackets kQuotes[] = {{"`", "`"},           {"\"", "\""},         {"'", "'"},
                                {"\u201C", "\u201D"}, {"\u2018", "\u2019"}, {"\u00AB", "\u00BB"},
                                {"\u300C", "\u300D"}, {"\u300E", "\u300F"}};

bool IsBlank(char c) { return kBlanks.find(c) != std::string_view::npos; }

bool IsNameChar(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

size_t SkipBlanks(std::string_view text, size_t i) {
  while (i < text.size() && IsBlank(text[i])) ++i;
  return i;
}

// Where the first tag may begin; the size of the text: nowhere.
size_t FindBracket(std::string_view text) {
  const auto opens = [](char c) {
    return std::any_of(std::begin(kBrackets), std::end(kBrackets),
                       [c](const Brackets& brackets) { return brackets.open[0] == c; });
  };
  return static_cast<size_t>(std::find_if(text.begin(), text.end(), opens) - text.begin());
}

// `\s*` and a bar or two at `*i`, both optional. False: more must come.
bool SkipBars(std::string_view text, size_t* i) {
  *i = SkipBlanks(text, *i);
  if (Bars(text, i) == Match::kNeedMore) return false;
  *i = SkipBlanks(text, *i);
  return true;
}

// `/` at `*i`, optional.
bool SkipSlash(std::string_view text, size_t* i) {
  if (*i >= text.size() || text[*i] != '/') return false;
  *i = SkipBlanks(text, *i + 1);
  return true;
}

struct ReadTagName {
  const TagName* name = nullptr;
  bool upper = false;
};

// `NAMESPACE:NAME` at `*i`.
Match ReadName(std::string_view text, size_t* i, ReadTagName* read) {
  size_t end = *i;
  while (end < text.size() && IsNameChar(text[end])) ++end;
  if (end == text.size()) return Match::kNeedMore;
  if (text[end] == ':' && end > *i) {
    *i = end + 1;
    while (++end < text.size() && IsNameChar(text[end])) {
    }
    if (end == text.size()) return Match::kNeedMore;
  }
  const std::string_view spelled = text.substr(*i, end - *i);
  *i = end;
  const std::string lower = LowerAscii(spelled);
  for (const TagName& row : kNames) {
    if (lower == row.name) read->name = &row;
  }
  read->upper = spelled == "THINK";
  return read->name != nullptr ? Match::kYes : Match::kFails;
}

// The tag at the beginning of `text`: `<think>`, `</THINK >`, `<|thinking|>`, `<seed:think>`,
// `[THINK]` and so on.
Match ReadTag(std::string_view text, ThinkTags::Tag* tag) {
  const Match limit = text.size() > kLongestThinkTag ? Match::kFails : Match::kNeedMore;
  for (const Brackets& brackets : kBrackets) {
    size_t i = 0;
    const Match opens = Literal(text, brackets.open, &i);
    if (opens == Match::kNeedMore) return limit;
    if (opens == Match::kFails) continue;
    i = SkipBlanks(text, i);
    bool slash = SkipSlash(text, &i);
    if (!SkipBars(text, &i)) return limit;
    slash = SkipSlash(text, &i) || slash;
    ReadTagName read;
    const Match named = ReadName(text, &i, &read);
    if (named != Match::kYes) return named == Match::kNeedMore ? limit : named;
    // In square brackets other spellings are ordinary text.
    if (brackets.open == "[" && !read.upper) return Match::kFails;
    if (!SkipBars(text, &i)) return limit;
    const bool is_empty = SkipSlash(text, &i);
    const Match closes = Literal(text, brackets.close, &i);
    if (closes != Match::kYes) return closes == Match::kNeedMore ? limit : closes;
    if (i > kLongestThinkTag || (slash && (is_empty || !read.name->closes))) return Match::kFails;
    tag->length = i;
    tag->family = read.name->family;
    tag->closes = slash || !read.name->opens;
    tag->is_empty = is_empty;
    return Match::kYes;
  }
  return Match::kFails;
}

// Whether a tag between these is quoted; kNeedMore: that is not known yet.
Match IsQuoted(std::string_view before, std::string_view behind) {
  Match result = Match::kFails;
  for (const Brackets& quotes : kQuotes) {
    size_t i = 0;
    if (!before.ends_with(quotes.open)) continue;
    const Match match = Literal(behind, quotes.close, &i);
    if (match == Match::kYes) return match;
    if (match == Match::kNeedMore) result = match;
  }
  return result;
}

}  // namespace

void ThinkTags::Code::Read(char c) {
  if (c == '`' || (c == '~' && at_line_start)) {
    ++ticks;
    return;
  }
  if (ticks > 0) {
    const bool fence = ticks >= 3 && at_line_start;
    if (fence) fenced = !fenced;
    if (!fence) ++spans;
    ticks = 0;
    at_line_start = false;
  }
  if (c == '\n') {
    at_line_start = true;
    spans = 0;
  } else if (c != ' ') {
    at_line_start = false;
  }
}

void ThinkTags::Push(EventKind kind, std::string_view text, std::vector<Text>* out) {
  out_ = out;
  if (text.empty()) return;
  if (kind != source_) {
    Run(true);
    source_ = kind;
    code_ = {};
    tail_.clear();
  }
  held_ += text;
  Run(false);
}

void ThinkTags::Finish(std::vector<Text>* out) {
  out_ = out;
  Run(true);
  if (newlines_ > 0) {
    out_->push_back({EventKind::kReasoning, std::string(std::exchange(newlines_, 0), '\n')});
  }
  FlushLate();
  // A block that was only a repetition so far says nothing new.
  if (!all_.empty()) out_->push_back({EventKind::kContent, std::exchange(all_, {})});
}

void ThinkTags::Run(bool last) {
  const std::string text = std::exchange(held_, {});
  std::string_view rest = text;
  while (!rest.empty()) {
    if (skip_blanks_ > 0) {
      const size_t blanks = std::min(SkipBlanks(rest, 0), skip_blanks_);
      if (!late_.empty()) late_ += rest.substr(0, blanks);
      rest.remove_prefix(blanks);
      skip_blanks_ -= blanks;
      if (rest.empty() && skip_blanks_ > 0) break;
      skip_blanks_ = 0;
      FlushLate();
      if (rest.empty()) break;
    }
    const bool starts = InField() ? !field_begun_ : at_start_ && !in_block_;
    const size_t taken = starts ? RunStart(rest, last) : RunText(rest, last);
    if (taken == 0) {
      held_ = rest;
      return;
    }
    rest.remove_prefix(taken);
  }
}

// Where a block may open, behind blanks at most.
size_t ThinkTags::RunStart(std::string_view text, bool last) {
  const size_t blanks = SkipBlanks(text, 0);
  Tag tag;
  Match match = blanks < text.size() ? ReadTag(text.substr(blanks), &tag) : Match::kNeedMore;
  if (blanks > kMostBlanks) match = Match::kFails;
  if (match == Match::kNeedMore && !last) return 0;
  if (match == Match::kYes) {
    const bool in_field = InField();
    field_begun_ = field_begun_ || in_field;
    skip_blanks_ = kMostBlanks;
    if (in_field && tag.closes) field_over_ = true;
    if (!in_field && !tag.closes && !tag.is_empty) Open(tag);
    return blanks + tag.length;
  }
  (InField() ? field_begun_ : at_start_) = InField();
  if (blanks == 0) return RunText(text, last);
  Consume(text.substr(0, blanks));
  return blanks;
}

size_t ThinkTags::RunText(std::string_view text, bool last) {
  const size_t at = FindBracket(text);
  if (at != 0) {
    const std::string_view before = text.substr(0, at);
    Consume(before);
    return before.size();
  }
  Tag tag;
  const Match match = ReadTag(text, &tag);
  if (match == Match::kYes) return RunTag(text, tag, last);
  if (match == Match::kNeedMore && !last) return 0;
  // The whole of the character that looked like a bracket: those that are not ASCII have 3 bytes.
  const bool ascii = text[0] == '<' || text[0] == '[';
  const size_t length = std::min<size_t>(ascii ? 1 : 3, text.size());
  Consume(text.substr(0, length));
  return length;
}

size_t ThinkTags::RunTag(std::string_view text, const Tag& tag, bool last) {
  const Match quoted = IsQuoted(tail_, text.substr(tag.length));
  if (quoted == Match::kNeedMore && !last) return 0;
  const bool inside = IsInside();
  // Reasoning may leave a fence open, which must not swallow the answer.
  const bool spoken_of = quoted == Match::kYes || code_.InSpan() || (code_.fenced && !inside);
  const bool ends = tag.closes && !spoken_of;
  if (inside && ends && (InField() || tag.family == family_)) {
    Close();
    return tag.length;
  }
  if (!inside && !spoken_of && !tag.closes && !tag.is_empty) {
    ++literals_;
  } else if (!inside && ends && literals_ > 0) {
    --literals_;
  } else if (!inside && ends && thinking_ && !has_reasoning_) {
    late_ = text.substr(0, tag.length);
    has_reasoning_ = true;
    skip_blanks_ = kMostBlanks;
    return tag.length;
  }
  Consume(text.substr(0, tag.length));
  return tag.length;
}

void ThinkTags::Open(const Tag& tag) {
  in_block_ = true;
  family_ = tag.family;
  code_ = {};
  tail_.clear();
  block_.clear();
  repeats_ = !field_text_.empty();
}

void ThinkTags::Close() {
  if (InField()) field_over_ = true;
  in_block_ = false;
  newlines_ = 0;
  skip_blanks_ = kMostBlanks;
  code_ = {};
  tail_.clear();
}

// What a closing tag alone ended was content so far: it is where nothing was told yet, and the
// event says so where it was.
void ThinkTags::FlushLate() {
  if (late_.empty()) return;
  code_ = {};
  tail_.clear();
  if (holds_all_) {
    out_->push_back({EventKind::kReasoning, std::exchange(all_, {})});
  } else {
    out_->push_back({EventKind::kContent, late_, true});
  }
  late_.clear();
}

bool ThinkTags::Passes(EventKind kind, std::string_view text) {
  const bool starts = InField() ? !field_begun_ : at_start_;
  const bool may_end = InField() && (may_repeat_ || text.ends_with('\n'));
  const bool is_plain = kind == source_ && held_.empty() && newlines_ == 0 && skip_blanks_ == 0 &&
                        !starts && !in_block_ && !holds_all_ && late_.empty() && !may_end &&
                        FindBracket(text) == text.size();
  if (!is_plain || (kind == EventKind::kReasoning) != InField()) return false;
  Watch(text);
  if (InField() && !Trimmed(text).empty()) has_reasoning_ = true;
  return true;
}

// What tells later whether a tag is spoken of.
void ThinkTags::Watch(std::string_view text) {
  for (const char c : text) code_.Read(c);
  tail_ += text.substr(text.size() - std::min(text.size(), kTailBytes));
  tail_.erase(0, tail_.size() - std::min(tail_.size(), kTailBytes));
}

void ThinkTags::Consume(std::string_view text) {
  Watch(text);
  if (InField()) {
    if (may_repeat_) field_text_ += text;
    Emit(EventKind::kReasoning, text);
  } else if (in_block_) {
    EmitBlock(text);
  } else {
    Emit(EventKind::kContent, text);
  }
}

// Gateways send the same reasoning in its own field and in the content.
void ThinkTags::EmitBlock(std::string_view text) {
  if (!repeats_) return Emit(EventKind::kReasoning, text);
  const size_t known = Trimmed(block_).size();  // to be the same
  block_ += text;
  if (Trimmed(field_text_).substr(known).starts_with(Trimmed(block_).substr(known))) return;
  repeats_ = false;
  Emit(EventKind::kReasoning, block_);
}

void ThinkTags::Emit(EventKind kind, std::string_view text) {
  std::string released;
  if (kind == EventKind::kReasoning && !may_repeat_) {
    // Newlines before the tag that ends it are none of the reasoning.
    const size_t end = text.find_last_not_of('\n') + 1;
    const size_t waiting = end > 0 ? std::exchange(newlines_, 0) : 0;
    newlines_ += text.size() - end;
    text = text.substr(0, end);
    if (waiting > 0) text = released.assign(waiting, '\n').append(text);
    if (text.empty()) return;
  }
  if (kind == EventKind::kReasoning && !Trimmed(text).empty()) has_reasoning_ = true;
  if (kind == EventKind::kContent && holds_all_) {
    all_ += text;
  } else if (!out_->empty() && out_->back().kind == kind && !out_->back().ends_reasoning) {
    out_->back().text += text;
  } else {
    out_->push_back({kind, std::string(text)});
  }
}

void PartThinkTags(ThinkingMode thinking, ParsedCompletion* parsed) {
  ThinkTags tags(thinking == ThinkingMode::kThinking, ThinkTags::Source::kModel);
  tags.HoldAll();
  std::vector<ThinkTags::Text> texts;
  tags.Push(EventKind::kReasoning, std::exchange(parsed->reasoning_content, {}), &texts);
  tags.Push(EventKind::kContent, std::exchange(parsed->content, {}), &texts);
  tags.Finish(&texts);
  for (const ThinkTags::Text& text : texts) {
    (text.kind == EventKind::kReasoning ? parsed->reasoning_content : parsed->content) += text.text;
  }
}

}  // namespace finback
