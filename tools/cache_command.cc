// finback cache: the conversations that are kept on this machine.
#include <cstdio>
#include <ctime>

#include "tools/cache_folder.h"
#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/nearest.h"
#include "tools/progress_line.h"
#include "tools/request_options.h"
#include "tools/text.h"

namespace {

struct CacheOptions {
  std::string action = "list", name, folder;
  bool json = false;
};

std::string Ask(const CacheOptions& options, const Json& query) {
  const std::string folder = options.folder.empty() ? DefaultCacheFolder() : options.folder;
  if (folder.empty()) {
    throw Failure(kExitUsage, "no cache folder: neither XDG_CACHE_HOME nor HOME says where it is",
                  "name one with --folder");
  }
  ProgressLine progress;
  const OptionsHandle library(Checked(finback_options_new()));
  Check(finback_options_set(library.get(), "cache_folder", folder.c_str()));
  Check(finback_options_set_progress(library.get(), ProgressLine::Callback, &progress));
  const TextHandle text(finback_cache(library.get(), DumpJson(query).c_str()));
  progress.Clear();
  Checked(text.get());
  return {finback_text_data(text.get()), finback_text_size(text.get())};
}

std::string Day(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm local;
  char text[32] = "";
  if (localtime_r(&seconds, &local) != nullptr) {
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  }
  return text;
}

std::string FilesAndBytes(const Json& counted) {
  return Grouped(counted.value("files", int64_t{0})) + " files, " +
         ShortBytes(counted.value("bytes", int64_t{0}));
}

void ShowModels(const Json& report) {
  WriteOut(StringOf(report, "folder") + ": " + ShortBytes(report.value("bytes", int64_t{0})) +
           "\n");
  for (const Json& model : report.value("models", Json::array())) {
    char line[192];
    std::snprintf(line, sizeof line, "%-36s %9s %12s tokens %5s points  used %s  ",
                  StringOf(model, "name").c_str(),
                  ShortBytes(model.value("bytes", int64_t{0})).c_str(),
                  Grouped(model.value("tokens", int64_t{0})).c_str(),
                  Grouped(model.value("points", int64_t{0})).c_str(),
                  Day(model.value("last_use_ms", int64_t{0})).c_str());
    WriteOut(line + StringOf(model, "model", "(unknown model)") + "\n");
  }
}

void ShowVerified(const Json& verified) {
  const int64_t removed = verified.value("removed", int64_t{0});
  const int64_t unreadable = verified.value("unreadable", int64_t{0});
  WriteOut("read " + FilesAndBytes(verified) + ": " +
           (removed == 0 ? "none was damaged"
                         : Grouped(removed) + " were damaged, and have been removed") +
           (unreadable == 0 ? "" : "; " + Grouped(unreadable) + " could not be read") + "\n");
}

int RunCache(const CacheOptions& options) {
  Json query = Json::object();
  if (options.action != "clear" && !options.name.empty()) {
    throw Failure(kExitUsage, "--name is for clear alone");
  }
  if (options.action == "verify") query["verify"] = true;
  if (options.action == "clear") query["clear"] = true;
  if (!options.name.empty()) query["clear"] = options.name;
  const std::string answer = Ask(options, query);
  if (options.json) {
    WriteOut(answer + "\n");
    FlushOut();
    return kExitOk;
  }
  const Json report = LibraryJson(answer);
  if (report.contains("cleared")) WriteOut("removed " + FilesAndBytes(report["cleared"]) + "\n");
  if (report.contains("verified")) ShowVerified(report["verified"]);
  ShowModels(report);
  FlushOut();
  return kExitOk;
}

}  // namespace

void AddCacheCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<CacheOptions>();
  CLI::App* command =
      app->add_subcommand("cache", "List, check or throw away the conversations that are kept");
  command->footer(
      "list shows them by model, verify reads all files and removes what is damaged, clear throws\n"
      "them away. finback chat keeps the conversations of a terminal unless --no-cache is given;\n"
      "other programs do with the option cache_folder.");
  command->add_option("ACTION", options->action, "list (default), verify or clear")
      ->check(OneOf({"list", "verify", "clear"}))
      ->type_name("");
  command
      ->add_option("--folder", options->folder,
                   "The cache folder; default finback/conversations in XDG_CACHE_HOME or ~/.cache")
      ->type_name("FOLDER");
  command->add_option("--name", options->name, "Clear this model's alone, as list names it")
      ->type_name("NAME");
  command->add_flag("--json", options->json, "Print a JSON object");
  command->callback([options, action] { *action = [options] { return RunCache(*options); }; });
}
