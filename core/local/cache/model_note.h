// A record in a model's directory that says which model it is of, for people.
#pragma once

#include <string>

#include "core/local/cache/cache_key.h"
#include "core/local/cache/directory.h"

namespace finback::cache {

// Unless it is there.
void WriteModelNote(const Directory& ours, const Key& model, const std::string& folder);
// The model's folder; "" where nothing says it.
std::string ReadModelNote(const Directory& top, const std::string& name);

}  // namespace finback::cache
