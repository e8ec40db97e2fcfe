// All that a cache holds, by names, and what of it goes when it is too much.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/local/cache/cache_file.h"
#include "core/local/cache/directory.h"

namespace finback::cache {

// The directory of a model, below the cache's.
std::string ModelDirectory(const Key& model);

struct Item {
  size_t model = 0;  // index of Inventory::models
  FileName name;
  uint64_t bytes = 0;
  int64_t used_ns = 0;
};

struct Inventory {
  std::vector<std::string> models;  // names of directories
  std::vector<Item> items;
  uint64_t bytes = 0;
};

// Removes what nobody can use: what was left half written, what is no file, and directories of
// older formats.
Inventory TakeInventory(const Directory& top);

// What has to go so that the rest takes at most so many bytes and files: what was used least
// recently, and nothing before what builds on it.
std::vector<Item> ChooseLeaving(const Inventory& inventory, uint64_t most_bytes, size_t most_files);

// Removes them, and directories that become empty.
void Remove(const Directory& top, const Inventory& inventory, const std::vector<Item>& items);

}  // namespace finback::cache
