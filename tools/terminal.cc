#include "tools/terminal.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <filesystem>
#include <system_error>

#include "tools/failure.h"
#include "tools/interrupts.h"

namespace {

constexpr int kHistoryLines = 1000;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// FINBACK_HISTORY, empty for none; else where the desktop conventions keep such things.
std::string HistoryFile() {
  const char* named = std::getenv("FINBACK_HISTORY");
  if (named != nullptr) return named;
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

bool IsTerminal(std::FILE* file) { return isatty(fileno(file)) != 0; }

bool MayStyle(std::FILE* file) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  return IsTerminal(file) && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

std::string WithoutControls(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
      shown += kReplacement;
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F
      shown += kReplacement;
      ++i;
    } else {
      shown += text[i];
    }
  }
  return shown;
}

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
  el_source(editor_, nullptr);
}

LineEditor::~LineEditor() {
  if (!history_file_.empty()) {
    const mode_t mask = umask(077);  // what was typed is nobody else's business
    HistEvent event;
    history(history_, &event, H_SAVE, history_file_.c_str());
    umask(mask);
  }
  history_end(history_);
  el_end(editor_);
}

// The next character, or -1 when Ctrl-C came. Ctrl-C is let in only while nothing is done but wait:
// between a look at it and the wait it would go unseen.
int LineEditor::GetCharacter(editline*, wchar_t* character) {
  sigset_t waiting;
  pthread_sigmask(SIG_SETMASK, nullptr, &waiting);
  sigdelset(&waiting, SIGINT);
  std::mbstate_t state = {};
  for (;;) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    while (!InterruptPending() && ppoll(&input, 1, nullptr, &waiting) < 0 && errno == EINTR) {
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
    if (used == static_cast<size_t>(-1)) *character = L'\uFFFD';
    return 1;
  }
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
  sigset_t interrupt, before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  const char* text = el_gets(editor_, &bytes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
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
