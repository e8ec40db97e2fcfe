#include "core/engine/markup_rescue.h"

#include <algorithm>

#include "core/chat/markup_tags.h"
#include "core/chat/wire_strings.h"

namespace finback {
namespace {

constexpr std::string_view kBlockWord = "tool_calls";
constexpr size_t kMaxBlanks = 8;  // beside the bars and before the word

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

size_t BehindBlanks(std::string_view text, size_t begin) {
  size_t i = begin;
  while (i < text.size() && i - begin < kMaxBlanks && IsSpace(text[i])) ++i;
  return i;
}

// What begins a tag, at the beginning of `text`, which begins with `<`: `<|DSML|`, and the word
// behind it when that is the block's.
Match ReadMarker(std::string_view text, MarkupFilter::Marker* marker) {
  size_t i = 1;
  if (i == text.size()) return Match::kNeedMore;
  marker->closes = text[i] == '/';
  i += marker->closes ? 1 : 0;
  i = BehindBlanks(text, i);
  Match match = Bars(text, &i);
  i = BehindBlanks(text, i);
  if (match == Match::kYes) match = Literal(text, "DSML", &i);
  i = BehindBlanks(text, i);
  if (match == Match::kYes) match = Bars(text, &i);
  if (match != Match::kYes) return match;
  const size_t word_begin = BehindBlanks(text, i);
  if (word_begin == text.size()) return Match::kNeedMore;
  for (const std::string_view word : kBlockWords) {
    size_t end = word_begin;
    match = Literal(text, word, &end);
    if (match == Match::kNeedMore) return match;
    if (match == Match::kYes) {
      marker->is_block = true;
      i = end;
      break;
    }
  }
  marker->length = i;
  return Match::kYes;
}

std::string Published(const MarkupFilter::Marker& marker) {
  std::string text = marker.closes ? "</" : "<";
  text += wire::kDsml;
  if (marker.is_block) text += kBlockWord;
  return text;
}

}  // namespace

MarkupFilter::MarkupFilter() = default;
MarkupFilter::~MarkupFilter() = default;

void MarkupFilter::Restart() {
  parser_ = std::make_unique<CompletionParser>(CompletionParser::Options{
      .thinking = kind_ == EventKind::kReasoning ? ThinkingMode::kThinking : ThinkingMode::kChat,
      .think_markers = CompletionParser::ThinkMarkers::kText,
      .start = CompletionParser::Start::kGoesOn});
  closing_ = false;
}

void MarkupFilter::Push(EventKind kind, std::string_view text, std::vector<Text>* out) {
  if (text.empty()) return;
  if (kind != kind_) {
    Finish(out);
    kind_ = kind;
    Restart();
  }
  held_ += text;
  Normalize(out);
}

void MarkupFilter::Finish(std::vector<Text>* out) {
  if (parser_ == nullptr) return;
  Marker marker;
  std::string_view rest = held_;
  // Any byte behind it tells what it is.
  if (!held_.empty() && ReadMarker(held_ + '\0', &marker) == Match::kYes) {
    FeedMarker(marker, rest.substr(0, marker.length), out);
    rest.remove_prefix(marker.length);
  }
  Feed(rest, out);
  held_.clear();
  parser_->Finish(&parsed_);
  Take(out);
  parser_ = nullptr;
  kind_ = EventKind::kNone;
}

// Feeds held_ to the parser in the published spelling, but for an end that may become a marker.
void MarkupFilter::Normalize(std::vector<Text>* out) {
  const std::string text = std::move(held_);
  held_.clear();
  size_t fed = 0, at = 0;
  const auto feed = [&](size_t end) {
    Feed(std::string_view(text).substr(fed, end - fed), out);
    fed = end;
  };
  while (at < text.size()) {
    if (closing_) {
      // The bracket goes in alone: what follows it is for the next parser.
      while (at < text.size() && IsSpace(text[at])) ++at;
      if (at == text.size()) break;
      if (text[at] == '>') feed(++at);
      if (parser_->done()) Restart();
      closing_ = false;
      continue;
    }
    at = text.find('<', at);
    if (at == std::string::npos) break;
    Marker marker;
    const Match match = ReadMarker(std::string_view(text).substr(at), &marker);
    if (match == Match::kFails) {
      ++at;
      continue;
    }
    feed(at);
    if (match == Match::kNeedMore) {
      held_ = text.substr(at);
      return;
    }
    FeedMarker(marker, std::string_view(text).substr(at, marker.length), out);
    at += marker.length;
    fed = at;
    closing_ = marker.is_block && marker.closes;
  }
  feed(text.size());
}

void MarkupFilter::FeedMarker(const Marker& marker, std::string_view spelled,
                              std::vector<Text>* out) {
  const std::string published = Published(marker);
  spellings_[published] = spelled;
  Feed(published, out);
}

// What the parser leaves is to be seen as the service spelled it.
std::string MarkupFilter::AsSpelled(std::string text) const {
  for (size_t at = text.find(wire::kDsml); at != std::string::npos;
       at = text.find(wire::kDsml, at)) {
    const bool closes = at > 1 && text[at - 1] == '/' && text[at - 2] == '<';
    Marker marker{0, closes, false};
    marker.is_block =
        std::string_view(text).substr(at + wire::kDsml.size()).starts_with(kBlockWord);
    const std::string published = Published(marker);
    const size_t begin = at - std::min(at, closes ? size_t{2} : size_t{1});
    const auto found = spellings_.find(published);
    const bool is_ours =
        found != spellings_.end() && text.compare(begin, published.size(), published) == 0;
    if (is_ours) text.replace(begin, published.size(), found->second);
    at = is_ours ? begin + found->second.size() : at + wire::kDsml.size();
  }
  return text;
}

void MarkupFilter::Feed(std::string_view text, std::vector<Text>* out) {
  if (text.empty()) return;
  parser_->Push(text, &parsed_);
  Take(out);
}

void MarkupFilter::Take(std::vector<Text>* out) {
  for (ParserEvent& event : parsed_) {
    switch (event.kind) {
      case ParserEvent::Kind::kReasoning:
        out->push_back({EventKind::kReasoning, AsSpelled(std::move(event.text))});
        break;
      case ParserEvent::Kind::kContent:
        out->push_back({EventKind::kContent, AsSpelled(std::move(event.text))});
        break;
      case ParserEvent::Kind::kToolCall:
        ++begun_;
        open_name_ = std::move(event.text);
        break;
      case ParserEvent::Kind::kToolArguments:
        break;
      case ParserEvent::Kind::kToolCallEnd:
        calls_.push_back({"", std::move(open_name_), std::move(event.text)});
        break;
    }
  }
  parsed_.clear();
}

}  // namespace finback
