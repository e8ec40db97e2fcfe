#include "tools/answer.h"

#include <chrono>
#include <optional>

#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/text.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kDim = "\033[2m";
constexpr const char* kPlain = "\033[0m";

// Writes the pieces, and keeps apart what must not run together: reasoning, answer, calls.
class Display {
 public:
  explicit Display(const AnswerStyle& style)
      : style_(style),
        dim_(style.reasoning != nullptr && MayStyle(style.reasoning)),
        clean_content_(IsTerminal(stdout)),
        clean_reasoning_(style.reasoning != nullptr && IsTerminal(style.reasoning)) {}

  ~Display() { LeaveReasoning(); }

  void Reasoning(std::string_view text) {
    if (style_.reasoning == nullptr || text.empty()) return;
    if (!in_reasoning_ && dim_) std::fputs(kDim, style_.reasoning);
    if (!in_reasoning_ && !dim_) std::fputs("[thinking] ", style_.reasoning);
    in_reasoning_ = true;
    const std::string shown = clean_reasoning_ ? WithoutControls(text) : std::string(text);
    std::fwrite(shown.data(), 1, shown.size(), style_.reasoning);
    std::fflush(style_.reasoning);
  }

  void Content(std::string_view text) {
    LeaveReasoning();
    if (!style_.content || text.empty()) return;
    WriteOut(clean_content_ ? WithoutControls(text) : std::string(text));
    FlushOut();
    last_ = text.back();
    wrote_ = true;
  }

  void ToolCall(const finback_stream* stream) {
    LeaveReasoning();
    if (!style_.tool_calls) return;
    Line();
    const std::string call =
        std::string("[calls ") + finback_stream_tool_name(stream) + " " +
        std::string(finback_stream_text(stream), finback_stream_text_size(stream)) + "]\n";
    WriteOut(clean_content_ ? WithoutControls(call) : call);
    FlushOut();
    last_ = '\n';
  }

  // Beside the answer: standard output stays as it is.
  void Notice(const std::string& message) {
    LeaveReasoning();
    std::fprintf(stderr, "finback: %s\n", WithoutControls(message).c_str());
  }

  // Ends the line if something stands on it.
  void Line() {
    LeaveReasoning();
    if (style_.content && wrote_ && last_ != '\n') {
      WriteOut("\n");
      FlushOut();
      last_ = '\n';
    }
  }

 private:
  void LeaveReasoning() {
    if (!in_reasoning_) return;
    in_reasoning_ = false;
    if (dim_) std::fputs(kPlain, style_.reasoning);
    std::fputs("\n\n", style_.reasoning);
    std::fflush(style_.reasoning);
  }

  const AnswerStyle style_;
  const bool dim_, clean_content_, clean_reasoning_;
  bool in_reasoning_ = false, wrote_ = false;
  char last_ = '\n';
};

void ShowEvent(const finback_stream* stream, Display* display, ProgressLine* progress) {
  const std::string_view text(finback_stream_text(stream), finback_stream_text_size(stream));
  switch (finback_stream_kind(stream)) {
    case FINBACK_EVENT_REASONING:
      progress->Clear();
      display->Reasoning(text);
      break;
    case FINBACK_EVENT_CONTENT:
      progress->Clear();
      display->Content(text);
      break;
    case FINBACK_EVENT_TOOL_CALL_END:
      progress->Clear();
      display->ToolCall(stream);
      break;
    case FINBACK_EVENT_PROGRESS:
      progress->Update("prefill", static_cast<uint64_t>(finback_stream_progress_done(stream)),
                       static_cast<uint64_t>(finback_stream_progress_total(stream)));
      break;
    case FINBACK_EVENT_NOTICE: {
      progress->Clear();
      display->Notice(StringOf(LibraryJson(std::string(text)), "message"));
      break;
    }
    default:
      break;
  }
}

}  // namespace

Answer ShowAnswer(finback_stream* stream, const AnswerStyle& style, ProgressLine* progress) {
  Answer answer;
  Display display(style);
  finback_status status = FINBACK_OK;
  const Clock::time_point start = Clock::now();
  std::optional<Clock::time_point> begun;
  {
    const CancelScope scope([stream] { finback_stream_cancel(stream); });
    while ((status = finback_stream_step(stream)) == FINBACK_OK) {
      const int32_t kind = finback_stream_kind(stream);
      const bool tells = kind != FINBACK_EVENT_PROGRESS && kind != FINBACK_EVENT_NOTICE;
      if (!begun && tells) begun = Clock::now();
      ShowEvent(stream, &display, progress);
    }
  }
  const Clock::time_point end = Clock::now();
  answer.first_seconds = std::chrono::duration<double>(begun.value_or(end) - start).count();
  answer.rest_seconds = std::chrono::duration<double>(end - begun.value_or(end)).count();
  progress->Clear();
  display.Line();
  answer.cancelled = status == FINBACK_ERROR_CANCELLED;
  if (!answer.cancelled) Check(status);
  answer.finish_reason = finback_stream_finish_reason(stream);
  answer.usage.struct_size = sizeof answer.usage;
  Check(finback_stream_usage(stream, &answer.usage));
  answer.response_text = finback_stream_response(stream);
  answer.response = LibraryJson(answer.response_text);
  return answer;
}

std::string DescribeSpeed(const Answer& answer) {
  const auto rate = [](int64_t tokens, double seconds) {
    std::string said = " in " + ThreeDigits(seconds) + " s";
    if (tokens > 0 && seconds > 0) {
      said += ", " + ThreeDigits(static_cast<double>(tokens) / seconds) + " tokens/s";
    }
    return said;
  };
  const finback_usage& usage = answer.usage;
  return "prompt: " + std::to_string(usage.prompt_tokens) + " tokens (" +
         std::to_string(usage.cached_tokens) + " cached)" +
         rate(usage.prompt_tokens - usage.cached_tokens, answer.first_seconds) +
         "; answer: " + std::to_string(usage.completion_tokens) + " tokens (" +
         std::to_string(usage.reasoning_tokens) + " of reasoning)" +
         // The first token came with the end of the prompt.
         rate(usage.completion_tokens - 1, answer.rest_seconds);
}
