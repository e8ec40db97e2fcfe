// A line editor with history; a line may hold newlines that were pasted or typed with Alt-Enter.
#pragma once

#include <string>

#include "tools/terminal_modes.h"

struct editline;
struct history;

class LineEditor {
 public:
  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class End { kLine, kInterrupted, kEndOfInput };
  // Reads one line without its newline; Ctrl-C gives it up.
  End Read(const std::string& prompt, std::string* line);

 private:
  static char* Prompt(editline* editor);
  static unsigned char Paste(editline* editor, int);
  static unsigned char NewLine(editline* editor, int);
  void Redraw();
  void StopAndRedraw();
  static int GetCharacter(editline* editor, wchar_t* character);

  TerminalModes modes_;
  editline* editor_ = nullptr;
  history* history_ = nullptr;
  std::string prompt_, history_file_;
};
