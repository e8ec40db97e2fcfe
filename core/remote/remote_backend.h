// The backend for models at services: conversations over HTTP, nothing of a model in this process.
#pragma once

#include <memory>

#include "core/engine/backend.h"
#include "core/engine/options.h"

namespace finback {

// Whether these options ask for a service: "provider:model", or an address.
bool AsksForService(const EngineOptions& options);

// Sends nothing yet. Throws Error: kInvalidArgument, kAuthentication, kNotFound, kIo.
std::shared_ptr<Backend> OpenRemoteBackend(const EngineOptions& options);

}  // namespace finback
