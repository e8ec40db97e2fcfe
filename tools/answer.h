// One answer from its stream to the terminal or a pipe.
#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include "tools/handles.h"
#include "tools/progress_line.h"
#include "tools/request_options.h"

// How pieces of an answer are shown. Content always goes to standard output.
struct AnswerStyle {
  std::FILE* reasoning = nullptr;  // nullptr: not shown
  bool content = true;             // false: nothing is shown as it comes
  bool tool_calls = false;         // shown like content, for a reader rather than a program
};

struct Answer {
  bool cancelled = false;
  std::string finish_reason;
  Json response;  // the chat.completion (or text_completion) object
  std::string response_text;
  finback_usage usage = {};
  double first_seconds = 0;  // until the answer began: reading the prompt, or waiting
  double rest_seconds = 0;   // from then to the end
};

// "prompt: 25 tokens (0 cached) in 0.1 s, 250 tokens/s; answer: 12 tokens (3 of reasoning) in ..".
std::string DescribeSpeed(const Answer& answer);

// Steps through the stream. Ctrl-C cancels it; any other failure is thrown.
Answer ShowAnswer(finback_stream* stream, const AnswerStyle& style, ProgressLine* progress);
