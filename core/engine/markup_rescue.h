// Tool markup that a service failed to parse and let into the text of the answer (docs/services.md
// 18.1 and 18.2): takes it out again, and reads the calls in it. Text comes in any chunking, and
// what comes out does not depend on it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/completion_parser.h"
#include "core/engine/event.h"

namespace finback {

class MarkupFilter {
 public:
  struct Text {
    EventKind kind = EventKind::kContent;
    std::string text;
  };

  // What begins a tag, and the word behind it when that is the block's.
  struct Marker {
    size_t length = 0;
    bool closes = false, is_block = false;
  };

  MarkupFilter();
  ~MarkupFilter();

  // `kind`: kReasoning or kContent, as think_tags.h parts them. Appends what is text, of that kind
  // but behind calls in reasoning. A little is held back while it may become markup.
  void Push(EventKind kind, std::string_view text, std::vector<Text>* out);
  // Releases what is held back. Text may go on after it, as at a start.
  void Finish(std::vector<Text>* out);

  // The complete calls so far, without ids.
  const std::vector<ToolCall>& calls() const { return calls_; }
  // Calls that were begun, those which the end of the text cut off included.
  size_t begun() const { return begun_; }

 private:
  void Restart();
  void Normalize(std::vector<Text>* out);
  void FeedMarker(const Marker& marker, std::string_view spelled, std::vector<Text>* out);
  std::string AsSpelled(std::string text) const;
  void Feed(std::string_view text, std::vector<Text>* out);
  void Take(std::vector<Text>* out);

  EventKind kind_ = EventKind::kNone;
  std::unique_ptr<CompletionParser> parser_;                   // of text in the published spelling
  std::map<std::string, std::string, std::less<>> spellings_;  // of the published markers
  std::string held_;      // may still become a marker of another spelling
  bool closing_ = false;  // behind the tag that ends a block, but its bracket
  std::vector<ParserEvent> parsed_;
  std::string open_name_;  // of the call at hand
  std::vector<ToolCall> calls_;
  size_t begun_ = 0;
};

}  // namespace finback
