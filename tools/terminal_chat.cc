#include "tools/terminal_chat.h"

#include <cstdio>

#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/nearest.h"
#include "tools/text.h"

const TerminalChat::Command TerminalChat::kCommands[] = {
    {"/think", "think before answering", &TerminalChat::Think},
    {"/nothink", "answer at once", &TerminalChat::NoThink},
    {"/max", "think as hard as the model can", &TerminalChat::Max},
    {"/system", "TEXT: set the system message; without TEXT show it", &TerminalChat::System},
    {"/reset", "forget the conversation, keep the system message", &TerminalChat::Reset},
    {"/save", "FILE: write the conversation as a JSON request", &TerminalChat::Save},
    {"/load", "FILE: go on with a conversation from such a file", &TerminalChat::Load},
    {"/help", "this list", &TerminalChat::Help},
    {"/quit", "leave (also Ctrl-D)", &TerminalChat::Quit},
};

namespace {

void Note(const std::string& text) {
  std::fprintf(stderr, "%s\n", WithoutControls(ValidUtf8(text)).c_str());
}

bool IsSystem(const Json& message) { return StringOf(message, "role") == "system"; }

// The model's folder, precision and instruction set, for the greeting.
std::string DescribeEngine(finback_engine* engine) {
  const Json info = LibraryJson(finback_engine_info(engine));
  std::string model = info.value("model", "");
  while (model.size() > 1 && model.back() == '/') model.pop_back();
  return model.substr(model.find_last_of('/') + 1) + " (" + info.value("precision", "") + ", " +
         info.value("isa", "") + ")";
}

}  // namespace

TerminalChat::TerminalChat(finback_engine* engine, const RequestOptions& options,
                           ProgressLine* progress)
    : engine_(engine), progress_(progress), fields_(options.ChatFields()) {
  fields_["progress"] = true;
  if (!options.system.empty()) System(options.system);
}

int TerminalChat::Run() {
  Note("finback " + std::string(finback_version()) + ", " + DescribeEngine(engine_) +
       ". /help lists the commands; Ctrl-C stops an answer, Ctrl-D ends.");
  std::string text;
  while (running_ && ReadTurn(&text)) {
    if (Trim(text).empty()) continue;
    try {
      if (text[0] == '/') {
        Obey(Trim(text));
      } else {
        AnswerTurn(text);
      }
    } catch (const Failure& failure) {
      Note(std::string("finback: ") + failure.what());
      if (!failure.hint().empty()) Note("  " + failure.hint());
    }
  }
  return kExitOk;
}

// One turn: a line, and those after it while they end in a backslash.
bool TerminalChat::ReadTurn(std::string* text) {
  text->clear();
  std::string line;
  for (;;) {
    switch (editor_.Read(text->empty() ? "> " : "| ", &line)) {
      case LineEditor::End::kEndOfInput:
        std::fputc('\n', stderr);
        return false;
      case LineEditor::End::kInterrupted:
        text->clear();
        continue;
      case LineEditor::End::kLine:
        break;
    }
    if (line.empty() || line.back() != '\\') {
      *text += line;
      return true;
    }
    line.back() = '\n';
    *text += line;
  }
}

Json TerminalChat::Request() const {
  Json request = fields_;
  request["messages"] = messages_;
  return request;
}

void TerminalChat::AnswerTurn(const std::string& text) {
  const size_t before = messages_.size();
  messages_.push_back({{"role", "user"}, {"content", text}});
  try {
    for (bool more = true; more;) {
      TakeInterrupt();
      const std::string request = DumpJson(Request());
      const StreamHandle stream(Checked(finback_engine_chat(engine_, request.c_str())));
      AnswerStyle style;
      style.reasoning = stdout;
      style.tool_calls = true;
      const Answer answer = ShowAnswer(stream.get(), style, progress_);
      TakeInterrupt();
      Json message = answer.response.at("choices").at(0).at("message");
      if (answer.cancelled) {
        Note("[stopped]");
        // What was said so far stays part of the conversation, half a call does not.
        message.erase("tool_calls");
        if (!message.value("content", Json()).is_string()) message["content"] = "";
      } else if (answer.finish_reason == "length") {
        Note("[cut: --max-tokens or --context is reached]");
      }
      messages_.push_back(message);
      more = !answer.cancelled && answer.finish_reason == "tool_calls" && AnswerTools(message);
    }
  } catch (const std::exception& error) {
    // The turn did not happen: the next one must not see half of it.
    messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(before), messages_.end());
    const auto* failure = dynamic_cast<const Failure*>(&error);
    throw failure != nullptr ? *failure : Failure(kExitFailure, error.what());
  }
}

// Whoever sits at the terminal plays the tools. False: they would not.
bool TerminalChat::AnswerTools(const Json& message) {
  for (const Json& call : message.at("tool_calls")) {
    std::string result;
    const std::string name = call.at("function").value("name", "");
    if (editor_.Read("result of " + name + "> ", &result) != LineEditor::End::kLine) {
      throw Failure(kExitFailure, "no result for " + name + ": the question is withdrawn");
    }
    messages_.push_back(
        {{"role", "tool"}, {"tool_call_id", call.value("id", "")}, {"content", result}});
  }
  return true;
}

void TerminalChat::Obey(const std::string& line) {
  const size_t space = line.find_first_of(" \t\n");
  const std::string name = line.substr(0, space);
  const std::string argument = space == std::string::npos ? "" : Trim(line.substr(space));
  for (const Command& command : kCommands) {
    if (name == command.name || (name == "/exit" && command.handler == &TerminalChat::Quit)) {
      return (this->*command.handler)(argument);
    }
  }
  throw Failure(kExitUsage, "unknown command " + name,
                "/help lists them; a space before the slash sends the line to the model");
}

void TerminalChat::Think(const std::string&) {
  fields_["thinking"] = {{"type", "enabled"}};
  fields_.erase("reasoning_effort");
  Note("[thinking on]");
}

void TerminalChat::NoThink(const std::string&) {
  fields_["thinking"] = {{"type", "disabled"}};
  fields_.erase("reasoning_effort");
  Note("[thinking off]");
}

void TerminalChat::Max(const std::string&) {
  fields_["thinking"] = {{"type", "enabled"}};
  fields_["reasoning_effort"] = "max";
  Note("[thinking on, effort max]");
}

void TerminalChat::System(const std::string& text) {
  const bool present = !messages_.empty() && IsSystem(messages_[0]);
  if (text.empty()) {
    return Note(present ? messages_[0].value("content", "") : "[no system message]");
  }
  if (present) {
    messages_[0]["content"] = text;
  } else {
    messages_.insert(messages_.begin(), Json{{"role", "system"}, {"content", text}});
  }
}

void TerminalChat::Reset(const std::string&) {
  const bool keep = !messages_.empty() && IsSystem(messages_[0]);
  messages_.erase(messages_.begin() + (keep ? 1 : 0), messages_.end());
  Note("[forgotten]");
}

void TerminalChat::Save(const std::string& path) {
  if (path.empty()) throw Failure(kExitUsage, "/save needs a file name");
  Json request = Request();
  request.erase("progress");
  const std::string text = request.dump(2) + "\n";
  OutputFile file(path);
  file.Write(text.data(), text.size());
  file.Close();
  Note("[saved " + std::to_string(messages_.size()) + " messages]");
}

void TerminalChat::Load(const std::string& path) {
  if (path.empty()) throw Failure(kExitUsage, "/load needs a file name");
  Json loaded = ParseJson(ReadFile(path), path);
  if (loaded.is_array()) loaded = Json{{"messages", loaded}};
  if (!loaded.is_object() || !loaded.value("messages", Json()).is_array()) {
    throw Failure(kExitFailure, path + ": not a list of messages, nor an object with one");
  }
  messages_ = loaded["messages"];
  loaded.erase("messages");
  for (const auto& [name, value] : loaded.items()) fields_[name] = value;
  Note("[loaded " + std::to_string(messages_.size()) + " messages]");
}

void TerminalChat::Help(const std::string&) {
  for (const Command& command : kCommands) {
    std::fprintf(stderr, "  %-9s %s\n", command.name, command.help);
  }
  Note("A line that ends in a backslash goes on in the next.");
}
