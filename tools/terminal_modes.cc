#include "tools/terminal_modes.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<bool> editing{false}, quiet{false}, stop_pending{false}, resize_pending{false};
std::atomic<bool> known{false}, marks_pastes{false};
termios as_found, while_quiet;

// The functions below run in signal handlers too: they call what may be called there.

void MarkPastes(bool on) {
  if (!marks_pastes) return;
  const char* const sequence = on ? "\033[?2004h" : "\033[?2004l";
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, sequence, 8);
}

// A program in the background that touches the terminal is stopped.
bool InForeground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

// Unless the shell has taken the terminal back already, when another program of the job stopped.
void GiveBack() {
  if (!InForeground()) return;
  MarkPastes(false);
  if (known) tcsetattr(STDIN_FILENO, TCSADRAIN, &as_found);
}

void Install(int signal_number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal_number, &action, nullptr);
}

void HandleStop(int) {
  const int saved_errno = errno;
  if (editing) {
    stop_pending = true;
  } else {
    TerminalModes::Stop();
  }
  errno = saved_errno;
}

void HandleResize(int) { resize_pending = true; }

void HandleEnd(int signal_number) {
  GiveBack();
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

constexpr int kEnding[] = {SIGTERM, SIGHUP, SIGQUIT};

}  // namespace

TerminalModes::TerminalModes() {
  known = tcgetattr(STDIN_FILENO, &as_found) == 0;
  while_quiet = as_found;
  while_quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON);
  while_quiet.c_cc[VMIN] = 1;
  while_quiet.c_cc[VTIME] = 0;
  const char* terminal = std::getenv("TERM");
  marks_pastes = known && isatty(STDOUT_FILENO) != 0 && terminal != nullptr && *terminal != '\0' &&
                 std::strcmp(terminal, "dumb") != 0;
  Install(SIGTSTP, HandleStop);
  Install(SIGWINCH, HandleResize);
  for (const int number : kEnding) Install(number, HandleEnd);
  MarkPastes(true);
}

TerminalModes::~TerminalModes() {
  GiveBack();
  signal(SIGTSTP, SIG_DFL);
  signal(SIGWINCH, SIG_DFL);
  for (const int number : kEnding) signal(number, SIG_DFL);
}

void TerminalModes::SetEditing(bool on) { editing = on; }

bool TerminalModes::TakeStop() { return stop_pending.exchange(false); }

bool TerminalModes::TakeResize() { return resize_pending.exchange(false); }

bool TerminalModes::Pending() { return stop_pending || resize_pending; }

void TerminalModes::Stop() {
  GiveBack();
  signal(SIGTSTP, SIG_DFL);
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  raise(SIGTSTP);
  pthread_sigmask(SIG_UNBLOCK, &stop, &before);  // it stops here, if it was held back
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  Install(SIGTSTP, HandleStop);
  if (!InForeground()) return;
  MarkPastes(true);
  if (quiet && known) tcsetattr(STDIN_FILENO, TCSADRAIN, &while_quiet);
}

QuietTerminal::QuietTerminal() {
  if (!known || !InForeground()) return;
  quiet = true;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &while_quiet);
}

QuietTerminal::~QuietTerminal() {
  if (quiet.exchange(false) && InForeground()) tcsetattr(STDIN_FILENO, TCSADRAIN, &as_found);
}
