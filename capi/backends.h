// Which backend serves a model. backends.cc is the only file outside core/ that knows them by name.
#pragma once

#include <memory>
#include <string>

#include "core/engine/backend.h"
#include "core/engine/options.h"

namespace finback {

// Throws kNotFound, kUnsupported, kInvalidArgument, or what opening a checkpoint throws. Sets
// `options->model` to the folder that was opened, if one was.
std::shared_ptr<Backend> OpenBackend(EngineOptions* options);

// What the ledger of the options says; see finback_cost_report().
std::string CostReport(const EngineOptions& options, const char* query_json);

// How fast a model in this process is; see finback_benchmark().
std::string Benchmark(const EngineOptions& options, const char* settings_json);

// What the cache folder of the options holds; see finback_cache().
std::string Cache(const EngineOptions& options, const char* query_json);

// What is known of services without asking; see finback_services().
std::string Services(const EngineOptions& options);

// {"version", "compiler", "isas_compiled", "isas_available", "isa", "isa_reason"}
std::string BuildInfoJson();

}  // namespace finback
