// The tolerant parser of completion_parser.h: a state machine over a small buffer of text that is
// not yet decided. Input is taken in slices, so that the buffer stays small whatever the caller's
// chunks; every limit counts from a tag, never from a chunk,
// so that chunks cannot change a decision.
#include <algorithm>
#include <utility>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/chat/completion_parser.h"
#include "core/chat/literal.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

constexpr size_t kSliceBytes = 256;
constexpr size_t kLongestTag = 1024;  // a header that is not complete by then is text
constexpr size_t kLongestWord = 40;
constexpr size_t kTailBytes = 40;  // longer than every marker

// What must never be seen in reasoning or content.
constexpr std::string_view kMarkers[] = {wire::kEos, wire::kBos, wire::kThinkOpen,
                                         wire::kThinkClose, wire::kDsml};
// How the DSML token is led in: two newlines belong to the marker of a block.
constexpr std::string_view kBlockStart = "\n\n<\uFF5CDSML\uFF5C";
constexpr std::string_view kTagStart = "<\uFF5CDSML\uFF5C";
constexpr std::string_view kTagClose = "</\uFF5CDSML\uFF5C";
constexpr std::string_view kLeadIns[] = {"\n\n<", "\n<", "</", "<"};

size_t SkipSpace(std::string_view text, size_t begin) {
  size_t i = begin;
  while (i < text.size() && i - begin < kLongestTag &&
         (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r')) {
    ++i;
  }
  return i;
}

// Length of the longest suffix of `text` that is a proper prefix of `marker`.
size_t HeldLength(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
  }
  return 0;
}

// `\s*WORD\s*=\s*"` at `*i`.
Match Attribute(std::string_view text, std::string_view word, size_t* i) {
  for (std::string_view part : {word, std::string_view("="), std::string_view("\"")}) {
    *i = SkipSpace(text, *i);
    const Match match = Literal(text, part, i);
    if (match != Match::kYes) return match;
  }
  return Match::kYes;
}

// `\s*>` at `*i`.
Match Bracket(std::string_view text, size_t* i) {
  *i = SkipSpace(text, *i);
  return Literal(text, ">", i);
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

bool IsHopeless(std::string_view text) { return HopelessLength(text) <= text.size(); }

struct Header {
  std::string name;
  bool is_string = false;
  size_t end = 0;  // behind the bracket
};

// `\s*name\s*=\s*"X"\s*>`, followed by whitespace and another tag.
Match ReadInvokeHeader(std::string_view text, Header* header) {
  size_t begin = 0;
  const Match start = Attribute(text, "name", &begin);
  if (start != Match::kYes) return start;
  const size_t hopeless = HopelessLength(text);
  for (size_t quote = text.find('"', begin); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    if (quote >= hopeless) return Match::kFails;
    size_t i = quote + 1;
    if (Bracket(text, &i) != Match::kYes) continue;
    header->end = i;
    i = SkipSpace(text, i);
    if (Literal(text, kTagStart, &i) != Match::kYes &&
        Literal(text, kTagClose, &i) != Match::kYes) {
      continue;
    }
    if (i > kLongestTag) return Match::kFails;
    header->name = text.substr(begin, quote - begin);
    return Match::kYes;
  }
  return hopeless <= text.size() ? Match::kFails : Match::kNeedMore;
}

// `\s*string\s*=\s*"true|false"\s*>` at `*i`.
Match ReadStringAttribute(std::string_view text, size_t* i, bool* is_string) {
  Match match = Attribute(text, "string", i);
  if (match != Match::kYes) return match;
  match = Literal(text, "true\"", i);
  *is_string = match == Match::kYes;
  if (match == Match::kFails) match = Literal(text, "false\"", i);
  return match == Match::kYes ? Bracket(text, i) : match;
}

// `\s*name\s*=\s*"K"\s*string\s*=\s*"true|false"\s*>`, K as short as possible.
Match ReadParameterHeader(std::string_view text, Header* header) {
  size_t begin = 0;
  const Match start = Attribute(text, "name", &begin);
  if (start != Match::kYes) return start;
  const size_t hopeless = HopelessLength(text);
  for (size_t quote = text.find('"', begin); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    if (quote >= hopeless) return Match::kFails;
    size_t i = quote + 1;
    const Match match = ReadStringAttribute(text, &i, &header->is_string);
    if (match == Match::kFails) continue;
    if (match == Match::kNeedMore) return hopeless <= text.size() ? Match::kFails : match;
    if (i > kLongestTag) return Match::kFails;
    header->name = text.substr(begin, quote - begin);
    header->end = i;
    return Match::kYes;
  }
  return hopeless <= text.size() ? Match::kFails : Match::kNeedMore;
}

// A parameter without its string attribute, when it is short and complete: `name="K">VALUE</...`.
bool ReadUntypedParameter(std::string_view text, Header* header, std::string_view* value) {
  const size_t close = text.substr(0, kLongestTag).find(kTagClose);
  size_t begin = 0;
  if (close == std::string_view::npos || IsHopeless(text.substr(0, close)) ||
      Attribute(text, "name", &begin) != Match::kYes) {
    return false;
  }
  for (size_t quote = text.find('"', begin); quote < close; quote = text.find('"', quote + 1)) {
    size_t i = quote + 1;
    if (Bracket(text, &i) != Match::kYes || i > close) continue;
    header->name = text.substr(begin, quote - begin);
    header->is_string = false;
    header->end = close;
    *value = text.substr(i, close - i);
    return true;
  }
  return false;
}

bool IsJson(std::string_view text) {
  try {
    ParseJson(text, "value");
    return true;
  } catch (const Error&) {
    return false;
  }
}

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

  State(bool thinking, bool keep) : reasoning(thinking), keeps_think_markers(keep) {}

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
  bool Value();

  bool FlushText(std::string_view window);
  bool Word(size_t begin, std::string* word, size_t* end) const;
  bool StrayTag(std::string_view word, size_t word_end);
  bool LeaveBlock(size_t bytes);
  bool RemoveUnfinished();
  void OpenCall(const Header& header, size_t header_begin);
  void WriteKey(std::string_view name);
  void WriteValue(std::string_view text);
  void CloseCall();
  void Deliver(std::string_view text);
  void Argument(std::string_view text);
  void Emit(Kind kind, std::string_view text);

  std::string_view rest() const { return std::string_view(buffer).substr(position); }
  void Take(size_t bytes) { position += bytes; }
  bool Take(size_t bytes, Mode next) {
    position += bytes;
    mode = next;
    return true;
  }

  Mode mode = Mode::kText;
  bool reasoning;  // until `</think>` or a call
  const bool keeps_think_markers;
  bool is_last = false;  // nothing more will come
  Utf8Stream utf8;
  std::string buffer;  // undecided from `position` on
  size_t position = 0;
  std::string joined;          // tail and rest; kept, so that a token allocates nothing
  std::string tail;            // the last delivered text, which removals may join with what follows
  size_t newlines = 0;         // that led in the tag or block at hand
  bool tag_closes = false;     // kTag: it began with `</`
  bool at_line_start = false;  // kTag: it may open a block in reasoning
  bool calls_in_block = false;
  int32_t calls = 0;
  std::string arguments;        // of the open call
  bool has_parameters = false;  // it has a complete one
  bool is_string = false;       // the open parameter
  std::string key, value;       // string="false": until it is closed
  bool ended_in_value = false;  // an end-of-sentence marker is the last text of a value
  std::vector<ParserEvent>* events = nullptr;
  size_t first_event = 0;  // of this call: only those are extended
};

void CompletionParser::State::Emit(Kind kind, std::string_view text) {
  const bool is_text = kind == Kind::kReasoning || kind == Kind::kContent;
  const bool extends = is_text || kind == Kind::kToolArguments;
  if (extends && events->size() > first_event && events->back().kind == kind) {
    events->back().text += text;
  } else {
    events->push_back({kind, std::string(text), is_text ? 0 : calls - 1});
  }
}

void CompletionParser::State::Deliver(std::string_view text) {
  if (text.empty()) return;
  Emit(reasoning ? Kind::kReasoning : Kind::kContent, text);
  tail += text;
  if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
}

void CompletionParser::State::Argument(std::string_view text) {
  if (text.empty()) return;
  arguments += text;
  Emit(Kind::kToolArguments, text);
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
    for (std::string_view marker : {kBlockStart, kBlockStart.substr(1), kTagStart, kTagClose}) {
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
    if (thinks && keeps_think_markers) continue;
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
    std::string_view lead;
    for (std::string_view candidate : kLeadIns) {
      if (lead.empty() && before.ends_with(candidate)) lead = candidate;
    }
    begin -= lead.size();
    tag_closes = lead == "</";
    newlines = lead.empty() || tag_closes ? 0 : lead.size() - 1;
    at_line_start = newlines > 0 || begin == 0 || window[begin - 1] == '\n';
    mode = Mode::kTag;
  }
  Deliver(window.substr(delivered, begin - delivered));
  if (found == wire::kEos) mode = Mode::kDone;
  if (found == wire::kThinkClose && reasoning) {
    reasoning = false;
    tail.clear();
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
  Header header;
  if (word == "tool_calls" && (tag_closes ? calls > 0 : !reasoning || at_line_start)) {
    match = Bracket(rest(), &i);
  } else if (word == "invoke" && !tag_closes && !reasoning) {
    match = ReadInvokeHeader(rest().substr(end), &header);
  }
  if (match == Match::kNeedMore) return is_last ? RemoveUnfinished() : false;
  if (match == Match::kFails) return StrayTag(word, end);
  if (word == "invoke") {
    OpenCall(header, end);
    return true;
  }
  calls_in_block = false;
  return Take(i, tag_closes ? Mode::kDone : Mode::kBlock);
}

// Removes a tag that makes no call, with its attributes if it is one we know.
bool CompletionParser::State::StrayTag(std::string_view word, size_t word_end) {
  const std::string_view text = rest();
  size_t end = 0;
  for (std::string_view known : {"tool_calls", "invoke", "parameter"}) {
    if (is_last && word_end == text.size() && known.substr(0, word.size()) == word) {
      return RemoveUnfinished();
    }
    if (word != known) continue;
    const size_t stop = text.find_first_of("<>\n", word_end);
    if (stop == std::string_view::npos && text.size() < kLongestTag) {
      return is_last ? RemoveUnfinished() : false;
    }
    end = stop < kLongestTag && text[stop] == '>' ? stop + 1 : word_end;
  }
  Take(end);
  return LeaveBlock(0);
}

// Back to reasoning or content. Newlines that would have belonged to a block are text after all.
bool CompletionParser::State::LeaveBlock(size_t bytes) {
  Take(bytes, Mode::kText);
  buffer.insert(position, newlines, '\n');
  newlines = 0;
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
  Header header;
  if (word == "tool_calls") {
    match = Bracket(rest(), &i);
  } else if (word == "invoke" && !closes) {
    match = ReadInvokeHeader(rest().substr(end), &header);
  }
  if (match == Match::kNeedMore && !is_last) return false;
  if (word == "tool_calls" && closes) {
    newlines = 0;
    return Take(match == Match::kYes ? i : end, calls_in_block ? Mode::kDone : Mode::kText);
  }
  if (match == Match::kNeedMore) return RemoveUnfinished();
  if (match == Match::kFails) return LeaveBlock(calls_in_block ? begin : 0);
  if (word == "tool_calls") return Take(i, Mode::kBlock);
  OpenCall(header, end);
  return true;
}

void CompletionParser::State::OpenCall(const Header& header, size_t header_begin) {
  Take(header_begin + header.end, Mode::kInvoke);
  newlines = 0;
  reasoning = false;
  tail.clear();
  calls_in_block = true;
  has_parameters = false;
  ++calls;
  Emit(Kind::kToolCall, header.name);
  arguments.clear();
  Argument("{");
}

void CompletionParser::State::CloseCall() {
  Argument("}");
  Emit(Kind::kToolCallEnd, arguments);
}

// Inside an invoke, between parameters.
bool CompletionParser::State::Invoke() {
  const std::string_view text = rest();
  const size_t tag = text.find(wire::kDsml), eos = text.find(wire::kEos);
  if (eos < tag) {
    if (has_parameters) CloseCall();
    return Take(eos + wire::kEos.size(), Mode::kDone);
  }
  if (tag == std::string_view::npos) {
    const size_t held = std::max(HeldLength(text, kTagClose), HeldLength(text, kTagStart));
    Take(text.size() - std::max(held, HeldLength(text, wire::kEos)));
    return false;
  }
  const bool closes = text.substr(0, tag).ends_with("</");
  const bool opens = text.substr(0, tag).ends_with("<");
  const size_t begin = tag - (closes ? 2 : opens ? 1 : 0);
  return InvokeTag(begin, tag + wire::kDsml.size(), closes);
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
  if ((word == "invoke" || word == "tool_calls") && closes) {
    size_t i = end;
    const Match match = Bracket(rest(), &i);
    if (match == Match::kNeedMore && !is_last) return false;
    CloseCall();
    return Take(match == Match::kYes ? i : end, word == "invoke" ? Mode::kBlock : Mode::kDone);
  }
  Take(end);  // a tag that has no place here
  return true;
}

bool CompletionParser::State::OpenParameter(size_t header_begin) {
  Header header;
  const std::string_view text = rest().substr(header_begin);
  const Match match = ReadParameterHeader(text, &header);
  if (match == Match::kNeedMore) return is_last ? RemoveUnfinished() : false;
  if (match == Match::kFails) {
    std::string_view untyped;
    if (!ReadUntypedParameter(text, &header, &untyped)) {
      Take(header_begin);
      return true;
    }
    WriteKey(header.name);
    Argument(IsJson(untyped) ? std::string(untyped) : Quoted(untyped));
    has_parameters = true;
    Take(header_begin + header.end);
    return true;
  }
  is_string = header.is_string;
  value.clear();
  key = header.name;
  if (is_string) {
    WriteKey(key);
    Argument("\"");
  }
  return Take(header_begin + header.end, Mode::kValue);
}

void CompletionParser::State::WriteKey(std::string_view name) {
  Argument((arguments == "{" ? "" : ", ") + Quoted(name) + ": ");
}

void CompletionParser::State::WriteValue(std::string_view text) {
  if (!is_string) {
    value += text;
    return;
  }
  const std::string quoted = Quoted(text);
  Argument(std::string_view(quoted).substr(1, quoted.size() - 2));
}

bool CompletionParser::State::Value() {
  const std::string_view text = rest();
  const size_t close = text.find(wire::kParameterClose);
  if (close != std::string_view::npos) {
    ended_in_value = false;
    WriteValue(text.substr(0, close));
    if (is_string) {
      Argument("\"");
    } else {
      WriteKey(key);
      Argument(IsJson(value) ? value : Quoted(value));
    }
    has_parameters = true;
    return Take(close + wire::kParameterClose.size(), Mode::kInvoke);
  }
  // An end-of-sentence marker is part of a value if more text follows, and no text if none does.
  size_t held = std::max(HeldLength(text, wire::kParameterClose), HeldLength(text, wire::kEos));
  ended_in_value = text.ends_with(wire::kEos);
  if (ended_in_value) held = wire::kEos.size();
  const bool is_markup =
      text.substr(text.size() - held).find(wire::kDsml) != std::string_view::npos;
  if (is_last && !ended_in_value && !is_markup) held = 0;
  WriteValue(text.substr(0, text.size() - held));
  Take(is_last ? text.size() : text.size() - held);
  return false;
}

CompletionParser::CompletionParser(ThinkingMode thinking, ThinkMarkers markers)
    : state_(std::make_unique<State>(thinking == ThinkingMode::kThinking,
                                     markers == ThinkMarkers::kText)) {}

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
  return state_->mode == State::Mode::kDone || state_->ended_in_value;
}

bool CompletionParser::in_reasoning() const { return state_->reasoning; }

bool CompletionParser::has_tool_calls() const { return state_->calls > 0; }

ParsedCompletion ParseCompletionTolerantly(std::string_view text, ThinkingMode thinking) {
  CompletionParser parser(thinking);
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
