// What a terminal needs: dim text, text of a model shown harmlessly,
// and a line editor with history.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

struct editline;
struct history;

bool IsTerminal(std::FILE* file);

// Dim text may be used on this terminal (NO_COLOR and TERM=dumb are respected).
bool MayStyle(std::FILE* file);

// Control characters but newline and tab become U+FFFD, so that a model cannot steer the terminal.
std::string WithoutControls(std::string_view text);

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
  static int GetCharacter(editline* editor, wchar_t* character);

  editline* editor_ = nullptr;
  history* history_ = nullptr;
  std::string prompt_, history_file_;
};
