// The finback command: parses the command line, runs one command,
// maps what happened to an exit code.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/nearest.h"
#include "tools/request_options.h"
#include "tools/terminal.h"
#include "tools/text.h"

namespace {

int PrintVersion(bool json) {
  const std::string text = finback_build_info();
  if (json) {
    WriteOut(text + "\n");
  } else {
    const Json info = LibraryJson(text);
    std::string compiled;
    for (const Json& isa : info.value("isas_compiled", Json::array())) {
      if (!compiled.empty()) compiled += ", ";
      compiled += isa.get<std::string>();
    }
    WriteOut("finback " + std::string(finback_version()) + "\ninstruction set " +
             info.value("isa", "") + ", of " + compiled + ": " + info.value("isa_reason", "") +
             "\n");
  }
  FlushOut();
  return kExitOk;
}

// What is written to standard error is text, whatever was typed or is in a folder's name.
void Complain(const std::string& message, const std::string& hint) {
  const auto shown = [](const std::string& text) { return WithoutControls(ValidUtf8(text)); };
  std::fprintf(stderr, "finback: %s\n", shown(message).c_str());
  if (!hint.empty()) std::fprintf(stderr, "  %s\n", shown(hint).c_str());
}

// The command or option that an unexpected argument was probably meant to be.
std::string MeantBy(const CLI::App& command, const std::string& typed) {
  std::vector<std::string> known;
  if (typed.empty() || typed[0] != '-') {
    for (const CLI::App* other : command.get_subcommands(nullptr)) {
      known.push_back(other->get_name());
    }
    return DidYouMean(typed, known);
  }
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  return DidYouMean(typed.substr(0, typed.find('=')), known);
}

// The parser's words for a value of the wrong kind, which are made for programmers, or others.
std::string WithoutConversions(const CLI::App& command, const std::string& words) {
  for (const CLI::Option* option : command.get_options()) {
    const CLI::ConversionError raw(option->get_name(), option->results());
    if (option->count() == 0 || words != raw.what()) continue;
    const std::string& value = option->results().back();
    char* end = nullptr;
    std::strtod(value.c_str(), &end);
    const char* expected = option->get_expected_max() == 0 ? "takes no value"
                           : *end == '\0'                  ? "must be a whole number"
                                                           : "must be a number";
    return option->get_name() + ": " + expected + ", got \"" + value + "\"";
  }
  return words;
}

// CLI11 has codes of its own for each kind of mistake; ours are success and usage.
int ReportParse(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) {  // --help
    app.exit(error);
    return kExitOk;
  }
  const CLI::App* command = &app;
  for (const CLI::App* chosen : app.get_subcommands()) command = chosen;
  const std::string name = command == &app ? "" : command->get_name() + " ";
  std::string message = WithoutConversions(*command, error.what()),
              hint = "finback " + name + "--help says what is possible";
  const std::vector<std::string> rest = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
    const std::string& first = rest.front();
    const bool option = first.size() > 1 && first[0] == '-';
    message = option            ? "unknown option " + first
              : command == &app ? "unknown command " + first
                                : "unexpected argument " + first;
    std::string meant = MeantBy(*command, first);
    if (!option && command != &app) meant = "put text of several words in quotes";
    if (!meant.empty()) hint = meant + "; " + hint;
  }
  Complain(message, hint);
  return kExitUsage;
}

// An option without a value would be taken as one that was not given.
void RefuseEmptyValues(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    for (const CLI::Option* option : command->get_options()) {
      const bool text = option->check_lname("system") || option->check_lname("suffix") ||
                        option->check_lname("stop");
      if (option->count() == 0 || text || option->get_lnames().empty()) continue;
      for (const std::string& value : option->results()) {
        if (value.empty()) throw Failure(kExitUsage, option->get_name() + ": the value is empty");
      }
    }
  }
}

// A model of this process is refused by the library itself; what opens none is judged here too.
void CheckEnvironment() {
  const char* isa = std::getenv("FINBACK_ISA");
  if (isa == nullptr || *isa == '\0') return;
  std::vector<std::string> known;
  std::string list;
  const Json build = LibraryJson(finback_build_info());
  for (const Json& name : build.at("isas_compiled")) {
    known.push_back(name.get<std::string>());
    list += (list.empty() ? "" : ", ") + known.back();
  }
  if (std::find(known.begin(), known.end(), isa) != known.end()) return;
  throw Failure(kExitUsage, "FINBACK_ISA=" + std::string(isa) + ": this library has " + list,
                DidYouMean(isa, known));
}

// The parser's arguments, which it wants from the last to the first. Left to itself it takes what
// follows `--model=` as the value, so that an unset variable would eat the question.
std::vector<std::string> Arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  bool options = true;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    options = options && argument != "--";
    const bool empty = options && argument.size() > 3 && argument.compare(0, 2, "--") == 0 &&
                       argument.find('=') == argument.size() - 1;
    arguments.push_back(empty ? argument.substr(0, argument.size() - 1) : argument);
    if (empty) arguments.emplace_back();
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

int Run(int argc, char** argv) {
  CLI::App app("DeepSeek-V4 in your process, or at a service: chat, inspect and verify models.",
               "finback");
  app.get_formatter()->column_width(34);
  bool version = false, json = false;
  app.add_flag("--version", version, "Print the version and the instruction set in use");
  app.add_flag("--json", json, "With --version: as JSON");
  app.require_subcommand(0, 1);
  Action action;
  AddChatCommand(&app, &action);
  AddCompleteCommand(&app, &action);
  AddEncodeCommand(&app, &action);
  AddParseCommand(&app, &action);
  AddTokenizeCommand(&app, &action);
  AddInspectCommand(&app, &action);
  AddVerifyCommand(&app, &action);
  AddLogitsCommand(&app, &action);
  AddBenchCommand(&app, &action);
  AddServiceCommands(&app, &action);
  AddCacheCommand(&app, &action);
  AddOptionsCommand(&app, &action);
  try {
    app.parse(Arguments(argc, argv));
  } catch (const CLI::ParseError& error) {
    return ReportParse(app, error);
  }
  CheckEnvironment();
  RefuseEmptyValues(app);
  if (json && !version) throw Failure(kExitUsage, "--json belongs behind the command");
  if (version) return PrintVersion(json);
  if (!action) {
    std::fputs(app.help().c_str(), stderr);
    return kExitUsage;
  }
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  GuardStandardDescriptors();
  try {
    return Run(argc, argv);
  } catch (const Failure& failure) {
    if (*failure.what() != '\0') Complain(failure.what(), failure.hint());
    return failure.exit_code();
  } catch (const std::bad_alloc&) {
    std::fputs("finback: out of memory\n", stderr);
  } catch (const std::exception& error) {
    Complain(error.what(), "");
  }
  return kExitFailure;
}
