#include "core/local/answer_reader.h"

#include <cinttypes>
#include <utility>

#include "core/base/random.h"
#include "core/base/status.h"
#include "core/engine/call_check.h"
#include "core/engine/object_check.h"

namespace finback {
namespace {

constexpr size_t kTextBytes = 256;  // reserved: more than any token's text, with what was held back
constexpr size_t kParsedEvents = 16;

// `ET_`: the services' sign of a call that was made without the reasoning that was asked for.
std::string CallId(uint64_t seed, int32_t index, bool empty_thinking) {
  return Format("call_%02d_%s%016" PRIx64, index, empty_thinking ? "ET_" : "", SplitMix(seed));
}

}  // namespace

AnswerReader::AnswerReader(AnswerReading reading, uint64_t call_seed, EventQueue* queue)
    : tools_(std::move(reading.tools)),
      thinking_(reading.parsing == ThinkingMode::kThinking),
      object_(reading.object),
      call_seed_(call_seed),
      queue_(queue),
      think_(thinking_, ThinkTags::Source::kModel),
      has_reasoning_(reading.goes_on) {
  using Parser = CompletionParser;
  if (reading.parsing.has_value()) {
    Parser::Options options;
    options.thinking = *reading.parsing;
    if (tools_.empty()) options.tool_markup = Parser::ToolMarkup::kText;
    if (reading.goes_on) options.start = Parser::Start::kGoesOn;
    options.stop = reading.stop;
    parser_.emplace(std::move(options));
  }
  stops_.Configure(std::move(reading.stop));
  raw_.reserve(kTextBytes);
  parsed_.reserve(kParsedEvents);
}

bool AnswerReader::in_reasoning() const {
  return parser_.has_value() && parser_->in_reasoning() && !think_.field_over();
}

bool AnswerReader::over() const {
  return stops_.stopped() || (parser_.has_value() && parser_->done());
}

void AnswerReader::Push(std::string_view text) {
  if (!parser_.has_value()) {
    stops_.Push(text, &raw_);
    return TellRaw();
  }
  const bool reasoning = in_reasoning();
  parsed_.clear();
  parser_->Push(text, &parsed_);
  TellParsed();
  // The token that ends reasoning is markup: no event's text has it.
  if (reasoning && !in_reasoning()) pending_logprobs_.clear();
}

FinishReason AnswerReader::Finish(std::string_view text, FinishReason reason) {
  if (!text.empty() && !stopped()) Push(text);
  if (parser_.has_value()) {
    parsed_.clear();
    parser_->Finish(&parsed_);
    TellParsed();
    think_.Finish(&thought_);
    TellThought(think_.field_over() && parser_->in_reasoning() ? EventKind::kReasoning
                                                               : EventKind::kContent);
  }
  FlushStops();
  // What was still held back may have a stop string in it.
  const bool calls = parser_.has_value() && parser_->has_tool_calls() && !stopped();
  if (stopped()) reason = FinishReason::kStop;
  if (reason == FinishReason::kStop && calls) reason = FinishReason::kToolCalls;
  const std::string notice = object_ ? NoObjectNotice(content_, reason) : "";
  if (!notice.empty()) queue_->Push(EventKind::kNotice)->text = notice;
  return reason;
}

// What stops_ let through.
void AnswerReader::TellRaw() {
  if (!raw_.empty()) AddText(EventKind::kContent, raw_);
  raw_.clear();
}

void AnswerReader::FlushStops() {
  stops_.Flush(&raw_);
  TellRaw();
}

void AnswerReader::TellParsed() {
  for (ParserEvent& parsed : parsed_) {
    if (stops_.stopped()) return;
    switch (parsed.kind) {
      case ParserEvent::Kind::kReasoning:
        Tell(EventKind::kReasoning, parsed.text);
        break;
      case ParserEvent::Kind::kContent:
        Tell(EventKind::kContent, parsed.text);
        break;
      default:
        TellCall(&parsed);
        break;
    }
  }
}

void AnswerReader::Tell(EventKind kind, std::string_view text) {
  if (!think_.Passes(kind, text)) {
    think_.Push(kind, text, &thought_);
    return TellThought(kind);
  }
  AddText(kind, text);
}

// `source`: what the parser took it for.
void AnswerReader::TellThought(EventKind source) {
  if (source != EventKind::kReasoning) FlushStops();
  for (const ThinkTags::Text& piece : thought_) {
    if (source == EventKind::kReasoning && piece.kind == EventKind::kContent &&
        !piece.ends_reasoning) {
      stops_.Push(piece.text, &raw_);
      TellRaw();
      continue;
    }
    if (piece.ends_reasoning) {
      FlushStops();
      queue_->Push(EventKind::kNotice)->text = NoticeText(
          "reasoning_in_content", "what was told as content until here is the reasoning");
    }
    if (piece.ends_reasoning) {
      has_reasoning_ = true;
      content_.clear();
    }
    AddText(piece.kind, piece.text)->ends_reasoning = piece.ends_reasoning;
  }
  thought_.clear();
}

void AnswerReader::TellCall(ParserEvent* parsed) {
  EventKind kind = EventKind::kToolArguments;
  if (parsed->kind == ParserEvent::Kind::kToolCall) {
    think_.Finish(&thought_);
    TellThought(think_.field_over() ? EventKind::kReasoning : EventKind::kContent);
    FlushStops();
    kind = EventKind::kToolCall;
    call_id_ = CallId(call_seed_, parsed->tool_index, thinking_ && !has_reasoning_);
    call_name_ = std::exchange(parsed->text, {});
    call_told_.clear();
  } else if (parsed->kind == ParserEvent::Kind::kToolCallEnd) {
    kind = EventKind::kToolCallEnd;
    parsed->text = CheckCall(*parsed);
  } else {
    call_told_ += parsed->text;
  }
  Event* event = Add(kind);
  event->text.assign(parsed->text);
  event->tool_index = parsed->tool_index;
  event->tool_id.assign(call_id_);
  event->tool_name.assign(call_name_);
}

// The same repairs and refusals as for services.
std::string AnswerReader::CheckCall(const ParserEvent& end) {
  EndedCall call{.name = call_name_, .said = end.text, .meant = end.text};
  call.tool_index = end.tool_index;
  if (end.is_retold) {
    call.said = call_told_;
    call.how = "value";
  }
  const Json* tool = FindTool(tools_, call_name_);
  std::string notice;
  std::string arguments = CheckedArguments(call, tool, &notice);
  if (!notice.empty()) queue_->Push(EventKind::kNotice)->text = notice;
  if (tool == nullptr) queue_->Push(EventKind::kNotice)->text = ToolUnknown(call, "model");
  return arguments;
}

Event* AnswerReader::AddText(EventKind kind, std::string_view text) {
  if (kind == EventKind::kReasoning) has_reasoning_ = true;
  if (object_ && kind == EventKind::kContent) content_ += text;
  Event* event = Add(kind);
  event->text.assign(text);
  return event;
}

Event* AnswerReader::Add(EventKind kind) {
  Event* event = queue_->Push(kind);
  if (!pending_logprobs_.empty()) event->logprobs.swap(pending_logprobs_);
  return event;
}

}  // namespace finback
