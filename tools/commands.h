// Each command adds itself to the parser and leaves what to do,
// once the command line is understood.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

using Action = std::function<int()>;  // returns the exit code

void AddChatCommand(CLI::App* app, Action* action);
void AddCompleteCommand(CLI::App* app, Action* action);
void AddEncodeCommand(CLI::App* app, Action* action);
void AddParseCommand(CLI::App* app, Action* action);
void AddTokenizeCommand(CLI::App* app, Action* action);
void AddInspectCommand(CLI::App* app, Action* action);
void AddVerifyCommand(CLI::App* app, Action* action);
void AddLogitsCommand(CLI::App* app, Action* action);
void AddBenchCommand(CLI::App* app, Action* action);
void AddCacheCommand(CLI::App* app, Action* action);
void AddOptionsCommand(CLI::App* app, Action* action);
void AddServiceCommands(CLI::App* app, Action* action);  // models, balance, cost
