#include "tools/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "tools/failure.h"
#include "tools/interrupts.h"
#include "tools/terminal.h"
#include "tools/text.h"

namespace {

constexpr int kHistoryLines = 1000;
constexpr int kLetInWhileWaiting[] = {SIGINT, SIGTSTP, SIGWINCH};

// What could not be written at the end is said at the beginning.
std::string CheckedHistory(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const char* problem = "";
  if (std::filesystem::is_directory(path, error)) problem = "is a folder";
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    problem = "lies in a folder that is not there";
  }
  if (*problem == '\0') return path;
  throw Failure(kExitUsage, "FINBACK_HISTORY: " + WithoutControls(ValidUtf8(path)) + " " + problem,
                "name a file for the typed lines, or set it empty for none");
}

// FINBACK_HISTORY, empty for none; else where the desktop conventions keep such things.
std::string HistoryFile() {
  const char* named = std::getenv("FINBACK_HISTORY");
  if (named != nullptr) return CheckedHistory(named);
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state != nullptr && *state == '/') {
    folder = state;
  } else if (home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".local" / "state";
  } else {
    return "";
  }
  folder /= "finback";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "" : (folder / "history").string();
}

}  // namespace

LineEditor::LineEditor() : history_file_(HistoryFile()) {
  // Line editing counts characters, so it must know that they are UTF-8.
  if (std::setlocale(LC_CTYPE, "") == nullptr || std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  editor_ = el_init("finback", stdin, stdout, stderr);
  history_ = history_init();
  if (editor_ == nullptr || history_ == nullptr) {
    throw Failure(kExitFailure, "cannot edit lines on this terminal");
  }
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
  el_set(editor_, EL_CLIENTDATA, this);
  el_set(editor_, EL_PROMPT, &LineEditor::Prompt);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_GETCFN, &LineEditor::GetCharacter);
  el_set(editor_, EL_HIST, history, history_);
  el_set(editor_, EL_ADDFN, "paste", "insert what is pasted", &LineEditor::Paste);
  el_set(editor_, EL_BIND, "\\e[200~", "paste", nullptr);
  el_set(editor_, EL_ADDFN, "newline-in-text", "insert a newline", &LineEditor::NewLine);
  el_set(editor_, EL_BIND, "\\e\\r", "newline-in-text", nullptr);
  el_set(editor_, EL_BIND, "\\e\\n", "newline-in-text", nullptr);
  el_source(editor_, nullptr);
}

LineEditor::~LineEditor() {
  if (!history_file_.empty()) {
    const mode_t mask = umask(077);  // what was typed is nobody else's business
    HistEvent event;
    const int saved = history(history_, &event, H_SAVE, history_file_.c_str());
    umask(mask);
    if (saved < 0) {
      std::fprintf(stderr, "finback: the typed lines cannot be kept in %s\n",
                   WithoutControls(ValidUtf8(history_file_)).c_str());
    }
  }
  history_end(history_);
  el_end(editor_);
}

// The next character, or -1 when Ctrl-C came. Ctrl-C is let in only while nothing is done but wait:
// between a look at it and the wait it would go unseen.
int LineEditor::GetCharacter(editline* editor, wchar_t* character) {
  LineEditor* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  sigset_t waiting;
  pthread_sigmask(SIG_SETMASK, nullptr, &waiting);
  for (const int number : kLetInWhileWaiting) sigdelset(&waiting, number);
  std::mbstate_t state = {};
  for (;;) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    while (!InterruptPending() && (TerminalModes::Pending() ||
                                   (ppoll(&input, 1, nullptr, &waiting) < 0 && errno == EINTR))) {
      if (TerminalModes::TakeStop()) self->StopAndRedraw();
      if (TerminalModes::TakeResize()) self->Redraw();
    }
    if (InterruptPending()) {
      errno = EINTR;
      return -1;
    }
    char byte = 0;
    const ssize_t bytes = read(STDIN_FILENO, &byte, 1);
    if (bytes <= 0) return static_cast<int>(bytes);
    const size_t used = std::mbrtowc(character, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // more bytes belong to it
    if (used == static_cast<size_t>(-1)) {
      state = {};
      *character = L'\uFFFD';
    }
    return 1;
  }
}

// The terminal marks what is pasted: all of it is text of one line, newlines too.
unsigned char LineEditor::Paste(editline* editor, int) {
  constexpr std::wstring_view kEnd = L"\033[201~";
  std::wstring pasted;
  while (pasted.size() < kEnd.size() ||
         pasted.compare(pasted.size() - kEnd.size(), kEnd.size(), kEnd) != 0) {
    wchar_t character = 0;
    if (GetCharacter(editor, &character) <= 0) return CC_ERROR;
    pasted += character;
  }
  pasted.resize(pasted.size() - kEnd.size());
  std::string text;
  for (size_t i = 0; i < pasted.size(); ++i) {
    wchar_t character = pasted[i];
    if (character == L'\r') {  // what terminals make of newlines
      if (i + 1 < pasted.size() && pasted[i + 1] == L'\n') continue;
      character = L'\n';
    }
    const bool control =
        (character < 0x20 || character == 0x7F) && character != L'\n' && character != L'\t';
    char bytes[MB_LEN_MAX];
    std::mbstate_t state = {};
    const size_t size = control ? static_cast<size_t>(-1) : std::wcrtomb(bytes, character, &state);
    text += size == static_cast<size_t>(-1) ? "\xEF\xBF\xBD" : std::string(bytes, size);
  }
  // The newline behind the last line is not meant to be sent, nor to show an empty line.
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && el_insertstr(editor, text.c_str()) != 0) return CC_ERROR;
  return CC_REFRESH;
}

unsigned char LineEditor::NewLine(editline* editor, int) {
  return el_insertstr(editor, "\n") == 0 ? CC_REFRESH : CC_ERROR;
}

// After the width changed: up to where the prompt began, as the lines wrap now, and all anew.
void LineEditor::Redraw() {
  el_resize(editor_);
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return;
  const LineInfo* info = el_line(editor_);
  const std::string before =
      prompt_ + std::string(info->buffer, static_cast<size_t>(info->cursor - info->buffer));
  int rows = 0, column = 0;
  std::mbstate_t state = {};
  for (size_t i = 0; i < before.size();) {
    wchar_t character = 0;
    const size_t used = std::mbrtowc(&character, before.data() + i, before.size() - i, &state);
    if (used == 0 || used > before.size() - i) break;
    i += used;
    if (character == L'\n') {
      ++rows;
      column = 0;
      continue;
    }
    const int width = character == L'\t' ? 8 - column % 8 : std::max(0, wcwidth(character));
    if (column + width > size.ws_col) {
      ++rows;
      column = 0;
    }
    column += width;
  }
  if (rows > 0) std::fprintf(stdout, "\033[%dA", rows);
  std::fputs("\r\033[J\r", stdout);
  std::fflush(stdout);
  el_set(editor_, EL_REFRESH);
}

// Ctrl-Z, and back by `fg`: on a new line, whatever the shell left.
void LineEditor::StopAndRedraw() {
  el_set(editor_, EL_PREP_TERM, 0);
  TerminalModes::Stop();
  el_set(editor_, EL_PREP_TERM, 1);
  el_resize(editor_);
  el_set(editor_, EL_REFRESH);
}

char* LineEditor::Prompt(editline* editor) {
  LineEditor* self = nullptr;
  el_get(editor, EL_CLIENTDATA, &self);
  return self->prompt_.data();
}

LineEditor::End LineEditor::Read(const std::string& prompt, std::string* line) {
  prompt_ = prompt;
  int bytes = 0;
  errno = 0;
  // Before the prompt is shown: el_gets does so after it, and a Ctrl-D in between would be lost.
  el_set(editor_, EL_PREP_TERM, 1);
  TerminalModes::TakeResize();
  el_resize(editor_);  // an answer may have taken long
  sigset_t held, before;
  sigemptyset(&held);
  for (const int number : kLetInWhileWaiting) sigaddset(&held, number);
  pthread_sigmask(SIG_BLOCK, &held, &before);
  TerminalModes::SetEditing(true);
  const char* text = el_gets(editor_, &bytes);
  const int error = errno;
  TerminalModes::SetEditing(false);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (TakeInterrupt()) {
    el_reset(editor_);
    std::fputc('\n', stdout);
    std::fflush(stdout);
    return End::kInterrupted;
  }
  if (text == nullptr || bytes <= 0) return End::kEndOfInput;
  line->assign(text, static_cast<size_t>(bytes));
  if (!line->empty() && line->back() == '\n') line->pop_back();
  if (line->find_first_not_of(" \t") != std::string::npos) {
    HistEvent event;
    history(history_, &event, H_ENTER, line->c_str());
  }
  return End::kLine;
}
