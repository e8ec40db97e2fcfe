#include "core/local/cache/disk_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cinttypes>
#include <unordered_set>

#include "core/base/status.h"
#include "core/local/cache/cache_file.h"
#include "core/local/cache/inventory.h"
#include "core/local/cache/model_note.h"

namespace finback {
namespace {

using cache::ChainOf;
using cache::Directory;
using cache::FileContent;
using cache::FileName;
using cache::Key;
using cache::Kind;
using cache::kStepTokens;
using cache::NameOf;
using cache::Reading;

constexpr uint64_t kDefaultBytes = uint64_t{16} << 30;
constexpr size_t kMostFiles = 1u << 16;  // so that a folder is listed in milliseconds

size_t WholeSteps(size_t position) { return position / kStepTokens; }

// The point of `ids`, which all stand before it.
FileContent PointOf(const PartSizes& sizes, std::span<const Key> chain,
                    std::span<const int32_t> ids) {
  const size_t steps = WholeSteps(ids.size()), begin = steps * kStepTokens;
  FileContent content(Kind::kPoint, chain[0], chain[steps], ids.subspan(begin), ids.size());
  content.header.bytes = sizes.Rings(ids.size()) + sizes.Added(begin, ids.size());
  return content;
}

FileContent StepOf(const PartSizes& sizes, std::span<const Key> chain, std::span<const int32_t> ids,
                   size_t step) {
  const size_t begin = step * kStepTokens, end = begin + kStepTokens;
  FileContent content(Kind::kStep, chain[0], chain[step], ids.subspan(begin, kStepTokens), end);
  content.header.bytes = sizes.Added(begin, end);
  return content;
}

// Points worth their bytes: those that somebody asked for, and of regular ones that are close to
// each other in relation to how far back they are one, so that what may have to be computed again
// is a step, or an eighth of what has changed.
std::vector<const Checkpoint*> ChoosePoints(std::span<const Checkpoint> ascending, size_t end) {
  std::vector<const Checkpoint*> chosen;
  size_t last = end;
  for (size_t i = ascending.size(); i-- > 0;) {
    const Checkpoint& point = ascending[i];
    if (point.position == 0 || point.position >= end) continue;
    if (point.kind == CheckpointKind::kRegular) {
      if (last - point.position < (end - point.position) / 8) continue;
      last = point.position;
    }
    chosen.push_back(&point);
  }
  return chosen;
}

const char* Advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "make room on the disk, or choose a smaller cache_bytes or another cache_folder";
    case EFBIG:
      return "raise the process's limit of file sizes (ulimit -f), or switch the cache off "
             "(cache_folder empty)";
    default:
      return "choose a cache_folder that is this user's alone and can be written to, or switch the "
             "cache off (cache_folder empty)";
  }
}

}  // namespace

DiskCache::DiskCache(const Model& model, DiskCacheOptions options)
    : model_(model),
      options_(std::move(options)),
      sizes_(model.config(), model.precision()),
      key_(cache::ModelKey(model)) {}

void DiskCache::Warn(int error) const {
  if (!options_.log || warned_.exchange(true)) return;
  options_.log(
      LogLevel::kWarning,
      Format("conversations are not kept in %s: %s; %s", options_.folder.c_str(),
             error == EACCES ? "it cannot be used, or others can write to it" : strerror(error),
             Advice(error))
          .c_str());
}

Directory DiskCache::OpenTop(bool make) const {
  int error;
  Directory top = Directory::Open(options_.folder, make, &error);
  if (error != 0 && (make || error != ENOENT)) Warn(error);
  top.set_write(options_.write);
  return top;
}

Directory DiskCache::OpenOurs(const Directory& top, bool make) const {
  if (!top.open()) return {};
  int error;
  Directory ours = top.Enter(cache::ModelDirectory(key_), make, &error);
  if (error != 0 && (make || error != ENOENT)) Warn(error);
  return ours;
}

DiskCache::Found DiskCache::FindLongest(std::span<const int32_t> ids) const noexcept {
  try {
    return Find(ids);
  } catch (const std::exception&) {  // no memory
    return {};
  }
}

DiskCache::Found DiskCache::Find(std::span<const int32_t> ids) const {
  Found found;
  const Directory ours = OpenOurs(OpenTop(false), false);
  if (!ours.open()) return found;
  std::unordered_set<std::string> steps;
  std::vector<FileName> points;
  ours.List([&](const char* text) {
    std::optional<FileName> name = cache::ParseName(text);
    if (!name) return true;
    if (name->kind == Kind::kStep) steps.insert(text);
    if (name->kind == Kind::kPoint && name->position <= ids.size()) {
      points.push_back(std::move(*name));
    }
    return true;
  });
  const std::vector<Key> chain = ChainOf(key_, ids);
  size_t there = 0;
  while (there + 1 < chain.size() &&
         steps.count(StepOf(sizes_, chain, ids, there).Name().Text()) != 0) {
    ++there;
  }
  for (const FileName& point : points) {
    const size_t step = WholeSteps(point.position);
    if (step > there || point.parent != NameOf(chain[step])) continue;
    const std::span<const int32_t> tail =
        ids.subspan(step * kStepTokens, point.position % kStepTokens);
    if (NameOf(cache::NextKey(chain[step], tail)) == point.key)
      found.positions.push_back(point.position);
  }
  std::sort(found.positions.rbegin(), found.positions.rend());
  return found;
}

size_t DiskCache::Restore(std::span<const int32_t> ids, const Found& found,
                          Sequence* sequence) const noexcept {
  const size_t common = CommonPrefix(ids, sequence->tokens());
  const int64_t here = sequence->NearestBack(static_cast<int64_t>(common));
  sequence->GoBackTo(here);
  size_t steps = SIZE_MAX;
  for (const size_t position : found.positions) {
    if (static_cast<int64_t>(position) <= here) break;
    if (position > ids.size() || position > static_cast<size_t>(sequence->context_tokens()) ||
        WholeSteps(position) > steps) {
      continue;
    }
    try {
      if (RestoreAt(ids.first(position), &steps, sequence)) return position;
    } catch (const std::exception&) {  // no room for so much
    }
    sequence->DropSpare();
  }
  return static_cast<size_t>(here);
}

bool DiskCache::RestoreAt(std::span<const int32_t> ids, size_t* steps, Sequence* sequence) const {
  const Directory ours = OpenOurs(OpenTop(false), false);
  if (!ours.open()) return false;
  const size_t kept = static_cast<size_t>(sequence->position());
  const size_t first = WholeSteps(kept), last = WholeSteps(ids.size());
  const std::vector<Key> chain = ChainOf(key_, ids);
  sequence->TakeBlocks(ids.size() - kept);

  std::vector<uint8_t> rings(sizes_.Rings(ids.size()));
  std::vector<Room> rooms = RoomFor({kept, last * kStepTokens, ids.size()}, sequence->layers());
  rooms.insert(rooms.begin(), {rings.data(), rings.size()});
  if (ReadContent(ours, PointOf(sizes_, chain, ids), rooms) != Reading::kGood) return false;

  std::atomic<size_t> unreadable{last};
  model_.compute().parallel.For(last - first, 1, [&](size_t begin, size_t end) {
    for (size_t step = first + begin; step < first + end; ++step) {
      Reading reading = Reading::kRefused;
      try {
        const size_t position = step * kStepTokens;
        reading =
            ReadContent(ours, StepOf(sizes_, chain, ids, step),
                        RoomFor({kept, position, position + kStepTokens}, sequence->layers()));
      } catch (const std::exception&) {  // no memory
      }
      if (reading == Reading::kGood) continue;
      for (size_t before = unreadable; step < before;) {
        if (unreadable.compare_exchange_weak(before, step)) break;
      }
    }
  });
  *steps = unreadable;
  if (unreadable < last) return false;
  sequence->Continue(ids, rings.data());
  return true;
}

void DiskCache::Keep(const SequenceMark& mark) noexcept {
  try {
    KeepAll(mark);
  } catch (const std::exception&) {  // no memory
  }
}

void DiskCache::KeepAll(const SequenceMark& mark) {
  if (mark.ids.empty()) return;
  const Directory top = OpenTop(true), ours = OpenOurs(top, true);
  if (!ours.open()) return;
  std::unordered_set<std::string> there;
  ours.List([&](const char* name) { return there.insert(name).second || true; });

  const std::span<const int32_t> ids = mark.ids;
  const std::vector<Key> chain = ChainOf(key_, ids);
  struct Missing {
    FileContent content;
    const uint8_t* rings;
  };
  std::vector<Missing> missing;
  uint64_t needed = 0, whole = 0;
  const auto want = [&](FileContent content, const uint8_t* rings) {
    whole += content.Size();
    const std::string name = content.Name().Text();
    if (there.count(name) != 0) {
      ours.Touch(name);
      return;
    }
    needed += content.Size();
    missing.push_back({std::move(content), rings});
  };
  for (size_t step = 0; step < WholeSteps(ids.size()); ++step) {
    want(StepOf(sizes_, chain, ids, step), nullptr);
  }
  want(PointOf(sizes_, chain, ids), mark.rings.data());
  for (const Checkpoint* point : ChoosePoints(mark.checkpoints, ids.size())) {
    want(PointOf(sizes_, chain, ids.first(point->position)), point->rings.data());
  }
  if (missing.empty() || !MakeRoom(top, needed, whole)) return;
  cache::WriteModelNote(ours, key_, model_.folder());
  for (const Missing& file : missing) {
    const size_t end = file.content.header.position;
    const size_t begin = end - file.content.ids.size();
    std::vector<std::span<const uint8_t>> parts = sizes_.AddedTo(mark.entries, begin, end);
    if (file.rings != nullptr) parts.insert(parts.begin(), {file.rings, sizes_.Rings(end)});
    if (const int error = WriteContent(ours, file.content, parts); error != 0) {
      Warn(error);
      break;
    }
  }
  ours.Sync();
}

bool DiskCache::MakeRoom(const Directory& top, uint64_t needed, uint64_t whole) {
  const cache::Inventory inventory = cache::TakeInventory(top);
  uint64_t most = options_.most_bytes;
  if (struct statvfs disk; most == 0 && statvfs(options_.folder.c_str(), &disk) == 0) {
    const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
    most = std::min(kDefaultBytes, (free + inventory.bytes) / 4);
  }
  if (whole > most) {
    if (options_.log && !warned_of_size_.exchange(true)) {
      options_.log(LogLevel::kWarning, Format("a conversation is not kept in %s: it takes %" PRIu64
                                              " bytes there, and cache_bytes allows %" PRIu64
                                              ": raise it, or make room on the disk",
                                              options_.folder.c_str(), whole, most)
                                           .c_str());
    }
    return false;
  }
  Remove(top, inventory, ChooseLeaving(inventory, most - needed, kMostFiles));
  return true;
}

void DiskCache::PutRecords(std::string_view kind, std::span<const Record> records) noexcept {
  try {
    const Directory top = OpenTop(true), ours = OpenOurs(top, true);
    if (!ours.open()) return;
    std::vector<FileContent> files;
    uint64_t needed = 0;
    for (const Record& record : records) {
      FileContent& file = files.emplace_back(key_, cache::RecordKey(kind, record.key));
      file.header.bytes = record.bytes.size();
      if (record.bytes.size() > cache::kMostRecordBytes) return;
      needed += file.Size();
    }
    if (!MakeRoom(top, needed, needed)) return;
    for (size_t i = 0; i < files.size(); ++i) {
      if (const int error = WriteContent(ours, files[i], {&records[i].bytes, 1}); error != 0) {
        Warn(error);
      }
    }
    ours.Sync();
  } catch (const std::exception&) {  // no memory
  }
}

std::optional<std::vector<uint8_t>> DiskCache::GetRecord(std::string_view kind,
                                                         std::string_view key) const noexcept {
  try {
    const Directory ours = OpenOurs(OpenTop(false), false);
    if (!ours.open()) return std::nullopt;
    std::vector<uint8_t> bytes;
    const FileContent content(key_, cache::RecordKey(kind, key));
    if (ReadRecord(ours, content, &bytes) == Reading::kGood) return bytes;
  } catch (const std::exception&) {  // no memory
  }
  return std::nullopt;
}

}  // namespace finback
