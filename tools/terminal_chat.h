// A conversation on a terminal: reads a line, answers it, keeps the messages; /commands steer it.
#pragma once

#include <string>

#include "tools/answer.h"
#include "tools/handles.h"
#include "tools/line_editor.h"
#include "tools/progress_line.h"
#include "tools/request_options.h"

class TerminalChat {
 public:
  // `verbose`: the speed is said behind every answer.
  TerminalChat(finback_engine* engine, const RequestOptions& options, bool verbose,
               ProgressLine* progress);

  // `budget` is what the greeting says of it.
  int Run(const std::string& budget);

 private:
  using Handler = void (TerminalChat::*)(const std::string& argument);
  struct Command {
    const char* name;
    const char* argument;  // "": takes none
    const char* help;
    Handler handler;
  };
  static const Command kCommands[];

  void Obey(const std::string& line);
  void Think(const std::string& how);
  void NoThink(const std::string&);
  void Max(const std::string&);
  void System(const std::string& text);
  void Reset(const std::string&);
  void Usage(const std::string&);
  void Save(const std::string& path);
  void Overwrite(const std::string& path);
  void Load(const std::string& path);
  void Help(const std::string&);
  void Quit(const std::string&) { running_ = false; }

  const Command* Find(const std::string& name) const;
  void SetThinking(bool on, const std::string& effort);
  void Write(const std::string& path, bool overwrite);
  void CheckRequest(const Json& fields, const Json& messages) const;
  bool ReadTurn(std::string* text);
  bool ReadLines(std::string* text);
  Answer ShowQuietly(finback_stream* stream, const AnswerStyle& style);
  void Count(const Answer& answer);
  void AnswerTurn(const std::string& text);
  bool AnswerTools(const Json& message);
  Json Request() const;

  finback_engine* engine_;
  ProgressLine* progress_;
  Json fields_;  // the request without its messages
  Json messages_ = Json::array();
  LineEditor editor_;
  bool running_ = true;
  const bool verbose_;
  std::string speed_, saved_as_;
  int64_t prompt_tokens_ = 0, cached_tokens_ = 0, completion_tokens_ = 0, reasoning_tokens_ = 0;
  int64_t cost_picodollars_ = 0;
  bool cost_known_ = false;
};
