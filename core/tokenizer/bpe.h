// Byte-level BPE inside one piece: merges by rank, leftmost first among equals.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

// (left, right) -> rank and result. Buckets of a hash with their entries sorted, so that a look-up
// is O(1) for honest files and O(log n) for files made to collide. Immutable; any thread.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Entry {
    uint64_t key = 0;
    uint32_t rank = kNoRank;
    int32_t result = -1;
  };

  MergeTable() = default;
  // `ranks[i]` is the rank of `merges[i]`. Throws Error(kCheckpoint) "<where>[n] repeats [m]".
  MergeTable(const std::vector<Merge>& merges, const std::vector<uint32_t>& ranks,
             const std::string& where);

  // nullptr when the two do not merge.
  const Entry* Find(int32_t left, int32_t right) const;

 private:
  static uint64_t Key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  uint32_t Bucket(uint64_t key) const;

  int bucket_bits_ = 0;
  std::vector<uint32_t> bucket_begin_;  // [buckets + 1]
  std::vector<Entry> entries_;
};

// Working memory of Bpe, kept between pieces by one caller.
class Bpe {
 public:
  Bpe(const MergeTable* merges, const std::array<int32_t, 256>* byte_ids)
      : merges_(merges), byte_ids_(byte_ids) {}

  // Appends the ids of `piece` (< 2^31 bytes). O(n log n) in its length.
  void Encode(std::string_view piece, std::vector<int32_t>* ids);

 private:
  // A token and the merge with its right neighbour, if there is one.
  struct Symbol {
    int32_t id = 0;
    int32_t previous = -1;
    int32_t next = -1;
    uint32_t rank = MergeTable::kNoRank;
    int32_t result = -1;
  };

  // Looks up the merge of the symbol at `position` with its right neighbour; true if there is one.
  bool FindMerge(int32_t position);
  void Push(int32_t position);
  void MergeAt(int32_t position);

  const MergeTable* merges_;
  const std::array<int32_t, 256>* byte_ids_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> queue_;  // heap of rank << 32 | position, smallest first
};

}  // namespace finback
