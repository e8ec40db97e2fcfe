// The options that say which model to open and how, and the opening.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/handles.h"
#include "tools/progress_line.h"

// kServicePositional: as kPositional, of a command that asks services alone.
enum class ModelArgument { kOption, kPositional, kServicePositional, kRequiredPositional };

class EngineOptions {
 public:
  // Adds --model (and a positional MODEL, where asked for) and the options of computation.
  void AddModel(CLI::App* command, ModelArgument argument);
  void AddComputing(CLI::App* command);
  void AddMachine(CLI::App* command);  // the part of it that changes no prompt
  void AddContext(CLI::App* command);

  // Adds what concerns services; AddLedger and AddNamed are parts of it.
  void AddService(CLI::App* command);
  CLI::Option* AddLedger(CLI::App* command);
  void AddNamed(CLI::App* command);

  // AddNamed for a command that reports and therefore writes no ledger and no record.
  void AddReporting(CLI::App* command);

  // Adds --verbose: opens with the library's log on standard error.
  void AddVerbose(CLI::App* command);
  bool verbose() const { return verbose_; }

  // Sets an option of the library by name: unless the command line does, or over what it says.
  void SetDefault(const std::string& name, const std::string& value);
  void Set(const std::string& name, const std::string& value);

  // The library's options, as the command line says.
  OptionsHandle Options() const;

  // Opens the engine; `progress` must outlive it.
  EngineHandle Open(ProgressLine* progress) const;

  // FINBACK_MODEL; "" if it is unset or empty.
  static std::string ModelVariable();

  // Whether the command line itself names a model or a service.
  bool has_model() const;
  // Whether it has any option that AddModel or AddNamed added.
  bool has_any() const { return NamesModel() || !named_.empty(); }
  // "budget 0.05 dollars (in total)", or "" without one.
  std::string DescribeBudget() const;
  const std::string& ledger() const { return ledger_; }
  bool has_context() const { return !context_.empty(); }

 private:
  static void WriteLog(int32_t level, const char* message, void*);
  bool NamesModel() const;

  // What was named, else FINBACK_MODEL, else krill, which the library finds.
  std::string Model() const;

  std::string model_, precision_, threads_, context_, chunk_, memory_, effort_ladder_;
  std::string ledger_, budget_, record_, replay_;
  std::vector<std::string> named_;  // NAME=VALUE
  std::vector<CLI::Option*> model_options_;
  bool reporting_ = false, verbose_ = false;
  std::vector<std::pair<std::string, std::string>> defaults_, more_;
};
