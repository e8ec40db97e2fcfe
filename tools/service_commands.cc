// finback models, balance and cost: what services say of themselves, and what was spent there.
#include <algorithm>
#include <cstdio>
#include <system_error>
#include <vector>

#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/nearest.h"
#include "tools/request_options.h"

namespace {

struct AskOptions {
  EngineOptions engine;
  bool json = false;
};

struct CostOptions {
  EngineOptions engine;
  std::string group = "day", since, until, prices;
  bool reprice = false, json = false;
};

std::string TextOf(const TextHandle& text) {
  return {finback_text_data(text.get()), finback_text_size(text.get())};
}

// A service's answer may be of any shape.
Json ListOf(const Json& object, const char* name) {
  if (!object.is_object()) return Json::array();
  const Json list = object.value(name, Json::array());
  return list.is_array() ? list : Json::array();
}

std::string Amount(const Json& row, const char* name) {
  const Json amount = row.is_object() ? row.value(name, Json()) : Json();
  return amount.is_string() ? amount.get<std::string>() : amount.is_number() ? amount.dump() : "?";
}

// What a command asks and how a person reads it.
struct Question {
  const char *name, *help;
  finback_text* (*ask)(finback_engine*);
  void (*show)(const Json& answer);
};

void ShowModels(const Json& answer) {
  const Json models = answer.is_array() ? answer : ListOf(answer, "data");
  std::vector<std::string> ids;
  for (const Json& model : models) {
    if (model.is_object()) ids.push_back(StringOf(model, "id"));
  }
  std::sort(ids.begin(), ids.end());
  for (const std::string& id : ids) WriteOut(id + "\n");
}

void ShowBalance(const Json& answer) {
  for (const Json& row : ListOf(answer, "balance_infos")) {
    WriteOut(Amount(row, "total_balance") + " " + StringOf(row, "currency") + " (granted " +
             Amount(row, "granted_balance") + ", topped up " + Amount(row, "topped_up_balance") +
             ")\n");
  }
  if (answer.is_object() && answer.value("is_available", Json(true)) == false) {
    WriteOut("not enough to be answered\n");
  }
}

constexpr Question kModels = {"models", "List the models of a service, or those known without one",
                              finback_engine_models, ShowModels};
constexpr Question kBalance = {"balance", "Show the balance at a service", finback_engine_balance,
                               ShowBalance};

void Show(const std::string& answer, bool json, void (*show)(const Json&)) {
  if (json) {
    WriteOut(answer + "\n");
  } else {
    show(LibraryJson(answer));
  }
  FlushOut();
}

int Ask(const Question& question, const AskOptions& options) {
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  Show(TextOf(TextHandle(Checked(question.ask(engine.get())))), options.json, question.show);
  return kExitOk;
}

std::string Tokens(const Json& count) {
  return count.is_number_integer() ? std::to_string(count.get<int64_t>()) : "-";
}

void ShowKnown(const Json& known) {
  char line[512];
  std::snprintf(line, sizeof line, "%-56s %10s %10s\n", "model", "context", "output");
  WriteOut(line);
  for (const Json& model : known.value("models", Json::array())) {
    if (model.value("refused", false)) continue;
    std::snprintf(line, sizeof line, "%-56.256s %10s %10s\n", model.value("model", "").c_str(),
                  Tokens(model.value("context_tokens", Json())).c_str(),
                  Tokens(model.value("max_output_tokens", Json())).c_str());
    WriteOut(line);
  }
  WriteOut("\n");
  std::snprintf(line, sizeof line, "%-20s %-26s %s\n", "service", "key from", "address");
  WriteOut(line);
  for (const Json& service : known.value("services", Json::array())) {
    const Json variables = service.value("key_variables", Json::array());
    const Json address = service.value("base_url", Json());
    std::snprintf(line, sizeof line, "%-20s %-26s %.300s\n", service.value("name", "").c_str(),
                  variables.empty() ? "-" : variables[0].get<std::string>().c_str(),
                  address.is_string() ? address.get<std::string>().c_str() : "--set base_url=URL");
    WriteOut(line);
  }
}

int RunModels(const AskOptions& options) {
  if (options.engine.has_model()) return Ask(kModels, options);
  const OptionsHandle library = options.engine.Options();
  Show(TextOf(TextHandle(Checked(finback_services(library.get())))), options.json, ShowKnown);
  return kExitOk;
}

int RunBalance(const AskOptions& options) { return Ask(kBalance, options); }

std::string Cell(const Json& row, const char* name) {
  const Json value = row.value(name, Json());
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  return "-";
}

void WriteTable(const Json& report) {
  struct Column {
    const char *title, *name;
  };
  constexpr Column kColumns[] = {{"attempts", "attempts"},    {"prompt", "prompt_tokens"},
                                 {"cached", "cached_tokens"}, {"output", "completion_tokens"},
                                 {"unknown", "unknown"},      {"estimated", "estimated"},
                                 {"dollars", "cost"}};
  char line[256];
  std::snprintf(line, sizeof line, "%-28s", report.value("group_by", "").c_str());
  std::string table = line;
  for (const Column& column : kColumns) {
    std::snprintf(line, sizeof line, " %12s", column.title);
    table += line;
  }
  table += "\n";
  for (const Json& row : report.value("rows", Json::array())) {
    std::string group = row.value("group", "");
    if (group.empty()) group = "(none)";
    std::snprintf(line, sizeof line, "%-28.60s", group.c_str());
    table += line;
    for (const Column& column : kColumns) {
      std::snprintf(line, sizeof line, " %12.40s", Cell(row, column.name).c_str());
      table += line;
    }
    table += "\n";
  }
  WriteOut(table);
  if (report.contains("repriced")) {
    const Json& changes = report["repriced"];
    WriteOut("re-priced: " + Cell(changes, "changed") + " of " + Cell(changes, "examined") +
             " changed by " + Cell(changes, "difference") + " dollars, " +
             Cell(changes, "without_price") + " without a price\n");
  }
}

int RunCost(CostOptions options) {
  if (!options.prices.empty()) options.engine.Set("prices_file", options.prices);
  const OptionsHandle library = options.engine.Options();
  Json query = {{"group_by", options.group}, {"reprice", options.reprice}};
  if (!options.since.empty()) query["since"] = options.since;
  if (!options.until.empty()) query["until"] = options.until;
  const std::string report =
      TextOf(TextHandle(Checked(finback_cost_report(library.get(), DumpJson(query).c_str()))));
  Show(report, options.json, WriteTable);
  return kExitOk;
}

void AddAsk(CLI::App* app, Action* action, const Question& question,
            int (*run)(const AskOptions&)) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* command = app->add_subcommand(question.name, question.help);
  options->engine.AddModel(command, ModelArgument::kServicePositional);
  options->engine.AddReporting(command);
  command->add_flag("--json", options->json, "Print the service's answer as it came");
  command->callback([options, run, action] { *action = [options, run] { return run(*options); }; });
}

}  // namespace

void AddServiceCommands(CLI::App* app, Action* action) {
  AddAsk(app, action, kModels, RunModels);
  AddAsk(app, action, kBalance, RunBalance);
  auto options = std::make_shared<CostOptions>();
  CLI::App* command = app->add_subcommand("cost", "Report what was spent at services");
  options->engine.AddLedger(command)->required();
  command
      ->add_option("--by", options->group,
                   "day (default), model, key, user, tag, provider or conversation")
      ->check(OneOf({"day", "model", "key", "user", "tag", "provider", "conversation"}))
      ->type_name("GROUP");
  command->add_option("--since", options->since, "From this day or instant on, UTC: 2026-11-22")
      ->type_name("TIME");
  command->add_option("--until", options->until, "Before this day or instant")->type_name("TIME");
  command->add_flag("--reprice", options->reprice, "Compute finished attempts anew first");
  command->add_option("--prices", options->prices, "Prices to add or change, as a JSON file")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print the report as a JSON object");
  command->callback([options, action] { *action = [options] { return RunCost(*options); }; });
}
