// Texts to ids: a hash in front of sorted entries, so that a look-up is O(1) for honest files and
// O(log n) for files made to collide.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace finback {

// Borrows the texts. Build() comes after the last Add() and before Find(); then immutable.
class TextIndex {
 public:
  struct Entry {
    uint64_t hash = 0;
    std::string_view text;
    int32_t id = -1;
    uint32_t order = 0;  // of being added
  };

  void Reserve(size_t count) { entries_.reserve(count); }
  void Add(std::string_view text, int32_t id);
  void Build();

  // All entries of that text, in the order in which they were added.
  std::span<const Entry> Find(std::string_view text) const;
  // The id of the first of them, or -1.
  int32_t FindFirst(std::string_view text) const {
    const std::span<const Entry> found = Find(text);
    return found.empty() ? -1 : found.front().id;
  }

 private:
  uint32_t Bucket(uint64_t hash) const {
    return static_cast<uint32_t>(hash >> (64 - bucket_bits_));
  }

  int bucket_bits_ = 1;
  std::vector<uint32_t> bucket_begin_;  // [buckets + 1]
  std::vector<Entry> entries_;          // sorted by hash, text, order
};

}  // namespace finback
