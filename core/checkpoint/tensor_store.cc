#include "core/checkpoint/tensor_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <numeric>

#include "core/base/status.h"
#include "core/checkpoint/tensor_names.h"

namespace finback {
namespace {

constexpr std::string_view kDraftPrefix = "mtp.";

struct Named {
  std::string_view name;
  const SafetensorsEntry* entry;
  uint32_t file;
};

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

// The index's entries, by name, with shard numbers that follow the sorted shard names.
std::vector<ShardIndex::Entry> SortIndex(ShardIndex* index, const std::string& path) {
  std::vector<uint32_t> order(index->shards.size()), place(index->shards.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [index](uint32_t a, uint32_t b) { return index->shards[a] < index->shards[b]; });
  std::vector<std::string> shards;
  for (size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = static_cast<uint32_t>(i);
    shards.push_back(std::move(index->shards[order[i]]));
  }
  index->shards = std::move(shards);
  std::vector<ShardIndex::Entry> entries = std::move(index->entries);
  for (ShardIndex::Entry& entry : entries) entry.shard = place[entry.shard];
  const auto before = [](const ShardIndex::Entry& a, const ShardIndex::Entry& b) {
    return a.name < b.name;
  };
  if (!std::is_sorted(entries.begin(), entries.end(), before)) {
    std::sort(entries.begin(), entries.end(), before);
  }
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].name == entries[i - 1].name) {
      Throw(Code::kCheckpoint, "%s: weight_map: tensor %s: found twice, expected once",
            path.c_str(), QuoteForMessage(entries[i].name).c_str());
    }
  }
  return entries;
}

void MapShards(TensorStore* store, std::span<const uint8_t> memory = {}) {
  store->maps.reserve(store->files.size());
  store->headers.reserve(store->files.size());
  for (const std::string& file : store->files) {
    store->maps.push_back(memory.empty() ? FileMap(file) : FileMap(file, memory));
    store->headers.push_back(ParseSafetensorsFile(store->maps.back().bytes(), file));
  }
}

void CopyShards(const CopyProgress& progress, TensorStore* store) {
  uint64_t total = 0, before = 0;
  for (const FileMap& map : store->maps) total += map.bytes().size();
  progress(0, total);
  for (FileMap& map : store->maps) {
    map.CopyIntoMemory([&](uint64_t done) { progress(before + done, total); });
    before += map.bytes().size();
  }
}

// Every tensor of every shard, by name; a name met twice is an error.
std::vector<Named> CollectNames(const TensorStore& store) {
  std::vector<Named> names;
  size_t count = 0;
  for (const SafetensorsHeader& header : store.headers) count += header.entries.size();
  names.reserve(count);
  for (uint32_t file = 0; file < store.headers.size(); ++file) {
    for (const SafetensorsEntry& entry : store.headers[file].entries) {
      names.push_back({entry.name, &entry, file});
    }
  }
  return names;
}

void SortNames(const TensorStore& store, std::vector<Named>* names) {
  std::sort(names->begin(), names->end(), [](const Named& a, const Named& b) {
    return a.name != b.name ? a.name < b.name : a.file < b.file;
  });
  for (size_t i = 1; i < names->size(); ++i) {
    const Named &a = (*names)[i - 1], &b = (*names)[i];
    if (a.name != b.name) continue;
    Throw(Code::kCheckpoint, "%s: tensor %s: found a second time (first in %s), expected once",
          store.files[b.file].c_str(), QuoteForMessage(b.name).c_str(),
          store.files[a.file].c_str());
  }
}

void CompareWithIndex(const TensorStore& store, const std::vector<ShardIndex::Entry>& index,
                      const std::vector<Named>& names) {
  size_t i = 0, n = 0;
  while (i < index.size() || n < names.size()) {
    if (n == names.size() || (i < index.size() && index[i].name < names[n].name)) {
      Throw(Code::kCheckpoint, "%s: tensor %s: not found, expected because of %s",
            store.files[index[i].shard].c_str(), QuoteForMessage(index[i].name).c_str(),
            store.origin.c_str());
    }
    if (i == index.size() || names[n].name < index[i].name) {
      Throw(Code::kCheckpoint,
            "%s: tensor %s: found, expected an entry for it in the weight_map of %s",
            store.files[names[n].file].c_str(), QuoteForMessage(names[n].name).c_str(),
            store.origin.c_str());
    }
    if (index[i].shard != names[n].file) {
      Throw(Code::kCheckpoint, "%s: tensor %s: found in %s, expected in %s", store.origin.c_str(),
            QuoteForMessage(index[i].name).c_str(), store.files[names[n].file].c_str(),
            store.files[index[i].shard].c_str());
    }
    ++i;
    ++n;
  }
}

// Other tools' spellings become the published ones.
void CorrectSpelling(TensorStore* store, std::vector<Named>* names) {
  for (Named& named : *names) {
    std::string published = PublishedName(named.name);
    if (published == named.name) continue;
    store->renamed.push_back(std::move(published));
    named.name = store->renamed.back();
  }
}

// Tensors that hold a whole layer's experts become one per expert and matrix, as published.
void SplitFusedExperts(const Config& config, TensorStore* store, std::vector<Named>* names) {
  std::vector<Named> split;
  std::erase_if(*names, [&](const Named& named) {
    const FusedName fused = ParseFusedName(named.name);
    if (fused.kind == FusedExperts::kNone) return false;
    const SafetensorsEntry& whole = *named.entry;
    const int64_t halves = fused.kind == FusedExperts::kGateUp ? 2 : 1;
    const int64_t pieces = config.experts * halves;
    const uint64_t bytes = (whole.end - whole.begin) / static_cast<uint64_t>(pieces);
    if (whole.rank != 3 || whole.shape[0] != config.experts || whole.shape[1] % halves != 0 ||
        bytes == 0) {
      Throw(Code::kCheckpoint, "%s: tensor %s: shape: found %s, expected [%d, %s, columns]",
            store->files[named.file].c_str(), QuoteForMessage(named.name).c_str(),
            ShapeText(whole.shape, whole.rank).c_str(), config.experts,
            halves == 2 ? "an even number of rows" : "rows");
    }
    constexpr const char* kMatrices[2][2] = {{"w2", nullptr}, {"w1", "w3"}};
    for (int64_t piece = 0; piece < pieces; ++piece) {
      SafetensorsEntry part = whole;
      part.rank = 2;
      part.shape[0] = whole.shape[1] / halves;
      part.shape[1] = whole.shape[2];
      part.shape[2] = 0;
      part.begin = whole.begin + static_cast<uint64_t>(piece) * bytes;
      part.end = part.begin + bytes;
      store->renamed.push_back(fused.Part(piece / halves, kMatrices[halves - 1][piece % halves]));
      part.name = store->renamed.back();
      store->parts.push_back(part);
      split.push_back({part.name, &store->parts.back(), named.file});
    }
    return true;
  });
  names->insert(names->end(), split.begin(), split.end());
}

enum class Draft : uint8_t { kNone, kOurs, kSkipped, kForeign };

// What an mtp.* name belongs to: one of our `drafts` blocks, a copy of shared tensors that nobody
// reads, or a draft module of another design (0731's DSpark).
Draft Classify(std::string_view name, int32_t drafts) {
  if (!name.starts_with(kDraftPrefix)) return Draft::kNone;
  name.remove_prefix(kDraftPrefix.size());
  int32_t block = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), block);
  const size_t digits = static_cast<size_t>(end - name.data());
  if (error != std::errc() || digits >= name.size() || name[digits] != '.') return Draft::kOurs;
  name.remove_prefix(digits + 1);
  if (block >= drafts) return Draft::kForeign;
  for (const std::string_view other : {"main_proj", "main_norm", "markov_"}) {
    if (name.starts_with(other)) return Draft::kForeign;
  }
  return name.starts_with("emb") || name == "head.weight" ? Draft::kSkipped : Draft::kOurs;
}

FoundDrafts LeaveOutDrafts(int32_t drafts, std::vector<Named>* names) {
  bool foreign = false, ours = false;
  for (const Named& named : *names) {
    const Draft draft = Classify(named.name, drafts);
    foreign |= draft == Draft::kForeign;
    ours |= draft == Draft::kOurs;
  }
  const bool all = foreign || drafts == 0;
  std::erase_if(*names, [&](const Named& named) {
    const Draft draft = Classify(named.name, drafts);
    return draft == Draft::kSkipped || (draft != Draft::kNone && all);
  });
  return foreign ? FoundDrafts::kForeign : ours ? FoundDrafts::kOurs : FoundDrafts::kNone;
}

}  // namespace

size_t TensorStore::LowerBound(std::string_view name) const {
  const auto found =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const Tensor& a, std::string_view b) { return a.name < b; });
  return static_cast<size_t>(found - tensors.begin());
}

size_t TensorStore::Find(std::string_view name) const {
  const size_t at = LowerBound(name);
  return at < tensors.size() && tensors[at].name == name ? at : kNotFound;
}

std::string TensorStore::Where(size_t tensor) const {
  return files[tensors[tensor].file] + ": tensor " + QuoteForMessage(tensors[tensor].name);
}

FoundDrafts OpenTensorStore(const std::string& folder, const Config& config, const WeightsIn& in,
                            TensorStore* store) {
  const std::string index_path = folder + "/model.safetensors.index.json";
  const std::string single_path = folder + "/model.safetensors";
  std::vector<Named> names;
  if (in.memory.empty() && Exists(index_path)) {
    store->origin = index_path;
    const FileMap map(index_path);
    if (map.bytes().size() > kSafetensorsMaxHeaderBytes) {
      Throw(Code::kCheckpoint, "%s: found %zu bytes, expected at most %zu", index_path.c_str(),
            map.bytes().size(), static_cast<size_t>(kSafetensorsMaxHeaderBytes));
    }
    ShardIndex index = ParseShardIndex(
        {reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()}, index_path);
    const std::vector<ShardIndex::Entry> entries = SortIndex(&index, index_path);
    for (const std::string& shard : index.shards) store->files.push_back(folder + "/" + shard);
    MapShards(store);
    names = CollectNames(*store);
    SortNames(*store, &names);
    CompareWithIndex(*store, entries, names);
  } else if (!in.memory.empty() || Exists(single_path)) {
    store->origin = single_path;
    store->files.push_back(single_path);
    MapShards(store, in.memory);
    names = CollectNames(*store);
    SortNames(*store, &names);
  } else {
    Throw(Code::kNotFound, "%s: found neither model.safetensors.index.json nor model.safetensors",
          folder.c_str());
  }
  if (in.copy) CopyShards(in.copy, store);
  CorrectSpelling(store, &names);
  const FoundDrafts drafts = LeaveOutDrafts(config.drafts, &names);
  SplitFusedExperts(config, store, &names);
  if (!store->renamed.empty()) SortNames(*store, &names);

  store->tensors.reserve(names.size());
  store->entries.reserve(names.size());
  for (const Named& named : names) {
    Tensor tensor;
    tensor.name = named.name;
    tensor.file = named.file;
    tensor.bytes = named.entry->end - named.entry->begin;
    tensor.data = store->maps[named.file].bytes().data() +
                  store->headers[named.file].buffer_offset + named.entry->begin;
    store->total_bytes += tensor.bytes;
    store->tensors.push_back(tensor);
    store->entries.push_back(named.entry);
  }
  store->bound.assign(names.size(), false);
  return drafts;
}

}  // namespace finback
