#include "tools/engine_options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/failure.h"
#include "tools/nearest.h"
#include "tools/request_options.h"
#include "tools/terminal.h"

void EngineOptions::AddModel(CLI::App* command, ModelArgument argument) {
  if (argument == ModelArgument::kRequiredPositional) {
    model_options_ = {command->add_option("MODEL", model_, "Checkpoint folder, or krill")
                          ->required()
                          ->type_name("")};
    return;
  }
  const bool service = argument == ModelArgument::kServicePositional;
  const char* const help =
      service ? "PROVIDER:MODEL" : "Checkpoint folder, krill, or PROVIDER:MODEL";
  CLI::Option* option = command->add_option("-m,--model", model_, help)->type_name("MODEL");
  model_options_ = {option};
  if (argument == ModelArgument::kOption) return;
  model_options_.push_back(
      command->add_option("MODEL", model_, help)->type_name("")->excludes(option));
}

void EngineOptions::AddMachine(CLI::App* command) {
  command->add_option("--precision", precision_, "published (default), bf16 or float32")
      ->check(OneOf({"published", "bf16", "float32"}))
      ->type_name("MODE");
  command->add_option("--threads", threads_, "Threads; default one per core")->type_name("N");
  command->add_option("--chunk", chunk_, "Tokens computed together while reading the prompt")
      ->type_name("N");
  command->add_option("--memory", memory_, "Bytes that conversations may take; default no limit")
      ->type_name("BYTES");
}

void EngineOptions::AddComputing(CLI::App* command) {
  AddMachine(command);
  command
      ->add_option("--effort-ladder", effort_ladder_,
                   "Which texts of the prompt stand for which effort: auto, preview or 0731")
      ->check(OneOf({"auto", "preview", "0731"}))
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
  AddNamed(command);
}

void EngineOptions::AddNamed(CLI::App* command) {
  command
      ->add_option("--set", named_, "Any option of `finback options` by name; may be given again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

void EngineOptions::AddReporting(CLI::App* command) {
  reporting_ = true;
  AddNamed(command);
}

void EngineOptions::AddVerbose(CLI::App* command) {
  command->add_flag("-v,--verbose", verbose_,
                    "Write the library's log, and behind the answer its speed, to standard error");
}

void EngineOptions::SetDefault(const std::string& name, const std::string& value) {
  defaults_.emplace_back(name, value);
}

void EngineOptions::Set(const std::string& name, const std::string& value) {
  more_.emplace_back(name, value);
}

bool EngineOptions::has_model() const {
  return NamesModel() || std::any_of(named_.begin(), named_.end(), [](const std::string& named) {
           return named.rfind("base_url=", 0) == 0 || named.rfind("model=", 0) == 0;
         });
}

bool EngineOptions::NamesModel() const {
  return std::any_of(model_options_.begin(), model_options_.end(),
                     [](const CLI::Option* option) { return option->count() != 0; });
}

std::string EngineOptions::ModelVariable() {
  const char* variable = std::getenv("FINBACK_MODEL");
  return variable != nullptr ? variable : "";
}

std::string EngineOptions::Model() const {
  if (NamesModel()) {
    if (!model_.empty()) return model_;
    throw Failure(kExitUsage, "the model's name is empty",
                  "name a checkpoint folder, krill or PROVIDER:MODEL, or leave --model out");
  }
  const std::string variable = ModelVariable();
  return variable.empty() ? "krill" : variable;
}

namespace {

std::vector<std::string> OptionNames() {
  std::vector<std::string> names;
  for (size_t i = 0; i < finback_options_count(); ++i) {
    names.push_back(StringOf(LibraryJson(finback_options_describe(i)), "name"));
  }
  return names;
}

void SetOption(finback_options* options, const std::string& name, const std::string& value) {
  if (finback_options_set(options, name.c_str(), value.c_str()) >= 0) return;
  const std::string message = finback_last_error();
  if (finback_last_error_code() == FINBACK_ERROR_NOT_FOUND) {
    const std::string meant = DidYouMean(name, OptionNames());
    throw Failure(kExitUsage, message, meant.empty() ? "`finback options` lists them" : meant);
  }
  throw Failure(kExitUsage, message);
}

}  // namespace

OptionsHandle EngineOptions::Options() const {
  OptionsHandle options(Checked(finback_options_new()));
  SetOption(options.get(), "model", Model());
  for (const auto& [name, value] : defaults_) SetOption(options.get(), name, value);
  const std::pair<const char*, const std::string*> values[] = {{"precision", &precision_},
                                                               {"threads", &threads_},
                                                               {"context_tokens", &context_},
                                                               {"chunk_tokens", &chunk_},
                                                               {"memory_budget_bytes", &memory_},
                                                               {"effort_ladder", &effort_ladder_},
                                                               {"ledger", &ledger_},
                                                               {"budget", &budget_},
                                                               {"record", &record_},
                                                               {"replay", &replay_}};
  for (const auto& [name, value] : values) {
    if (!value->empty()) SetOption(options.get(), name, *value);
  }
  for (const std::string& named : named_) {
    const size_t equals = named.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Failure(kExitUsage, "--set " + named + ": expected NAME=VALUE",
                    "`finback options` lists the names");
    }
    const std::string name = named.substr(0, equals), value = named.substr(equals + 1);
    if (reporting_ && (name == "ledger" || name == "record") && !value.empty()) {
      throw Failure(kExitUsage, "--set " + name + ": this command writes no files",
                    "leave it out; chat and complete keep a ledger and records");
    }
    if (name == "model" && value.empty()) {
      throw Failure(kExitUsage, "--set model=: the model's name is empty");
    }
    SetOption(options.get(), name, value);
  }
  for (const auto& [name, value] : more_) SetOption(options.get(), name, value);
  return options;
}

namespace {

// The name that was probably meant: krill, a provider, or a model that is known there.
std::string NearModel(const std::string& model, const finback_options* options) {
  const TextHandle text(finback_services(options));
  if (!text) return "";
  const Json known = LibraryJson(finback_text_data(text.get()));
  std::vector<std::string> names = {"krill"}, providers;
  for (const Json& row : known.value("models", Json::array())) {
    if (!row.value("refused", false)) names.push_back(StringOf(row, "model"));
  }
  for (const Json& row : known.value("services", Json::array())) {
    providers.push_back(StringOf(row, "name"));
  }
  const size_t colon = model.find(':');
  const std::string provider = colon == std::string::npos ? "" : model.substr(0, colon);
  if (std::find(names.begin(), names.end(), model) != names.end()) return "";
  if (!provider.empty() &&
      std::find(providers.begin(), providers.end(), provider) == providers.end()) {
    const std::string near = Nearest(provider, providers);
    if (!near.empty()) return near + model.substr(colon);
  }
  const std::string near = Nearest(model, names);
  if (!near.empty() || colon != std::string::npos) return near;
  const std::string service = Nearest(model, providers);
  return service.empty() ? "" : service + ":MODEL";
}

// What failed, with the name that was probably meant. `model` may be a list.
Failure WithNearModel(const Failure& failure, const std::string& model,
                      const finback_options* options) {
  std::string meant;
  for (size_t begin = 0; meant.empty() && begin <= model.size();) {
    const size_t end = std::min(model.find(',', begin), model.size());
    meant = NearModel(model.substr(begin, end - begin), options);
    begin = end + 1;
  }
  if (meant.empty() || meant == model) return failure;
  return Failure(failure.exit_code(), failure.what(), "did you mean " + meant + "?");
}

}  // namespace

std::string EngineOptions::DescribeBudget() const {
  const OptionsHandle options = Options();
  const std::string budget = finback_options_get(options.get(), "budget");
  if (budget.empty()) return "";
  const std::string period = finback_options_get(options.get(), "budget_period");
  return "budget " + budget + " dollars (" + (period == "total" ? "in" : "a") + " " + period + ")";
}

EngineHandle EngineOptions::Open(ProgressLine* progress) const {
  const OptionsHandle options = Options();
  Check(finback_options_set_progress(options.get(), ProgressLine::Callback, progress));
  if (verbose_) Check(finback_options_set_log(options.get(), WriteLog, nullptr));
  EngineHandle engine(finback_engine_open(options.get()));
  progress->Clear();
  if (!engine) {
    const finback_status code = finback_last_error_code();
    Failure failure = LibraryFailure();
    const bool named = code == FINBACK_ERROR_NOT_FOUND || code == FINBACK_ERROR_INVALID_ARGUMENT;
    const std::string model = finback_options_get(options.get(), "model");
    // Who did not type the name may not know where it comes from.
    if (named && !NamesModel() && model == ModelVariable()) {
      failure = Failure(failure.exit_code(), std::string("FINBACK_MODEL: ") + failure.what(),
                        failure.hint());
    }
    // A path that was typed is a path; the library says what is wrong with it.
    const bool path = model.find('/') != std::string::npos && model.find(':') == std::string::npos;
    throw named && !path ? WithNearModel(failure, model, options.get()) : failure;
  }
  return engine;
}

void EngineOptions::WriteLog(int32_t, const char* message, void*) {
  std::fprintf(stderr, "finback: %s\n", WithoutControls(message).c_str());
}
