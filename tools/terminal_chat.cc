#include "tools/terminal_chat.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "tools/failure.h"
#include "tools/files.h"
#include "tools/interrupts.h"
#include "tools/nearest.h"
#include "tools/terminal.h"
#include "tools/text.h"

const TerminalChat::Command TerminalChat::kCommands[] = {
    {"/think", "[on|off|low|high|max]", "think before answering, or not, or how hard",
     &TerminalChat::Think},
    {"/no-think", "", "answer at once", &TerminalChat::NoThink},
    {"/max", "", "think as hard as the model can", &TerminalChat::Max},
    {"/system", "[TEXT]", "set the system message; without TEXT show it", &TerminalChat::System},
    {"/reset", "", "forget the conversation, keep the system message", &TerminalChat::Reset},
    {"/usage", "", "tokens, speed and cost so far", &TerminalChat::Usage},
    {"/save", "FILE", "write the conversation as a JSON request", &TerminalChat::Save},
    {"/save!", "FILE", "the same, over a file that exists", &TerminalChat::Overwrite},
    {"/load", "FILE", "go on with a conversation from such a file", &TerminalChat::Load},
    {"/help", "", "this list", &TerminalChat::Help},
    {"/quit", "", "leave (also Ctrl-D)", &TerminalChat::Quit},
};

namespace {

constexpr std::string_view kQuotes = "\"\"\"";

void Note(const std::string& text) {
  std::fprintf(stderr, "%s\n", WithoutControls(ValidUtf8(text)).c_str());
}

bool IsSystem(const Json& message) { return StringOf(message, "role") == "system"; }

std::string DescribeTarget(const Json& target) {
  std::string text = StringOf(target, "provider") + ":" + StringOf(target, "model") + " at " +
                     StringOf(target, "base_url", "an address of its own");
  const Json context = target.value("context_tokens", Json());
  return context.is_number() ? text + ", context " + context.dump() + " tokens" : text;
}

// For the greeting: the model's folder, precision and instruction set; or each service and model.
std::string DescribeEngine(const Json& info) {
  if (StringOf(info, "backend") == "service") {
    std::string text;
    for (const Json& target : info.value("targets", Json::array())) {
      text += (text.empty() ? "" : "; then ") + DescribeTarget(target);
    }
    return text;
  }
  std::string model = StringOf(info, "model");
  while (model.size() > 1 && model.back() == '/') model.pop_back();
  return model.substr(model.find_last_of('/') + 1) + " (" + StringOf(info, "precision") + ", " +
         StringOf(info, "isa") + ")";
}

std::string DescribeThinking(const Json& info, const Json& fields) {
  bool on = true;
  const Json generation = info.value("generation", Json());
  if (generation.is_object()) on = generation.value("thinking", Json(true)) != false;
  if (fields.contains("thinking")) on = StringOf(fields["thinking"], "type") != "disabled";
  const std::string effort = StringOf(fields, "reasoning_effort");
  if (effort == "none") on = false;
  return std::string("thinking ") + (on ? "on" : "off") +
         (on && !effort.empty() ? ", effort " + effort : "");
}

// ~/ is the home folder, as in a shell.
std::string Expanded(const std::string& path) {
  const char* home = std::getenv("HOME");
  const bool tilde = path == "~" || path.compare(0, 2, "~/") == 0;
  return tilde && home != nullptr && *home != '\0' ? home + path.substr(1) : path;
}

}  // namespace

TerminalChat::TerminalChat(finback_engine* engine, const RequestOptions& options, bool verbose,
                           ProgressLine* progress)
    : engine_(engine), progress_(progress), fields_(options.ChatFields()), verbose_(verbose) {
  fields_["progress"] = true;
  if (!options.system.empty()) System(options.system);
}

int TerminalChat::Run(const std::string& budget) {
  const Json info = LibraryJson(finback_engine_info(engine_));
  const bool service = StringOf(info, "backend") == "service";
  Note("finback " + std::string(finback_version()) + ", " + DescribeEngine(info) + "; " +
       DescribeThinking(info, fields_) +
       (!service         ? ""
        : budget.empty() ? "; no budget"
                         : "; " + budget) +
       ".\n/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends.");
  std::string text;
  while (running_ && ReadTurn(&text)) {
    if (IsBlank(text)) continue;
    try {
      // Several lines that begin with a path are no command.
      const bool lines = text.find('\n') != std::string::npos;
      if (text[0] == '/' && (!lines || Find(text.substr(0, text.find_first_of(" \t\n"))))) {
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
    if (text->empty() && line.compare(0, kQuotes.size(), kQuotes) == 0) {
      *text = line.substr(kQuotes.size());
      if (ReadLines(text)) return true;
      text->clear();
      continue;
    }
    if (line.empty() || line.back() != '\\') {
      *text += line;
      return true;
    }
    line.back() = '\n';
    *text += line;
  }
}

// The rest of a text between """ and """. False: it was given up.
bool TerminalChat::ReadLines(std::string* text) {
  for (;;) {
    const size_t size = text->size();
    if (size >= kQuotes.size() &&
        text->compare(size - kQuotes.size(), kQuotes.size(), kQuotes) == 0) {
      text->resize(size - kQuotes.size());
      return true;
    }
    std::string line;
    if (editor_.Read("| ", &line) != LineEditor::End::kLine) return false;
    *text += (text->empty() ? "" : "\n") + line;
  }
}

Json TerminalChat::Request() const {
  Json request = fields_;
  request["messages"] = messages_;
  return request;
}

// What is typed meanwhile waits for the next prompt and does not mix with the answer.
Answer TerminalChat::ShowQuietly(finback_stream* stream, const AnswerStyle& style) {
  const QuietTerminal quiet;
  return ShowAnswer(stream, style, progress_);
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
      const Answer answer = ShowQuietly(stream.get(), style);
      TakeInterrupt();
      Count(answer);
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
    const std::string name = StringOf(call.at("function"), "name");
    if (editor_.Read("result of " + name + "> ", &result) != LineEditor::End::kLine) {
      throw Failure(kExitFailure, "no result for " + name + ": the question is withdrawn");
    }
    messages_.push_back(
        {{"role", "tool"}, {"tool_call_id", StringOf(call, "id")}, {"content", result}});
  }
  return true;
}

void TerminalChat::Count(const Answer& answer) {
  speed_ = DescribeSpeed(answer);
  if (verbose_) Note("[" + speed_ + "]");
  prompt_tokens_ += answer.usage.prompt_tokens;
  cached_tokens_ += answer.usage.cached_tokens;
  completion_tokens_ += answer.usage.completion_tokens;
  reasoning_tokens_ += answer.usage.reasoning_tokens;
  const Json service = answer.response.value("service", Json());
  if (!service.is_object()) return;
  const Json cost = service.value("cost_picodollars", Json());
  if (!cost.is_number_integer()) return;
  cost_picodollars_ += cost.get<int64_t>();
  cost_known_ = true;
}

const TerminalChat::Command* TerminalChat::Find(const std::string& name) const {
  // Other programs' spellings, understood without a word.
  const std::string known = name == "/nothink" ? "/no-think" : name == "/exit" ? "/quit" : name;
  for (const Command& command : kCommands) {
    if (known == command.name) return &command;
  }
  return nullptr;
}

void TerminalChat::Obey(const std::string& line) {
  const size_t space = line.find_first_of(" \t\n");
  const std::string name = line.substr(0, space);
  const std::string argument = space == std::string::npos ? "" : Trim(line.substr(space));
  const Command* command = Find(name);
  if (command == nullptr) {
    std::vector<std::string> names;
    for (const Command& known : kCommands) names.push_back(known.name);
    const std::string meant = DidYouMean(name, names);
    throw Failure(kExitUsage, "unknown command " + name,
                  (meant.empty() ? "" : meant + " ") +
                      "/help lists them; a space before the slash sends the line to the model");
  }
  if (*command->argument == '\0' && !argument.empty()) {
    throw Failure(kExitUsage, name + " takes no argument, but there is \"" + argument + "\"",
                  "nothing was changed");
  }
  (this->*command->handler)(argument);
}

void TerminalChat::SetThinking(bool on, const std::string& effort) {
  fields_["thinking"] = {{"type", on ? "enabled" : "disabled"}};
  fields_.erase("reasoning_effort");
  if (!effort.empty()) fields_["reasoning_effort"] = effort;
  Note(std::string("[thinking ") + (on ? "on" : "off") +
       (effort.empty() ? "" : ", effort " + effort) + "]");
}

void TerminalChat::Think(const std::string& how) {
  if (how.empty() || how == "on") return SetThinking(true, "");
  if (how == "off" || how == "none") return SetThinking(false, "");
  const std::vector<std::string> known = {"on", "off", "low", "high", "max"};
  if (std::find(known.begin(), known.end(), how) == known.end()) {
    const std::string meant = DidYouMean(how, known);
    throw Failure(kExitUsage, "/think " + how + ": expected on, off, low, high or max",
                  meant.empty() ? "nothing was changed" : meant);
  }
  SetThinking(true, how);
}

void TerminalChat::NoThink(const std::string&) { SetThinking(false, ""); }

void TerminalChat::Max(const std::string&) { SetThinking(true, "max"); }

void TerminalChat::Usage(const std::string&) {
  if (speed_.empty()) return Note("[nothing was answered yet]");
  Note("last    " + speed_);
  std::string sum = "so far  prompts: " + std::to_string(prompt_tokens_) + " tokens (" +
                    std::to_string(cached_tokens_) +
                    " cached); answers: " + std::to_string(completion_tokens_) + " tokens (" +
                    std::to_string(reasoning_tokens_) + " of reasoning)";
  if (cost_known_) {
    char cost[48];
    std::snprintf(cost, sizeof cost, "; %.6g dollars",
                  static_cast<double>(cost_picodollars_) / 1e12);
    sum += cost;
  }
  Note(sum);
}

void TerminalChat::System(const std::string& text) {
  const bool present = !messages_.empty() && IsSystem(messages_[0]);
  if (text.empty()) {
    return Note(present ? StringOf(messages_[0], "content", "[not a plain text]")
                        : "[no system message]");
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

void TerminalChat::Save(const std::string& path) { Write(path, false); }

void TerminalChat::Overwrite(const std::string& path) { Write(path, true); }

void TerminalChat::Write(const std::string& typed, bool overwrite) {
  if (typed.empty()) throw Failure(kExitUsage, "/save needs a file name");
  const std::string path = Expanded(typed);
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) {
    throw Failure(kExitFailure, path + " is a folder: /save needs a file name");
  }
  // What this conversation has written itself may be written again.
  if (std::filesystem::is_regular_file(status) && !overwrite && path != saved_as_) {
    throw Failure(kExitFailure, path + " exists; nothing was written",
                  "/save! " + typed + " replaces it");
  }
  Json request = Request();
  request.erase("progress");
  const std::string text = request.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  OutputFile file(path);
  file.Write(text.data(), text.size());
  file.Close();
  saved_as_ = path;
  Note("[saved " + std::to_string(messages_.size()) + " messages in " + path + "]");
}

// Throws if the next question could not be asked: nothing is computed or sent for that.
void TerminalChat::CheckRequest(const Json& fields, const Json& messages) const {
  Json request = fields;
  request["messages"] = messages;
  request["messages"].push_back({{"role", "user"}, {"content", "?"}});
  const StreamHandle stream(finback_engine_chat(engine_, DumpJson(request).c_str()));
  if (!stream) throw LibraryFailure();
}

void TerminalChat::Load(const std::string& typed) {
  if (typed.empty()) throw Failure(kExitUsage, "/load needs a file name");
  const std::string path = Expanded(typed);
  Json loaded = ParseJson(ReadFile(path), path);
  if (loaded.is_array()) loaded = Json{{"messages", loaded}};
  if (!loaded.is_object() || !loaded.value("messages", Json()).is_array()) {
    throw Failure(kExitFailure, path + ": not a list of messages, nor an object with one",
                  "/save writes such a file; a Chat Completions request is one too");
  }
  const Json messages = loaded["messages"];
  loaded.erase("messages");
  Json fields = fields_;
  for (const auto& [name, value] : loaded.items()) fields[name] = value;
  fields["progress"] = true;
  try {
    CheckRequest(fields, messages);
  } catch (const Failure& failure) {
    throw Failure(kExitFailure, path + ": " + failure.what(), "the conversation is as it was");
  }
  messages_ = messages;
  fields_ = fields;
  Note("[loaded " + std::to_string(messages_.size()) + " messages; they are not shown again]");
}

void TerminalChat::Help(const std::string&) {
  for (const Command& command : kCommands) {
    const std::string usage = std::string(command.name) + " " + command.argument;
    std::fprintf(stderr, "  %-28s %s\n", usage.c_str(), command.help);
  }
  Note(
      "A line that ends in a backslash goes on in the next; so does text between \"\"\" and \"\"\".");
  Note("Alt-Enter begins a new line, and what is pasted is one text until Enter sends it.");
}
