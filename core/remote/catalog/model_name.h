// Names of models at services: "deepseek:deepseek-v4-pro". Several, separated by commas, are a
// fallback chain, first choice first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/remote/catalog/provider.h"

namespace finback {

// A model at a service. The pointers are the table's, which must outlive it.
struct ModelTarget {
  const Provider* provider = nullptr;
  const ModelEntry* entry = nullptr;
  std::string model;   // as the service calls it
  std::string with;    // request fields that go with a translated name: a JSON object, or ""
  std::string notice;  // what was translated and why, for the caller; ""
};

// What to do with ids that the service has retired or never had.
enum class RefusedIds : uint8_t { kRefuse, kTranslate };

// Whether `name` is of the form "provider:model", as no path that begins with a folder is.
bool NamesService(std::string_view name);

// One name. Throws Error(kInvalidArgument) that lists the known providers, or says what to use
// instead of a refused id.
ModelTarget ResolveModel(std::string_view name, const ProviderTable& table, RefusedIds refused);

// A chain; also refuses empty parts and repeated targets.
std::vector<ModelTarget> ResolveModels(std::string_view names, const ProviderTable& table,
                                       RefusedIds refused);

}  // namespace finback
