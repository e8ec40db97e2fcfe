// Exchanges from the files that a Recorder wrote, without a network.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/event.h"
#include "core/remote/transport/http.h"

namespace finback {

// A client that answers from a folder that a Recorder wrote, or from one made by hand, where only
// response.sse is needed. A request gets the first unused exchange whose method, path and body are
// its own. Start throws Error(kInvalidArgument) if none is, saying at which byte the next one
// differs, and Error(kNotFound) if none is left. `chunk_bytes`: how much a Read gives at most; 0:
// all.
std::unique_ptr<HttpClient> OpenReplay(const std::string& folder, size_t chunk_bytes,
                                       std::vector<std::string> secrets = {});

// The events of one exchange; an unfinished last line is left out.
std::vector<Event> ReadEvents(const std::string& folder);

}  // namespace finback
