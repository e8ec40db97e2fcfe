#include "core/remote/catalog/known_services.h"

#include "core/base/file_map.h"
#include "core/json/json_writer.h"
#include "core/remote/catalog/provider.h"

namespace finback {
namespace {

void WriteCount(const char* name, int64_t count, JsonWriter* json) {
  json->Key(name);
  count > 0 ? json->Integer(count) : json->Null();
}

void WriteProvider(const Provider& provider, JsonWriter* json) {
  json->BeginObject().Key("name").String(provider.name);
  json->Key("wire_format").String(provider.wire_format);
  json->Key("base_url");
  provider.base_url.empty() ? json->Null() : json->String(provider.base_url);
  json->Key("key_required").Bool(provider.key_required).Key("key_variables").BeginList();
  for (const std::string& name : provider.key_environment) json->String(name);
  json->EndList().EndObject();
}

void WriteModel(const Provider& provider, const std::string& id, const ModelEntry& entry,
                JsonWriter* json) {
  json->BeginObject().Key("model").String(provider.name + ":" + id);
  json->Key("family").String(entry.family);
  WriteCount("context_tokens", entry.context_tokens, json);
  WriteCount("max_output_tokens", entry.max_output_tokens, json);
  json->Key("images").Bool(entry.images).Key("thinking").Bool(entry.thinking);
  json->Key("refused").Bool(entry.refused);
  if (entry.refused) {
    json->Key("instead").String(provider.name + ":" + entry.instead);
    json->Key("reason").String(entry.reason);
  }
  json->EndObject();
}

bool IsId(const ModelEntry& entry) { return entry.pattern.find('*') == std::string::npos; }

// The rows of a service's own that name one id, and what it calls DeepSeek's ids.
void WriteModels(const ProviderTable& table, const Provider& provider, JsonWriter* json) {
  for (const auto& [owner, entry] : table.models()) {
    const bool own = owner == provider.name || owner == provider.models;
    if (own && IsId(entry)) WriteModel(provider, entry.pattern, entry, json);
  }
  for (const auto& [id, here] : provider.ids) {
    const ModelEntry& entry = table.Model(provider, here);
    if (entry.pattern != here) WriteModel(provider, here, entry, json);
  }
}

}  // namespace

std::string KnownServicesJson(const std::string& providers_file) {
  const ProviderTable table = ProviderTable::Load(ReadTableFile(providers_file));
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("services").BeginList();
  for (const Provider& provider : table.providers()) WriteProvider(provider, &json);
  json.EndList().Key("models").BeginList();
  for (const Provider& provider : table.providers()) WriteModels(table, provider, &json);
  json.EndList().EndObject();
  return out;
}

std::string ServiceHint(const std::string& providers_file, std::string_view name) {
  const ProviderTable table = ProviderTable::Load(ReadTableFile(providers_file));
  const std::string text(name);
  if (table.Find(name) != nullptr) {
    return "\"" + text + "\" is a service: name a model there, \"" + text + ":MODEL\"";
  }
  for (const auto& [owner, entry] : table.models()) {
    if (entry.pattern == name && table.Find(owner) != nullptr) {
      return "at a service: \"" + owner + ":" + (entry.refused ? entry.instead : text) + "\"";
    }
  }
  return "";
}

}  // namespace finback
