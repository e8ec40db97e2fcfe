#include "core/remote/catalog/model_name.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/base/utf8.h"
#include "core/json/json_fields.h"

namespace finback {
namespace {

[[noreturn]] void Refuse(std::string_view name, const std::string& reason) {
  throw Error(Code::kInvalidArgument, "model \"" + Shown(name) + "\": " + reason);
}

bool IsId(std::string_view text) {
  return !text.empty() && FindInvalidUtf8(text) == kValidUtf8 &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

std::string IdAt(const Provider& provider, std::string_view model) {
  for (const auto& [ours, theirs] : provider.ids) {
    if (ours == model) return theirs;
  }
  return std::string(model);
}

}  // namespace

bool NamesService(std::string_view name) {
  const std::string_view first = Trimmed(name.substr(0, name.find(',')));
  const size_t colon = first.find(':');
  return colon != std::string_view::npos && colon > 0 && first.find('/') > colon;
}

ModelTarget ResolveModel(std::string_view name, const ProviderTable& table, RefusedIds refused) {
  const std::string_view whole = Trimmed(name);
  const size_t colon = whole.find(':');
  if (colon == std::string_view::npos) {
    Refuse(whole, "expected PROVIDER:MODEL; providers are " + table.Names());
  }
  ModelTarget target;
  target.provider = table.Find(whole.substr(0, colon));
  if (target.provider == nullptr) {
    Refuse(whole, "unknown provider \"" + Shown(whole.substr(0, colon)) + "\"; known are " +
                      table.Names());
  }
  const std::string_view asked = whole.substr(colon + 1);
  if (!IsId(asked)) Refuse(whole, "no model after the colon");

  target.model = IdAt(*target.provider, asked);
  target.entry = &table.Model(*target.provider, target.model);
  if (!target.entry->refused) return target;

  const ModelEntry& entry = *target.entry;
  std::string advice = entry.reason.empty() ? "the service does not take it" : entry.reason;
  if (!entry.instead.empty()) {
    advice += "; use \"" + entry.instead + "\"";
    if (!entry.instead_with.empty()) advice += " with " + entry.instead_with;
  }
  if (refused == RefusedIds::kRefuse || entry.instead.empty()) Refuse(whole, advice);
  target.model = IdAt(*target.provider, entry.instead);
  target.with = entry.instead_with;
  target.notice =
      "model \"" + Shown(whole) + "\" was replaced by \"" + target.model + "\": " + entry.reason;
  target.entry = &table.Model(*target.provider, target.model);
  if (target.entry->refused) Refuse(whole, advice + ", which is refused as well");
  return target;
}

std::vector<ModelTarget> ResolveModels(std::string_view names, const ProviderTable& table,
                                       RefusedIds refused) {
  std::vector<ModelTarget> chain;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const std::string_view name = Trimmed(names.substr(begin, end - begin));
    if (name.empty()) Refuse(names, "a name is missing");
    ModelTarget target = ResolveModel(name, table, refused);
    for (const ModelTarget& earlier : chain) {
      if (earlier.provider == target.provider && earlier.model == target.model) {
        Refuse(names, "\"" + Shown(name) + "\" is there twice");
      }
    }
    chain.push_back(std::move(target));
    begin = end + 1;
  }
  return chain;
}

}  // namespace finback
