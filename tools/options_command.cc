// finback options: what --set knows.
#include <algorithm>
#include <cstdio>

#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/nearest.h"
#include "tools/request_options.h"

namespace {

struct ListOptions {
  std::string name;
  bool json = false;
};

// What an option may be, as a person reads it.
std::string Values(const Json& option) {
  const std::string type = StringOf(option, "type");
  if (type == "integer") return option["min"].dump() + ".." + option["max"].dump();
  if (type == "switch") return "0, 1";
  if (type != "choice") return "text";
  std::string list;
  for (const Json& choice : option["choices"]) {
    list += (list.empty() ? "" : ", ") + choice.get<std::string>();
  }
  return list;
}

std::string Default(const Json& option) {
  const Json value = option.value("default", Json());
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return text.empty() ? "(none)" : text;
}

std::string TableRow(const std::string& name, const std::string& value, const std::string& doc) {
  char row[128];
  std::snprintf(row, sizeof row, "%-23.60s %-17.40s ", name.c_str(), value.c_str());
  return row + doc + "\n";
}

int RunOptions(const ListOptions& options) {
  Json list = Json::array();
  std::vector<std::string> names;
  for (size_t i = 0; i < finback_options_count(); ++i) {
    list.push_back(LibraryJson(finback_options_describe(i)));
    names.push_back(StringOf(list.back(), "name"));
  }
  if (!options.name.empty()) {
    const auto found = std::find(names.begin(), names.end(), options.name);
    if (found == names.end()) {
      const std::string meant = DidYouMean(options.name, names);
      throw Failure(kExitUsage, "no option named \"" + options.name + "\"",
                    meant.empty() ? "`finback options` lists them" : meant);
    }
    const Json option = list[static_cast<size_t>(found - names.begin())];
    if (options.json) {
      WriteOut(option.dump() + "\n");
    } else {
      WriteOut(options.name + ": " + StringOf(option, "doc") + "\n  values   " + Values(option) +
               "\n  default  " + Default(option) + "\n");
    }
  } else if (options.json) {
    WriteOut(list.dump() + "\n");
  } else {
    std::string table = TableRow("name", "default", "meaning [values]");
    for (const Json& option : list) {
      table += TableRow(StringOf(option, "name"), Default(option),
                        StringOf(option, "doc") + " [" + Values(option) + "]");
    }
    WriteOut(table);
  }
  FlushOut();
  return kExitOk;
}

}  // namespace

void AddOptionsCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command = app->add_subcommand("options", "List the options of --set, or explain one");
  command->footer(
      "They are the library's: --set NAME=VALUE, finback_options_set(), open(NAME=VALUE).");
  command->add_option("NAME", options->name, "The option to explain")->type_name("");
  command->add_flag("--json", options->json, "Print a JSON list, or the object of NAME");
  command->callback([options, action] { *action = [options] { return RunOptions(*options); }; });
}
