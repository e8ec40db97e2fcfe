// Reasoning that a service left in the text of the answer between tags (docs/services.md 18.2),
// parted from it where the tags are understood and left as it came where they are not. Text comes
// in any chunking, and what comes out does not depend on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/engine/event.h"

namespace finback {

class ThinkTags {
 public:
  struct Text {
    EventKind kind = EventKind::kContent;
    std::string text;
    bool ends_reasoning = false;  // as of Event
  };

  struct Tag {
    size_t length = 0;
    std::string_view family;  // those of a family end each other
    bool closes = false, is_empty = false;
  };

  // `thinking`: reasoning was asked for, so that a tag that closes what nothing opened may end it.
  // kModel: text of a model in this process, which says no reasoning twice.
  enum class Source : uint8_t { kService, kModel };
  explicit ThinkTags(bool thinking, Source source = Source::kService)
      : thinking_(thinking), may_repeat_(source == Source::kService) {}

  // The text is whole before Finish: nothing is told earlier, and so nothing too early.
  void HoldAll() { holds_all_ = true; }
  // `kind`: kReasoning or kContent, as the service says. A little is held back while it may become
  // a tag.
  void Push(EventKind kind, std::string_view text, std::vector<Text>* out);
  void Finish(std::vector<Text>* out);
  // Whether Push would only tell `text` as it is, which is done with this: nothing is copied.
  bool Passes(EventKind kind, std::string_view text);
  // A tag ended the reasoning's own field: what is still called reasoning is content.
  bool field_over() const { return field_over_; }

 private:
  // Of Markdown, by lines: what stands in code is no tag.
  struct Code {
    bool fenced = false, at_line_start = true;
    size_t spans = 0, ticks = 0;  // runs of backticks in this line; those at hand
    void Read(char c);
    bool InSpan() const { return spans % 2 == 1; }
  };

  void Run(bool last);
  // Each takes from the beginning of `text` what is decided; 0: more must come.
  size_t RunStart(std::string_view text, bool last);
  size_t RunText(std::string_view text, bool last);
  size_t RunTag(std::string_view text, const Tag& tag, bool last);
  bool IsInside() const { return in_block_ || InField(); }
  bool InField() const { return source_ == EventKind::kReasoning && !field_over_; }
  void Open(const Tag& tag);
  void Close();
  void Consume(std::string_view text);
  void Watch(std::string_view text);
  void Emit(EventKind kind, std::string_view text);
  void EmitBlock(std::string_view text);
  void FlushLate();

  const bool thinking_, may_repeat_;
  bool holds_all_ = false;
  EventKind source_ = EventKind::kNone;
  std::string held_;
  bool at_start_ = true;        // of the content: blanks and whole blocks at most
  bool field_begun_ = false;    // the reasoning's own field has said something
  bool field_over_ = false;     // a closing tag ended it: what follows there is content
  bool in_block_ = false;       // of the content
  size_t skip_blanks_ = 0;      // behind a tag, so many at most
  bool has_reasoning_ = false;  // beside which no closing tag alone ends any
  size_t literals_ = 0;         // opening tags that are text, whose closing tags are too
  std::string family_;          // of the open block
  std::string field_text_;      // what the reasoning's own field said
  std::string block_;           // of the content, while it only repeats that
  bool repeats_ = false;
  size_t newlines_ = 0;  // at the end of a model's reasoning
  std::string late_;     // a closing tag and the blanks behind it
  std::string all_;      // content, where all is held
  std::string tail_;     // the last bytes before what is at hand
  Code code_;
  std::vector<Text>* out_ = nullptr;
};

// The same of what a model of this process wrote, whole and parsed.
void PartThinkTags(ThinkingMode thinking, ParsedCompletion* parsed);

}  // namespace finback
