// The in-process backend: one checkpoint, any number of sessions and sequences
// within one memory budget.
#pragma once

#include <memory>
#include <vector>

#include "core/engine/backend.h"
#include "core/engine/options.h"

namespace finback {

// options.model is a folder. Throws what Model::Open throws,
// and kCancelled by the progress callback.
std::shared_ptr<Backend> OpenLocalBackend(const EngineOptions& options);

std::vector<const char*> LocalIsasCompiled();  // best first
std::vector<const char*> LocalIsasHere();      // of them, what this machine has
const char* LocalIsa();                        // the one this process uses
std::string LocalIsaReason();                  // and why

}  // namespace finback
