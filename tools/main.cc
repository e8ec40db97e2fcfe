// The finback command: parses the command line, runs one command,
// maps what happened to an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>

#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/request_options.h"

namespace {

int PrintVersion(bool json) {
  const std::string text = finback_build_info();
  if (json) {
    WriteOut(text + "\n");
  } else {
    const Json info = ParseJson(text, "the build information");
    std::string compiled;
    for (const Json& isa : info.value("isas_compiled", Json::array())) {
      if (!compiled.empty()) compiled += ", ";
      compiled += isa.get<std::string>();
    }
    WriteOut("finback " + std::string(finback_version()) + "\ninstruction set " +
             info.value("isa", "") + ", of " + compiled + "\n");
  }
  FlushOut();
  return kExitOk;
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
  std::fprintf(stderr, "finback: %s\n", error.what());
  std::fprintf(stderr, "  finback %s--help says what is possible\n", name.c_str());
  return kExitUsage;
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
  AddServiceCommands(&app, &action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportParse(app, error);
  }
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
    if (*failure.what() != '\0') std::fprintf(stderr, "finback: %s\n", failure.what());
    if (!failure.hint().empty()) std::fprintf(stderr, "  %s\n", failure.hint().c_str());
    return failure.exit_code();
  } catch (const std::bad_alloc&) {
    std::fputs("finback: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "finback: %s\n", error.what());
  }
  return kExitFailure;
}
