// The terminal's modes through a conversation: what is pasted arrives marked, what is typed during
// an answer waits unseen, and whoever stops or ends the program finds the terminal as it was.
#pragma once

class TerminalModes {
 public:
  // Notes the terminal's modes, and stands for them from now on. One at a time.
  TerminalModes();
  ~TerminalModes();
  TerminalModes(const TerminalModes&) = delete;
  TerminalModes& operator=(const TerminalModes&) = delete;

  // While a line is edited, its editor sees to Ctrl-Z: it asks TakeStop() and calls Stop().
  static void SetEditing(bool editing);
  static bool TakeStop();
  static bool TakeResize();
  static bool Pending();

  // Gives the terminal back and stops; returns when the program goes on.
  static void Stop();
};

// While it lives, what is typed is kept for the next prompt and does not show.
class QuietTerminal {
 public:
  QuietTerminal();
  ~QuietTerminal();
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
};
