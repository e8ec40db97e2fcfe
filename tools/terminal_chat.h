// A conversation on a terminal: reads a line, answers it, keeps the messages; /commands steer it.
#pragma once

#include <string>

#include "tools/answer.h"
#include "tools/handles.h"
#include "tools/progress_line.h"
#include "tools/request_options.h"
#include "tools/terminal.h"

class TerminalChat {
 public:
  TerminalChat(finback_engine* engine, const RequestOptions& options, ProgressLine* progress);

  int Run();

 private:
  using Handler = void (TerminalChat::*)(const std::string& argument);
  struct Command {
    const char* name;
    const char* help;
    Handler handler;
  };
  static const Command kCommands[];

  void Obey(const std::string& line);
  void Think(const std::string&);
  void NoThink(const std::string&);
  void Max(const std::string&);
  void System(const std::string& text);
  void Reset(const std::string&);
  void Save(const std::string& path);
  void Load(const std::string& path);
  void Help(const std::string&);
  void Quit(const std::string&) { running_ = false; }

  bool ReadTurn(std::string* text);
  void AnswerTurn(const std::string& text);
  bool AnswerTools(const Json& message);
  Json Request() const;

  finback_engine* engine_;
  ProgressLine* progress_;
  Json fields_;  // the request without its messages
  Json messages_ = Json::array();
  LineEditor editor_;
  bool running_ = true;
};
