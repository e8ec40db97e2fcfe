// The tolerant parser of completion_parser.h: a state machine over a small buffer of text that is
// not yet decided. Input is taken in slices, so that the buffer stays small whatever the caller's
// chunks; every limit counts from a tag, never from a chunk,
// so that chunks cannot change a decision.
#include <algorithm>
#include <utility>

#include "core/base/contains.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/chat/completion_parser.h"
#include "core/chat/literal.h"
#include "core/chat/markup_tags.h"
#include "core/chat/stop_filter.h"
#include "core/chat/tool_arguments.h"
#include "core/chat/wire_strings.h"
#include "core/json/json_prefix.h"

namespace finback {
namespace {

constexpr size_t kSliceBytes = 256;
constexpr size_t kLongestWord = 40;
constexpr size_t kTailBytes = 40;                  // longer than every marker
constexpr char kToldBrackets[] = {'{', '[', '"'};  // values that begin so are told as they come

// What must never be seen in reasoning or content.
constexpr std::string_view kMarkers[] = {wire::kEos, wire::kBos, wire::kThinkOpen,
                                         wire::kThinkClose, wire::kDsml};
constexpr std::string_view kLeadIns[] = {"</", "<"};  // of the DSML token in a tag

// Length of the longest suffix of `text` that is a proper prefix of `marker`.
size_t HeldLength(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
  }
  return 0;
}

bool IsJson(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) return false;  // inside of arguments it is none
  try {
    ParseJson(text, "value");
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool IsBlank(std::string_view text) { return SkipSpace(text, 0) == text.size(); }

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(text, &quoted);
  return quoted;
}

}  // namespace

struct CompletionParser::State {
  using Kind = ParserEvent::Kind;
  // kText: reasoning or content. kTag: behind a DSML token in text. kBlock: between invokes.
  // kInvoke: between parameters. kValue: inside one.
  enum class Mode : uint8_t { kText, kTag, kBlock, kInvoke, kValue, kDone };

  explicit State(Options options)
      : reasoning(options.thinking == ThinkingMode::kThinking),
        keeps_think_markers(options.think_markers == ThinkMarkers::kText),
        keeps_tool_markup(options.tool_markup == ToolMarkup::kText),
        goes_on(options.start == Start::kGoesOn),
        at_seam(!goes_on) {
    stops.Configure(std::move(options.stop));
  }

  void Feed(std::string_view text);
  void End();

  // These look at the buffer and take what is decided; false: nothing more is.
  bool Step();
  bool Text();
  bool Tag();
  bool Block();
  bool BlockTag(size_t begin, size_t word_begin, bool closes);
  bool Invoke();
  bool InvokeTag(size_t begin, size_t word_begin, bool closes);
  bool OpenParameter(size_t header_begin);
  void CloseValue();
  bool Value();

  bool FlushText(std::string_view window);
  bool Word(size_t begin, std::string* word, size_t* end) const;
  bool StrayTag(std::string_view word, size_t word_end);
  bool LeaveBlock(size_t bytes);
  bool RemoveUnfinished();
  void OpenCall(const TagHeader& header, size_t header_begin);
  Match EndsCall(std::string_view word, size_t i) const;
  bool EndOfValue(size_t* begin, size_t* end);
  void WriteKey(std::string_view name);
  void WriteValue(std::string_view text);
  void CloseCall();
  void Deliver(std::string_view text);
  void Tell(std::string_view text);
  void Hold(std::string_view text);
  void ReleaseNewlines();
  void EndReasoning();
  void EndContent();
  void Argument(std::string_view text);
  void Emit(Kind kind, std::string_view text);

  Rest more() const { return is_last ? Rest::kNone : Rest::kMayCome; }
  std::string_view rest() const { return std::string_view(buffer).substr(position); }
  void Take(size_t bytes) {
    if (in_call) raw.append(buffer, position, bytes);
    position += bytes;
  }
  bool Take(size_t bytes, Mode next) {
    Take(bytes);
    mode = next;
    return true;
  }

  Mode mode = Mode::kText;
  bool reasoning;  // until `</think>` or a call
  const bool keeps_think_markers, keeps_tool_markup, goes_on;
  bool at_seam;         // newlines that come now are none of the text
  size_t newlines = 0;  // at the end of what was told, which may be none of it
  StopFilter stops;     // of the content
  std::string unstopped;
  bool is_last = false;  // nothing more will come
  Utf8Stream utf8;
  std::string buffer;  // undecided from `position` on
  size_t position = 0;
  std::string joined;          // tail and rest; kept, so that a token allocates nothing
  std::string tail;            // the last delivered text, which removals may join with what follows
  std::string lead;            // what has been taken of a tag, which is text if it makes no call
  bool tag_closes = false;     // kTag: it began with `</`
  bool at_line_start = false;  // kTag: it may open a block in reasoning
  bool calls_in_block = false;
  int32_t calls = 0;
  std::string arguments;  // of the open call
  bool in_call = false;
  bool has_parameters = false;  // it has a complete one
  bool is_broken = false;       // a parameter of it was not understood
  std::string raw;              // all of it as written
  std::string body;             // what stands between its parameters
  bool is_string = false;       // the open parameter
  ValueKind kind = ValueKind::kText;
  std::string key, value;       // no string: until it is closed
  JsonPrefix prefix;            // of such a value
  bool is_told = false;         // it is told as it comes
  size_t told = 0;              // how much of it
  size_t value_begin = 0;       // of its key, in the arguments
  bool is_retold = false;       // what was told of the call is not how it goes on
  bool ended_in_value = false;  // an end-of-sentence marker is the last text of a value
  std::vector<ParserEvent>* events = nullptr;
  size_t first_event = 0;  // of this call: only those are extended
};

void CompletionParser::State::Emit(Kind event_kind, std::string_view text) {
  const bool is_text = event_kind == Kind::kReasoning || event_kind == Kind::kContent;
  const bool extends = is_text || event_kind == Kind::kToolArguments;
  if (extends && events->size() > first_event && events->back().kind == event_kind) {
    events->back().text += text;
  } else {
    events->push_back({event_kind, std::string(text), is_text ? 0 : calls - 1});
  }
}

void CompletionParser::State::Deliver(std::string_view text) {
  if (text.empty()) return;
  tail += text;
  if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
  Tell(text);
}

void CompletionParser::State::Tell(std::string_view text) {
  if (at_seam) {
    text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    at_seam = false;
  }
  if (reasoning) return Hold(text);
  unstopped.clear();
  if (stops.Push(text, &unstopped)) mode = Mode::kDone;
  Hold(unstopped);
}

// Newlines at the end wait for what follows.
void CompletionParser::State::Hold(std::string_view text) {
  const size_t end = text.find_last_not_of('\n') + 1;  // npos + 1 is 0
  if (end > 0) {
    ReleaseNewlines();
    Emit(reasoning ? Kind::kReasoning : Kind::kContent, text.substr(0, end));
  }
  newlines += text.size() - end;
}

void CompletionParser::State::ReleaseNewlines() {
  constexpr std::string_view kNewlines = "\n\n\n\n\n\n\n\n";
  while (newlines > 0) {
    const size_t count = std::min(newlines, kNewlines.size());
    Emit(reasoning ? Kind::kReasoning : Kind::kContent, kNewlines.substr(0, count));
    newlines -= count;
  }
}

void CompletionParser::State::EndReasoning() {
  reasoning = false;
  newlines = 0;
  at_seam = true;
  tail.clear();
}

// Before a block, or what may have become one.
void CompletionParser::State::EndContent() {
  unstopped.clear();
  stops.Flush(&unstopped);
  Hold(unstopped);
  newlines = 0;
}

void CompletionParser::State::Argument(std::string_view text) {
  if (text.empty()) return;
  arguments += text;
  if (!is_retold) Emit(Kind::kToolArguments, text);
}

void CompletionParser::State::Feed(std::string_view text) {
  while (!text.empty() && mode != Mode::kDone) {
    const std::string_view slice = text.substr(0, kSliceBytes);
    text.remove_prefix(slice.size());
    buffer.erase(0, position);
    position = 0;
    utf8.Push(slice, &buffer);
    while (Step()) {
    }
  }
}

void CompletionParser::State::End() {
  utf8.Finish(&buffer);
  is_last = true;
  while (Step()) {
  }
  unstopped.clear();
  stops.Flush(&unstopped);
  Hold(unstopped);
  ReleaseNewlines();
}

bool CompletionParser::State::Step() {
  switch (mode) {
    case Mode::kText:
      return Text();
    case Mode::kTag:
      return Tag();
    case Mode::kBlock:
      return Block();
    case Mode::kInvoke:
      return Invoke();
    case Mode::kValue:
      return Value();
    case Mode::kDone:
      break;
  }
  return false;
}

// Delivers what can no longer become a marker. `window` is the tail and the rest.
bool CompletionParser::State::FlushText(std::string_view window) {
  size_t held = 0;
  if (!is_last) {
    for (std::string_view marker : kMarkers) held = std::max(held, HeldLength(window, marker));
    for (std::string_view marker : {kTagStart, kTagClose}) {
      if (keeps_tool_markup) break;
      held = std::max(held, HeldLength(window, marker));
    }
  }
  const size_t ready = rest().size() - std::min(held, rest().size());
  const std::string_view text = window.substr(tail.size(), ready);
  Take(ready);
  Deliver(text);
  return false;
}

bool CompletionParser::State::Text() {
  if (rest().empty()) return false;
  // Markers are sought in what a reader would see: delivered text and what follows it.
  joined.assign(tail).append(rest());
  const std::string_view window = joined;
  const size_t delivered = tail.size();
  size_t begin = 0, end = std::string_view::npos;
  std::string_view found;
  for (std::string_view marker : kMarkers) {
    const bool thinks = marker == wire::kThinkOpen || marker == wire::kThinkClose;
    if (thinks ? keeps_think_markers : marker == wire::kDsml && keeps_tool_markup) continue;
    const size_t at = window.find(marker);
    if (at == std::string_view::npos || at + marker.size() >= end) continue;
    begin = at;
    end = at + marker.size();
    found = marker;
  }
  if (found.empty()) return FlushText(window);
  Take(end - delivered);
  if (begin < delivered) {
    // Joined by a removal, its beginning is out already: no markup, but it must not be seen. The
    // tail stays as it is, because its text is still what a reader sees before whatever comes next.
    return true;
  }
  if (found == wire::kDsml) {
    const std::string_view before = window.substr(delivered, begin - delivered);
    std::string_view lead_in;
    for (std::string_view candidate : kLeadIns) {
      if (lead_in.empty() && before.ends_with(candidate)) lead_in = candidate;
    }
    begin -= lead_in.size();
    tag_closes = lead_in == "</";
    at_line_start = begin == 0 || window[begin - 1] == '\n';
    mode = Mode::kTag;
    lead.assign(lead_in).append(wire::kDsml);
  }
  Deliver(window.substr(delivered, begin - delivered));
  if (found == wire::kEos) mode = Mode::kDone;
  if (found == wire::kThinkClose && reasoning) {
    EndReasoning();
  } else if (found == wire::kThinkOpen && at_seam) {
    reasoning = true;
  }
  return true;
}

// Reads `\s*[a-z_]*`; false if more must come to know where the word ends.
bool CompletionParser::State::Word(size_t begin, std::string* word, size_t* end) const {
  const std::string_view text = rest();
  begin = SkipSpace(text, begin);
  size_t i = begin;
  while (i < text.size() && i - begin < kLongestWord &&
         ((text[i] >= 'a' && text[i] <= 'z') || text[i] == '_')) {
    ++i;
  }
  *word = text.substr(begin, i - begin);
  *end = i;
  return i < text.size() || i - begin == kLongestWord || is_last;
}

// At the very end: what began as a tag is no text.
bool CompletionParser::State::RemoveUnfinished() {
  Take(rest().size());
  if (!in_call && !reasoning) EndContent();
  newlines = 0;
  return false;
}

// Behind a DSML token in reasoning or content.
bool CompletionParser::State::Tag() {
  std::string word;
  size_t end;
  if (!Word(0, &word, &end)) return false;
  Match match = Match::kFails;
  size_t i = end;
  TagHeader header;
  if (IsBlockWord(word) && (tag_closes ? calls > 0 : !reasoning || at_line_start)) {
    match = Bracket(rest(), &i);
  } else if (word == "invoke" && !tag_closes && !reasoning) {
    match = ReadInvokeHeader(rest().substr(end), InvokeBody::kMarkup, more(), &header);
  }
  if (match == Match::kNeedMore) return is_last ? RemoveUnfinished() : false;
  if (match == Match::kFails) return StrayTag(word, end);
  if (word == "invoke") {
    OpenCall(header, end);
    return true;
  }
  calls_in_block = false;
  lead.append(rest().substr(0, i));
  return Take(i, tag_closes ? Mode::kDone : Mode::kBlock);
}

// A tag that makes no call is text, but for the beginning of one at the very end.
bool CompletionParser::State::StrayTag(std::string_view word, size_t word_end) {
  const auto begins = [word](std::string_view known) { return known.starts_with(word); };
  const bool may_be_known =
      lead.front() == '<' && (begins("invoke") || begins("parameter") ||
                              std::any_of(std::begin(kBlockWords), std::end(kBlockWords), begins));
  if (is_last && word_end == rest().size() && may_be_known) return RemoveUnfinished();
  return LeaveBlock(0);
}

// Back to reasoning or content. What led to a call that never came is text after all.
bool CompletionParser::State::LeaveBlock(size_t bytes) {
  Take(bytes, Mode::kText);
  if (lead.empty()) return true;
  Deliver(lead);
  lead.clear();
  tail.clear();  // nothing joins over a marker that is seen
  return true;
}

// Inside `tool_calls`, between invokes.
bool CompletionParser::State::Block() {
  const std::string_view text = rest();
  const size_t begin = SkipSpace(text, 0);
  size_t open = begin, close = begin, eos = begin;
  const Match opens = Literal(text, kTagStart, &open);
  const Match closes = Literal(text, kTagClose, &close);
  const Match ends = Literal(text, wire::kEos, &eos);
  if (opens == Match::kYes) return BlockTag(begin, open, false);
  if (closes == Match::kYes) return BlockTag(begin, close, true);
  if (ends == Match::kYes) return Take(eos, Mode::kDone);
  const bool undecided =
      opens == Match::kNeedMore || closes == Match::kNeedMore || ends == Match::kNeedMore;
  if (undecided) return is_last ? RemoveUnfinished() : false;
  return LeaveBlock(calls_in_block ? begin : 0);
}

bool CompletionParser::State::BlockTag(size_t begin, size_t word_begin, bool closes) {
  std::string word;
  size_t end;
  if (!Word(word_begin, &word, &end)) return false;
  Match match = Match::kFails;
  size_t i = end;
  TagHeader header;
  const bool is_block = IsBlockWord(word);
  if (is_block) {
    match = Bracket(rest(), &i);
  } else if (word == "invoke" && !closes) {
    match = ReadInvokeHeader(rest().substr(end), reasoning ? InvokeBody::kMarkup : InvokeBody::kAny,
                             more(), &header);
  }
  if (match == Match::kNeedMore && !is_last) return false;
  if (is_block && closes) {
    if (calls_in_block) return Take(match == Match::kYes ? i : end, Mode::kDone);
    if (!reasoning) {  // an empty block is none
      lead.clear();
      EndContent();
      return Take(match == Match::kYes ? i : end, Mode::kText);
    }
    lead.append(rest().substr(0, match == Match::kYes ? i : end));
    return LeaveBlock(match == Match::kYes ? i : end);
  }
  if (match == Match::kNeedMore) return RemoveUnfinished();
  if (match == Match::kFails && is_last && end == rest().size()) return RemoveUnfinished();
  if (match == Match::kFails) return LeaveBlock(calls_in_block ? begin : 0);
  if (is_block) {
    if (!calls_in_block) lead.append(rest().substr(0, i));
    return Take(i, Mode::kBlock);
  }
  OpenCall(header, end);
  return true;
}

void CompletionParser::State::OpenCall(const TagHeader& header, size_t header_begin) {
  raw.assign(kTagStart).append("invoke");
  raw.append(rest().substr(header_begin, header.end));
  Take(header_begin + header.end, Mode::kInvoke);
  lead.clear();
  if (reasoning) {
    EndReasoning();
  } else {
    EndContent();
  }
  at_seam = false;  // text between calls is as it comes
  tail.clear();
  body.clear();
  calls_in_block = true;
  has_parameters = is_broken = false;
  ++calls;
  Emit(Kind::kToolCall, header.name);
  arguments.clear();
  is_retold = false;
  in_call = !header.is_closed;
  if (in_call) return;
  mode = Mode::kBlock;
  CloseCall();
}

// Arguments that were not understood whole are what was written, which is no JSON.
void CompletionParser::State::CloseCall() {
  in_call = false;
  if (!has_parameters && !is_broken && !IsBlank(body)) {
    RepairedArguments repaired = RepairArguments(body, nullptr);
    is_broken = !repaired.valid;
    if (repaired.valid) Argument(repaired.text);
  } else if (!is_broken && IsBlank(body)) {
    Argument(arguments.empty() ? "{}" : "}");
  } else {
    is_broken = true;
  }
  if (is_broken && arguments.empty()) Argument(raw);
  Emit(Kind::kToolCallEnd, is_broken ? raw : arguments);
  events->back().is_retold = is_retold && !is_broken;
}

// Inside an invoke, between parameters.
bool CompletionParser::State::Invoke() {
  const std::string_view text = rest();
  const size_t open = text.find(kTagStart), close = text.find(kTagClose);
  const size_t tag = std::min(open, close), eos = text.find(wire::kEos);
  if (eos < tag) {
    body += text.substr(0, eos);
    Take(eos);
    if (has_parameters || !IsBlank(body)) CloseCall();
    in_call = false;
    return Take(wire::kEos.size(), Mode::kDone);
  }
  if (tag == std::string_view::npos) {
    const size_t held = std::max(HeldLength(text, kTagClose), HeldLength(text, kTagStart));
    const size_t ready = text.size() - std::max(held, HeldLength(text, wire::kEos));
    body += text.substr(0, ready);
    Take(ready);
    return false;
  }
  if (tag > 0) {
    body += text.substr(0, tag);
    Take(tag);
    return true;
  }
  return InvokeTag(0, (close < open ? kTagClose : kTagStart).size(), close < open);
}

bool CompletionParser::State::InvokeTag(size_t begin, size_t word_begin, bool closes) {
  std::string word;
  size_t end;
  if (!Word(word_begin, &word, &end)) return false;
  if (word == "parameter" && !closes) return OpenParameter(end);
  if (word == "invoke" && !closes) {
    CloseCall();
    return Take(begin, Mode::kBlock);
  }
  if ((word == "invoke" || IsBlockWord(word)) && closes) {
    size_t i = end;
    const Match match = Bracket(rest(), &i);
    if (match == Match::kNeedMore && !is_last) return false;
    const size_t bytes = match == Match::kYes ? i : end;
    raw.append(rest().substr(0, bytes));
    CloseCall();
    return Take(bytes, word == "invoke" ? Mode::kBlock : Mode::kDone);
  }
  // A tag that has no place here. That a parameter is closed once more changes nothing.
  if (is_last && end == rest().size()) return RemoveUnfinished();
  if (word != "parameter") is_broken = true;
  size_t i = end;
  if (word == "parameter" && Bracket(rest(), &i) == Match::kNeedMore && !is_last) return false;
  Take(word == "parameter" && i <= rest().size() && i > end && rest()[i - 1] == '>' ? i : end);
  return true;
}

bool CompletionParser::State::OpenParameter(size_t header_begin) {
  TagHeader header;
  const Match match = ReadParameterHeader(rest().substr(header_begin), &header);
  if (match == Match::kNeedMore) return is_last ? RemoveUnfinished() : false;
  if (match == Match::kFails) {
    is_broken = true;
    Take(header_begin);
    return true;
  }
  kind = header.kind;
  is_string = kind == ValueKind::kText;
  value.clear();
  prefix = {};
  is_told = false;
  told = 0;
  key = header.name;
  if (is_string) {
    WriteKey(key);
    Argument("\"");
  }
  Take(header_begin + header.end, Mode::kValue);
  if (header.is_closed) CloseValue();
  return true;
}

void CompletionParser::State::CloseValue() {
  const bool is_json = !is_string && IsJson(value);
  if (is_string) {
    Argument("\"");
  } else if (!is_told) {
    WriteKey(key);
    Argument(is_json ? value : Quoted(value));
  } else if (is_json) {
    Argument(std::string_view(value).substr(told));
  } else {  // told as the JSON that it is not: a string, as nobody can unsay
    is_retold = true;
    arguments.erase(value_begin);
    WriteKey(key);
    Argument(Quoted(value));
  }
  has_parameters = true;
  ended_in_value = false;
  mode = Mode::kInvoke;
}

void CompletionParser::State::WriteKey(std::string_view name) {
  Argument((arguments.empty() ? "{" : ", ") + Quoted(name) + ": ");
}

void CompletionParser::State::WriteValue(std::string_view text) {
  if (is_string) {
    const std::string quoted = Quoted(text);
    return Argument(std::string_view(quoted).substr(1, quoted.size() - 2));
  }
  value += text;
  if (kind != ValueKind::kJson) return;
  // What is short or may yet be text waits for its end.
  const size_t begin = SkipSpace(value, 0);
  if (!is_told && begin < value.size() && Contains(kToldBrackets, value[begin])) {
    is_told = true;
    value_begin = arguments.size();
    WriteKey(key);
  }
  if (!is_told) return;
  const std::string_view news = std::string_view(value).substr(told);
  const size_t valid = prefix.Push(news);
  told += valid;
  Argument(news.substr(0, valid));
}

// Whether a tag that closes `word`, with `i` behind it, ends the call that a value is open in:
// before the end of everything, and for an invoke before the end of its block or another invoke.
Match CompletionParser::State::EndsCall(std::string_view word, size_t i) const {
  const std::string_view text = rest();
  const Match undecided = is_last ? Match::kFails : Match::kNeedMore;
  if (i == text.size()) return is_last ? Match::kYes : Match::kNeedMore;
  size_t eos = i, close = i, open = i;
  const Match ends = Literal(text, wire::kEos, &eos);
  if (ends == Match::kYes && eos == text.size()) return is_last ? Match::kYes : Match::kNeedMore;
  if (word != "invoke") return ends == Match::kNeedMore ? undecided : Match::kFails;
  const Match closes = Literal(text, kTagClose, &close), opens = Literal(text, kTagStart, &open);
  if (closes == Match::kYes || opens == Match::kYes) {
    std::string next;
    size_t next_end = 0;
    if (!Word(closes == Match::kYes ? close : open, &next, &next_end)) return Match::kNeedMore;
    const bool fits = closes == Match::kYes ? IsBlockWord(next) : next == "invoke";
    return fits ? Match::kYes : Match::kFails;
  }
  for (const Match match : {closes, opens, ends}) {
    if (match == Match::kNeedMore) return undecided;
  }
  return Match::kFails;
}

// Where the open value ends: at the tag of its own, else at the end of its call, if that is the end
// of a block or before another call. false: more must come; otherwise npos if it does not here.
bool CompletionParser::State::EndOfValue(size_t* begin, size_t* end) {
  const std::string_view text = rest();
  size_t at = text.find(kTagClose);
  for (; at != std::string_view::npos; at = text.find(kTagClose, at + 1)) {
    std::string word;
    *begin = at;
    if (!Word(at + kTagClose.size(), &word, end)) return false;
    if (is_last && *end == text.size() && std::string_view("parameter").starts_with(word)) {
      return false;
    }
    if (word != "parameter" && word != "invoke" && !IsBlockWord(word)) continue;
    size_t i = *end;
    const Match bracket = Bracket(text, &i);
    if (bracket == Match::kNeedMore && !is_last) return false;
    if (word == "parameter") {
      if (bracket == Match::kYes) *end = i;
      return true;
    }
    if (bracket != Match::kYes) continue;
    *end = at;  // the tag stays
    const Match ends = EndsCall(word, SkipSpace(text, i));
    if (ends == Match::kNeedMore) return false;
    if (ends == Match::kYes) return true;
  }
  *begin = std::string_view::npos;
  return true;
}

bool CompletionParser::State::Value() {
  size_t close, end = 0;
  const bool decided = EndOfValue(&close, &end);
  const std::string_view text = rest();
  if (decided && close != std::string_view::npos) {
    WriteValue(text.substr(0, close));
    Take(end);
    CloseValue();
    return true;
  }
  // An end-of-sentence marker is part of a value if more text follows, and no text if none does.
  size_t held = std::max(HeldLength(text, kTagClose), HeldLength(text, wire::kEos));
  if (!decided) held = text.size() - close;
  ended_in_value = text.ends_with(wire::kEos);
  if (ended_in_value) held = std::max(held, wire::kEos.size());
  const bool is_markup =
      text.substr(text.size() - held).find(wire::kDsml) != std::string_view::npos;
  if (is_last && !ended_in_value && !is_markup) held = 0;
  WriteValue(text.substr(0, text.size() - held));
  Take(is_last ? text.size() : text.size() - held);
  return false;
}

CompletionParser::CompletionParser(Options options)
    : state_(std::make_unique<State>(std::move(options))) {}

CompletionParser::~CompletionParser() = default;

void CompletionParser::Push(std::string_view text, std::vector<ParserEvent>* events) {
  state_->events = events;
  state_->first_event = events->size();
  state_->Feed(text);
}

void CompletionParser::Finish(std::vector<ParserEvent>* events) {
  state_->events = events;
  state_->first_event = events->size();
  state_->End();
}

bool CompletionParser::done() const {
  return state_->mode == State::Mode::kDone || (state_->is_last && state_->ended_in_value);
}

bool CompletionParser::stopped() const { return state_->stops.stopped(); }

bool CompletionParser::in_reasoning() const { return state_->reasoning; }

bool CompletionParser::has_tool_calls() const { return state_->calls > 0; }

ParsedCompletion ParseCompletionTolerantly(std::string_view text, ThinkingMode thinking) {
  CompletionParser parser({.thinking = thinking});
  std::vector<ParserEvent> events;
  parser.Push(text, &events);
  parser.Finish(&events);
  ParsedCompletion parsed;
  for (ParserEvent& event : events) {
    switch (event.kind) {
      case ParserEvent::Kind::kReasoning:
        parsed.reasoning_content += event.text;
        break;
      case ParserEvent::Kind::kContent:
        parsed.content += event.text;
        break;
      case ParserEvent::Kind::kToolCall:
        parsed.tool_calls.push_back({"", std::move(event.text), ""});
        break;
      case ParserEvent::Kind::kToolArguments:
        parsed.tool_calls.back().arguments += event.text;
        break;
      case ParserEvent::Kind::kToolCallEnd:
        parsed.tool_calls.back().arguments = std::move(event.text);
        break;
    }
  }
  return parsed;
}

}  // namespace finback
