#include "core/local/cache/inventory.h"

#include <errno.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <unordered_map>

#include "core/base/status.h"

namespace finback::cache {
namespace {

// No directory is looked at further than this.
constexpr size_t kMostNames = 1u << 20;

// The version of a model's directory, 0 for what is none.
uint32_t DirectoryVersion(const std::string& name) {
  const size_t dash = name.find('-');
  if (name[0] != 'v' || dash == std::string::npos || dash > 9) return 0;
  if (name.size() != dash + 1 + kNameDigits) return 0;
  return static_cast<uint32_t>(strtoul(name.c_str() + 1, nullptr, 10));
}

std::vector<std::string> Names(const Directory& directory) {
  std::vector<std::string> names;
  directory.List([&](const char* name) {
    names.push_back(name);
    return names.size() < kMostNames;
  });
  return names;
}

void RemoveWhole(const Directory& top, const std::string& name) {
  int error;
  const Directory directory = top.Enter(name, false, &error);
  if (!directory.open()) return;
  for (const std::string& file : Names(directory)) directory.Remove(file);
  top.RemoveDirectory(name);
}

void AddFiles(const Directory& directory, Inventory* inventory) {
  for (const std::string& text : Names(directory)) {
    if (Directory::IsTemporary(text)) directory.RemoveIfAbandoned(text);
    std::optional<FileName> name = ParseName(text);
    Directory::Status status;
    if (!name || !directory.Look(text, &status)) continue;
    if (!status.regular) {
      directory.Remove(text);
      continue;
    }
    inventory->items.push_back(
        {inventory->models.size() - 1, std::move(*name), status.bytes, status.used_ns});
    inventory->bytes += status.bytes;
  }
}

// As late as the latest of what builds on it.
std::vector<int64_t> UsesWithDescendants(const std::vector<Item>& items) {
  std::unordered_map<std::string, size_t> steps;
  const auto key = [](size_t model, const std::string& name) {
    return std::to_string(model) + name;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].name.kind == Kind::kStep) steps[key(items[i].model, items[i].name.key)] = i;
  }
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return items[a].used_ns > items[b].used_ns; });
  std::vector<int64_t> uses(items.size(), INT64_MIN);
  for (const size_t latest : order) {
    for (size_t i = latest; uses[i] < items[latest].used_ns;) {
      uses[i] = items[latest].used_ns;
      const auto parent = steps.find(key(items[i].model, items[i].name.parent));
      if (items[i].name.kind == Kind::kRecord || parent == steps.end()) break;
      i = parent->second;
    }
  }
  return uses;
}

}  // namespace

std::string ModelDirectory(const Key& model) {
  return Format("v%u-%s", kFormatVersion, NameOf(model).c_str());
}

Inventory TakeInventory(const Directory& top) {
  Inventory inventory;
  for (const std::string& name : Names(top)) {
    const uint32_t version = DirectoryVersion(name);
    if (version != 0 && version < kFormatVersion) RemoveWhole(top, name);
    if (version != kFormatVersion) continue;
    int error;
    const Directory directory = top.Enter(name, false, &error);
    if (!directory.open()) continue;
    inventory.models.push_back(name);
    AddFiles(directory, &inventory);
  }
  return inventory;
}

std::vector<Item> ChooseLeaving(const Inventory& inventory, uint64_t most_bytes,
                                size_t most_files) {
  const std::vector<Item>& items = inventory.items;
  std::vector<Item> leaving;
  if (inventory.bytes <= most_bytes && items.size() <= most_files) return leaving;
  const std::vector<int64_t> uses = UsesWithDescendants(items);
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // Of one use the longer first, and a point before the step that it stands behind.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(uses[a], items[b].name.position, items[b].name.kind) <
           std::tuple(uses[b], items[a].name.position, items[a].name.kind);
  });
  uint64_t bytes = inventory.bytes;
  for (const size_t i : order) {
    if (bytes <= most_bytes && items.size() - leaving.size() <= most_files) break;
    bytes -= items[i].bytes;
    leaving.push_back(items[i]);
  }
  return leaving;
}

void Remove(const Directory& top, const Inventory& inventory, const std::vector<Item>& items) {
  std::vector<std::vector<const Item*>> by_model(inventory.models.size());
  for (const Item& item : items) by_model[item.model].push_back(&item);
  for (size_t i = 0; i < by_model.size(); ++i) {
    if (by_model[i].empty()) continue;
    int error;
    const Directory directory = top.Enter(inventory.models[i], false, &error);
    if (!directory.open()) continue;
    for (const Item* item : by_model[i]) directory.Remove(item->name.Text());
    top.RemoveDirectory(inventory.models[i]);  // unless there is something in it
  }
}

}  // namespace finback::cache
