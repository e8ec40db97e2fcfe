// The options that say which model to open and how, and the opening.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/handles.h"
#include "tools/progress_line.h"

enum class ModelArgument { kOption, kPositional, kRequiredPositional };

class EngineOptions {
 public:
  // Adds --model (and a positional MODEL, where asked for) and the options of computation.
  void AddModel(CLI::App* command, ModelArgument argument);
  void AddComputing(CLI::App* command);
  void AddContext(CLI::App* command);

  // Adds what concerns services; AddLedger is a part of it.
  void AddService(CLI::App* command);
  CLI::Option* AddLedger(CLI::App* command);

  // Sets an option of the library by name, over what the command line says.
  void Set(const std::string& name, const std::string& value);

  // The library's options, as the command line says.
  OptionsHandle Options() const;

  // Opens the engine; `progress` must outlive it.
  EngineHandle Open(ProgressLine* progress) const;

  // Whether the command line itself names a model or a service.
  bool has_model() const;
  bool has_context() const { return !context_.empty(); }

 private:
  // What was named, else FINBACK_MODEL, else krill, which the library finds.
  std::string Model() const;

  std::string model_, precision_, threads_, context_, chunk_, memory_, effort_ladder_;
  std::string ledger_, budget_, record_, replay_;
  std::vector<std::string> named_;  // NAME=VALUE
  std::vector<std::pair<std::string, std::string>> more_;
};
