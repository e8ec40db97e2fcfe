// Conversations on the disk: what their tokens have added to a sequence, in steps that all share
// who begin with the same tokens, and points beside them where a sequence can go on. Any number of
// processes use a folder at once. It never fails: what cannot be read is as if it were not there,
// and what cannot be written is told once to the log. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/options.h"
#include "core/local/cache/cache_key.h"
#include "core/local/cache/directory.h"
#include "core/network/memory/parts.h"
#include "core/network/sequence.h"

namespace finback {

struct DiskCacheOptions {
  std::string folder;
  uint64_t most_bytes = 0;  // 0: 16 GiB, and at most a quarter of what the disk has for it
  LogFunction log = {};
  cache::WriteFunction write = ::writev;  // tests have others
};

class DiskCache {
 public:
  // Reads samples of the weights: of large ones a few kilobytes a file, of small ones all.
  DiskCache(const Model& model, DiskCacheOptions options);

  // Where a sequence that begins as `ids` does could go on, most tokens first. Lists the folder:
  // for who has a prompt to compute, not for every token.
  struct Found {
    std::vector<size_t> positions;
    size_t tokens() const { return positions.empty() ? 0 : positions.front(); }
  };
  Found FindLongest(std::span<const int32_t> ids) const noexcept;
  // Brings the sequence to the first of them that can be read, if it is further than what it has of
  // `ids` itself; else it goes back to that. Returns its position. Takes blocks as computing does
  // (TakeBlocks).
  size_t Restore(std::span<const int32_t> ids, const Found& found,
                 Sequence* sequence) const noexcept;
  // Writes what is not there yet of a sequence, and of its checkpoints some: the further from its
  // end, the fewer. What was used least recently makes way. Waits for the disk.
  void Keep(const SequenceMark& mark) noexcept;

  // Whatever the caller wants to find again, by a kind and a key of any bytes. Replaces what was
  // there; goes as everything else does when it was not used for long.
  struct Record {
    std::string_view key;
    std::span<const uint8_t> bytes;
  };
  void PutRecords(std::string_view kind, std::span<const Record> records) noexcept;
  void PutRecord(std::string_view kind, std::string_view key,
                 std::span<const uint8_t> bytes) noexcept {
    const Record record{key, bytes};
    PutRecords(kind, {&record, 1});
  }
  std::optional<std::vector<uint8_t>> GetRecord(std::string_view kind,
                                                std::string_view key) const noexcept;

 private:
  cache::Directory OpenTop(bool make) const;
  cache::Directory OpenOurs(const cache::Directory& top, bool make) const;
  Found Find(std::span<const int32_t> ids) const;
  // Whether it is; *steps is how many whole steps are not known to be unreadable.
  bool RestoreAt(std::span<const int32_t> ids, size_t* steps, Sequence* sequence) const;
  void KeepAll(const SequenceMark& mark);
  bool MakeRoom(const cache::Directory& top, uint64_t needed, uint64_t whole);
  void Warn(int error) const;

  const Model& model_;
  const DiskCacheOptions options_;
  const PartSizes sizes_;
  const cache::Key key_;
  mutable std::atomic<bool> warned_{false}, warned_of_size_{false};
};

}  // namespace finback
