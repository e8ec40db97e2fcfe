// The JSON files of this folder, compiled in. Each has a comment field that says where its figures
// come from and when they were true.
#pragma once

namespace finback {

extern const char kProvidersJson[];  // providers.json
extern const char kModelsJson[];     // models.json

}  // namespace finback
