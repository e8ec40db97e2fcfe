// finback models, balance and cost: what services say of themselves, and what was spent there.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
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

int RunModels(const AskOptions& options) {
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const std::string answer = TextOf(TextHandle(Checked(finback_engine_models(engine.get()))));
  if (options.json) {
    WriteOut(answer + "\n");
  } else {
    const Json list = ParseJson(answer, "the service's answer");
    const Json models = list.is_array() ? list : list.value("data", Json::array());
    std::vector<std::string> ids;
    for (const Json& model : models) {
      if (model.is_object()) ids.push_back(model.value("id", ""));
    }
    std::sort(ids.begin(), ids.end());
    for (const std::string& id : ids) WriteOut(id + "\n");
  }
  FlushOut();
  return kExitOk;
}

int RunBalance(const AskOptions& options) {
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const std::string answer = TextOf(TextHandle(Checked(finback_engine_balance(engine.get()))));
  if (options.json) {
    WriteOut(answer + "\n");
  } else {
    const Json balance = ParseJson(answer, "the service's answer");
    for (const Json& row : balance.value("balance_infos", Json::array())) {
      WriteOut(row.value("total_balance", "?") + " " + row.value("currency", "") + " (granted " +
               row.value("granted_balance", "?") + ", topped up " +
               row.value("topped_up_balance", "?") + ")\n");
    }
    if (!balance.value("is_available", true)) WriteOut("not enough to be answered\n");
  }
  FlushOut();
  return kExitOk;
}

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
  if (options.json) {
    WriteOut(report + "\n");
  } else {
    WriteTable(ParseJson(report, "the report"));
  }
  FlushOut();
  return kExitOk;
}

void AddAsk(CLI::App* app, Action* action, const char* name, const char* help,
            int (*run)(const AskOptions&)) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* command = app->add_subcommand(name, help);
  options->engine.AddModel(command, ModelArgument::kPositional);
  options->engine.AddService(command);
  command->add_flag("--json", options->json, "Print the service's answer as it came");
  command->callback([options, run, action] { *action = [options, run] { return run(*options); }; });
}

}  // namespace

void AddServiceCommands(CLI::App* app, Action* action) {
  AddAsk(app, action, "models", "List the models of a service", RunModels);
  AddAsk(app, action, "balance", "Show the balance at a service", RunBalance);
  auto options = std::make_shared<CostOptions>();
  CLI::App* command = app->add_subcommand("cost", "Report what was spent at services");
  options->engine.AddLedger(command)->required();
  command
      ->add_option("--by", options->group,
                   "day (default), model, key, user, tag, provider or conversation")
      ->check(CLI::IsMember({"day", "model", "key", "user", "tag", "provider", "conversation"}))
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
