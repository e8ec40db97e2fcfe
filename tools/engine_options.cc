#include "tools/engine_options.h"

#include <cstdlib>

#include "tools/failure.h"

void EngineOptions::AddModel(CLI::App* command, ModelArgument argument) {
  if (argument == ModelArgument::kRequiredPositional) {
    command->add_option("MODEL", model_, "Checkpoint folder")->required();
    return;
  }
  CLI::Option* option =
      command->add_option("-m,--model", model_, "Checkpoint folder; krill is the installed one")
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

void EngineOptions::Set(const std::string& name, const std::string& value) {
  more_.emplace_back(name, value);
}

std::string EngineOptions::Model() const {
  if (!model_.empty()) return model_;
  const char* variable = std::getenv("FINBACK_MODEL");
  return variable != nullptr && *variable != '\0' ? variable : "krill";
}

EngineHandle EngineOptions::Open(ProgressLine* progress) const {
  const OptionsHandle options(Checked(finback_options_new()));
  std::vector<std::pair<std::string, std::string>> values = {{"model", Model()},
                                                             {"precision", precision_},
                                                             {"threads", threads_},
                                                             {"context_tokens", context_},
                                                             {"chunk_tokens", chunk_},
                                                             {"memory_budget_bytes", memory_},
                                                             {"effort_ladder", effort_ladder_}};
  values.insert(values.end(), more_.begin(), more_.end());
  for (const auto& [name, value] : values) {
    if (value.empty()) continue;
    if (finback_options_set(options.get(), name.c_str(), value.c_str()) < 0) {
      throw Failure(kExitUsage, finback_last_error());
    }
  }
  Check(finback_options_set_progress(options.get(), ProgressLine::Callback, progress));
  EngineHandle engine(Checked(finback_engine_open(options.get())));
  progress->Clear();
  return engine;
}
