#include "capi/backends.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <vector>

#include "core/base/status.h"
#include "core/bench/benchmark.h"
#include "core/json/json_writer.h"
#include "core/local/cache/cache_report.h"
#include "core/local/choices.h"
#include "core/local/isa_limit.h"
#include "core/local/local_backend.h"
#include "core/remote/catalog/known_services.h"
#include "core/remote/money/cost_query.h"
#include "core/remote/remote_backend.h"
#include "finback/finback.h"

#ifndef FINBACK_DATA_DIR
#define FINBACK_DATA_DIR ""
#endif

namespace finback {
namespace {

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Where the models that come with the library may be: beside it, so that a build tree or a moved
// installation finds its own, then where it was configured to be installed.
std::vector<std::string> DataFolders() {
  std::vector<std::string> folders;
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&finback_version), &info) != 0 &&
      info.dli_fname != nullptr) {
    std::string library = info.dli_fname;
    const size_t slash = library.rfind('/');
    if (slash != std::string::npos) {
      library.resize(slash);
      folders.push_back(library + "/../share/finback");
      folders.push_back(library + "/../../share/finback");  // lib/ARCHITECTURE
    }
  }
  if (FINBACK_DATA_DIR[0] != '\0') folders.push_back(FINBACK_DATA_DIR);
  return folders;
}

std::string InstalledModel(const std::string& name) {
  std::string looked;
  for (const std::string& folder : DataFolders()) {
    const std::string path = folder + "/" + name;
    if (IsFolder(path)) return path;
    looked += (looked.empty() ? "" : ", ") + path;
  }
  Throw(Code::kNotFound, "model \"%s\": not installed; looked for %s", name.c_str(),
        looked.empty() ? "nothing" : looked.c_str());
}

std::string ResolveModel(const std::string& model) {
  if (model.empty()) Throw(Code::kInvalidArgument, "option model: is not set");
  if (model == "krill") return InstalledModel(model);
  if (model.rfind("local:", 0) == 0) return model.substr(6);
  return model;
}

}  // namespace

std::shared_ptr<Backend> OpenBackend(EngineOptions* options) {
  options->user_agent = std::string("finback/") + finback_version();
  if (AsksForService(*options) && !IsFolder(options->model)) return OpenRemoteBackend(*options);
  const bool records = !options->service.record.empty();
  if (records || !options->service.replay.empty()) {
    Throw(
        Code::kInvalidArgument,
        "option %s: exchanges with services are recorded and replayed, and the model \"%s\" runs in "
        "this process; leave it out, or name a service",
        records ? "record" : "replay", options->model.c_str());
  }
  options->model = ResolveModel(options->model);
  if (!IsFolder(options->model)) {
    const std::string hint = ServiceHint(options->service.providers_file, options->model);
    if (!hint.empty()) {
      Throw(Code::kNotFound, "no such model folder: %s; %s", options->model.c_str(), hint.c_str());
    }
  }
  return OpenLocalBackend(*options);
}

std::string CostReport(const EngineOptions& options, const char* query_json) {
  return CostReportJson(options.service, query_json);
}

std::string Benchmark(const EngineOptions& options, const char* settings_json) {
  BenchmarkTarget target;
  if (!options.model.empty()) {
    if (AsksForService(options) && !IsFolder(options.model)) {
      Throw(Code::kUnsupported, "model \"%s\": a benchmark measures models in this process",
            options.model.c_str());
    }
    target.model = ResolveModel(options.model);
  }
  CheckIsaLimit();
  target.precision = Chosen(kPrecisions, options.precision);
  target.copied = options.weights == WeightsChoice::kCopied;
  target.threads = options.threads;
  target.chunk_tokens = options.chunk_tokens;
  target.memory_budget_bytes = options.memory_budget_bytes;
  target.progress = options.progress;
  return RunBenchmark(target, settings_json);
}

std::string Cache(const EngineOptions& options, const char* query_json) {
  return CacheReportJson(options, query_json);
}

std::string Services(const EngineOptions& options) {
  return KnownServicesJson(options.service.providers_file);
}

std::string BuildInfoJson() {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("version").String(finback_version()).Key("compiler").String(__VERSION__);
  json.Key("isas_compiled").BeginList();
  for (const char* isa : LocalIsasCompiled()) json.String(isa);
  json.EndList().Key("isas_available").BeginList();
  for (const char* isa : LocalIsasHere()) json.String(isa);
  json.EndList().Key("isa").String(LocalIsa());
  json.Key("isa_reason").String(LocalIsaReason()).EndObject();
  return out;
}

}  // namespace finback
