// Entries of a layer's memory, in blocks that sequences share. What several lists hold never
// changes, so any thread may read it. Behind it one of them may append, whoever comes first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/buffer.h"
#include "core/network/memory/memory_budget.h"

namespace finback {

struct Block;

// One block: bytes that are written while one alone holds it, and read by all who do.
class BlockRef {
 public:
  BlockRef() = default;
  ~BlockRef() { LetGo(); }
  BlockRef(const BlockRef& other) noexcept;
  BlockRef(BlockRef&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  // Holds anything. Takes BytesOf(bytes) of `charged`; throws std::bad_alloc.
  static BlockRef New(uint64_t bytes, Reservation* charged);
  static uint64_t BytesOf(uint64_t bytes);  // as it is charged

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }

 private:
  void LetGo() noexcept;
  uint8_t* data_ = nullptr;
};

// The entries of one compressor in order. One thread at a time; lists of several threads may hold
// the same blocks.
class BlockList {
 public:
  BlockList() = default;
  ~BlockList() { Cut(0); }
  BlockList(BlockList&& other) noexcept { *this = static_cast<BlockList&&>(other); }
  BlockList& operator=(BlockList&& other) noexcept;

  // Of entries of so many bytes, 2^shift of them in a block.
  struct Shape {
    size_t entry_bytes = 0;
    unsigned shift = 0;

    bool operator==(const Shape&) const = default;
  };
  // An empty list for at most `capacity` entries, whose blocks come later.
  void Prepare(const Shape& shape, size_t capacity, Reserve* reserve);
  static uint64_t BlockBytes(const Shape& shape);  // as they are charged

  // Makes entries [begin, end) writable, by blocks that are taken from `charged`, as many bytes as
  // Needed() says, and by a copy of what others hold there. The first `kept` entries stay what they
  // are, also when it throws: std::bad_alloc, and kBudget if another list has come first meanwhile.
  struct Range {
    size_t kept, begin, end;
  };
  uint64_t Needed(const Range& range) const;
  void Grow(const Range& range, Reservation* charged);
  // Lets go of blocks that no entry before `end` is in.
  void Cut(size_t end) noexcept;
  // Becomes entries [0, end) of another list of this shape, without a copy of any.
  void Share(const BlockList& other, size_t end) noexcept;

  uint8_t* At(size_t entry) { return data_[entry >> shape_.shift] + Within(entry); }
  const uint8_t* At(size_t entry) const { return data_[entry >> shape_.shift] + Within(entry); }
  // The end of the run that an entry is in: entries lie one after the other up to there.
  size_t RunEnd(size_t entry) const { return ((entry >> shape_.shift) + 1) << shape_.shift; }
  size_t capacity() const { return capacity_; }
  const Shape& shape() const { return shape_; }
  size_t blocks() const { return count_; }

 private:
  size_t Within(size_t entry) const {
    return (entry & ((size_t{1} << shape_.shift) - 1)) * shape_.entry_bytes;
  }
  // How many blocks the entries before `end` are in.
  size_t BlocksOf(size_t end) const {
    return (end + (size_t{1} << shape_.shift) - 1) >> shape_.shift;
  }

  Shape shape_;
  size_t capacity_ = 0;
  size_t count_ = 0;
  Buffer<uint8_t*> data_;  // [blocks of capacity], of which count are there
};

// Calls visit(data, bytes) for entries [begin, end) in order, run by run.
template <typename List, typename Visit>
void VisitRuns(List& list, size_t begin, size_t end, const Visit& visit) {
  while (begin < end) {
    const size_t stop = std::min(end, list.RunEnd(begin));
    visit(list.At(begin), (stop - begin) * list.shape().entry_bytes);
    begin = stop;
  }
}

}  // namespace finback
