#include "tools/engine_options.h"

#include <algorithm>
#include <cstdlib>

#include "tools/failure.h"

void EngineOptions::AddModel(CLI::App* command, ModelArgument argument) {
  if (argument == ModelArgument::kRequiredPositional) {
    command->add_option("MODEL", model_, "Checkpoint folder")->required();
    return;
  }
  CLI::Option* option =
      command->add_option("-m,--model", model_, "Checkpoint folder, PROVIDER:MODEL, or krill")
          ->type_name("MODEL");
  if (argument == ModelArgument::kPositional) {
    command->add_option("MODEL", model_, "Checkpoint folder")->excludes(option);
  }
}

void EngineOptions::AddComputing(CLI::App* command) {
  command->add_option("--precision", precision_, "published (default), bf16 or float32")
      ->check(CLI::IsMember({"published", "bf16", "float32"}))
      ->type_name("MODE");
  command->add_option("--threads", threads_, "Threads; default one per core")->type_name("N");
  command->add_option("--chunk", chunk_, "Tokens computed together while reading the prompt")
      ->type_name("N");
  command->add_option("--memory", memory_, "Bytes that conversations may take; default no limit")
      ->type_name("BYTES");
  command
      ->add_option("--effort-ladder", effort_ladder_, "How effort is spelled: auto, preview, 0731")
      ->type_name("LADDER");
}

void EngineOptions::AddContext(CLI::App* command) {
  command->add_option("--context", context_, "Tokens that the conversation can hold")
      ->type_name("N");
}

CLI::Option* EngineOptions::AddLedger(CLI::App* command) {
  return command->add_option("--ledger", ledger_, "SQLite file that costs are written to")
      ->type_name("FILE");
}

void EngineOptions::AddService(CLI::App* command) {
  AddLedger(command);
  command->add_option("--budget", budget_, "Most dollars to spend at services")
      ->type_name("DOLLARS");
  command->add_option("--record", record_, "Folder to record exchanges with services in")
      ->type_name("FOLDER");
  command->add_option("--replay", replay_, "Folder of a recorded exchange to answer from")
      ->type_name("FOLDER");
  command->add_option("--set", named_, "Any option of the library by name; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

void EngineOptions::Set(const std::string& name, const std::string& value) {
  more_.emplace_back(name, value);
}

bool EngineOptions::has_model() const {
  return !model_.empty() || std::any_of(named_.begin(), named_.end(), [](const std::string& named) {
    return named.rfind("base_url=", 0) == 0 || named.rfind("model=", 0) == 0;
  });
}

std::string EngineOptions::Model() const {
  if (!model_.empty()) return model_;
  const char* variable = std::getenv("FINBACK_MODEL");
  return variable != nullptr && *variable != '\0' ? variable : "krill";
}

OptionsHandle EngineOptions::Options() const {
  OptionsHandle options(Checked(finback_options_new()));
  std::vector<std::pair<std::string, std::string>> values = {{"model", Model()},
                                                             {"precision", precision_},
                                                             {"threads", threads_},
                                                             {"context_tokens", context_},
                                                             {"chunk_tokens", chunk_},
                                                             {"memory_budget_bytes", memory_},
                                                             {"effort_ladder", effort_ladder_},
                                                             {"ledger", ledger_},
                                                             {"budget", budget_},
                                                             {"record", record_},
                                                             {"replay", replay_}};
  for (const std::string& named : named_) {
    const size_t equals = named.find('=');
    if (equals == std::string::npos) {
      throw Failure(kExitUsage, "--set " + named + ": expected NAME=VALUE");
    }
    values.emplace_back(named.substr(0, equals), named.substr(equals + 1));
  }
  values.insert(values.end(), more_.begin(), more_.end());
  for (const auto& [name, value] : values) {
    if (value.empty()) continue;
    if (finback_options_set(options.get(), name.c_str(), value.c_str()) < 0) {
      throw Failure(kExitUsage, finback_last_error());
    }
  }
  return options;
}

EngineHandle EngineOptions::Open(ProgressLine* progress) const {
  const OptionsHandle options = Options();
  Check(finback_options_set_progress(options.get(), ProgressLine::Callback, progress));
  EngineHandle engine(Checked(finback_engine_open(options.get())));
  progress->Clear();
  return engine;
}
