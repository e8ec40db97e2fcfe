// The backend for models at services: conversations over HTTP, nothing of a model in this process.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/engine/backend.h"
#include "core/engine/options.h"

namespace finback {

// Whether these options ask for a service: "provider:model", or an address.
bool AsksForService(const EngineOptions& options);

// Sends nothing yet. Throws Error: kInvalidArgument, kAuthentication, kNotFound, kIo.
std::shared_ptr<Backend> OpenRemoteBackend(const EngineOptions& options);

// The services and models that are known without asking, those of the option providers_file among
// them; see finback_services().
std::string KnownServicesJson(const ServiceOptions& options);

// For a `name` that is no folder: how a service's model is named, if it is one of those or the name
// of a service; else "".
std::string ServiceHint(const ServiceOptions& options, std::string_view name);

// What the ledger of `options` says, re-priced with their tables if the query asks for it:
// {"group_by": "day", "since": "2026-11-01", "until": .., "reprice": false}, all optional. Throws
// Error(kInvalidRequest) naming the path, and what the ledger throws.
std::string CostReportJson(const ServiceOptions& options, std::string_view query_json);

}  // namespace finback
