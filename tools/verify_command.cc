// finback verify: every tensor's contents, totals, and perhaps the files' hashes.
#include "tools/commands.h"
#include "tools/engine_options.h"
#include "tools/failure.h"
#include "tools/files.h"
#include "tools/request_options.h"

namespace {

struct VerifyOptions {
  EngineOptions engine;
  std::string sha256;
};

int RunVerify(const VerifyOptions& options) {
  std::string list;
  if (!options.sha256.empty()) list = ReadFile(options.sha256);
  ProgressLine progress;
  const EngineHandle engine = options.engine.Open(&progress);
  const char* hashes = options.sha256.empty() ? nullptr : list.c_str();
  const finback_status status = finback_engine_verify(engine.get(), hashes);
  progress.Clear();
  Check(status);
  const Json info = LibraryJson(finback_engine_info(engine.get()));
  const Json tensors = info.value("tensors", Json::object());
  WriteOut("ok: " + std::to_string(tensors.value("count", int64_t{0})) + " tensors, " +
           std::to_string(tensors.value("bytes", int64_t{0})) + " bytes" +
           (options.sha256.empty() ? "" : ", SHA-256 of every shard") + "\n");
  FlushOut();
  return kExitOk;
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Action* action) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app->add_subcommand("verify", "Check a checkpoint down to the last weight");
  command->footer("Reads the whole checkpoint. Exit code 1 and the first fault found, if any.");
  options->engine.AddModel(command, ModelArgument::kPositional);
  command->add_option("--sha256", options->sha256, "A sha256sum list that the shards must match")
      ->type_name("FILE");
  options->engine.AddReporting(command);
  command->callback([options, action] { *action = [options] { return RunVerify(*options); }; });
}
