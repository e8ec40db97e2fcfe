#include "core/network/memory/blocks.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

namespace finback {

// Stands before its entries, which begin at a cache line.
struct alignas(64) Block {
  std::atomic<uint32_t> holders{1};
  // No holder of a list of entries has any from here on.
  std::atomic<size_t> frontier{0};
  void* memory;  // as it came from the system
  Reservation reservation;
};

namespace {

Block* BlockOf(uint8_t* data) { return reinterpret_cast<Block*>(data) - 1; }

// The entries of a new block, which hold anything.
uint8_t* NewBlock(uint64_t entries_bytes, Reservation* charged) {
  const uint64_t bytes = BlockRef::BytesOf(entries_bytes);
  Reservation reservation = charged->Split(bytes);
  void* memory = operator new(bytes);
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t aligned = (address + alignof(Block) - 1) / alignof(Block) * alignof(Block);
  Block* block = new (reinterpret_cast<void*>(aligned)) Block;
  block->memory = memory;
  block->reservation = std::move(reservation);
  return reinterpret_cast<uint8_t*>(block + 1);
}

bool IsShared(uint8_t* data) {
  // What others have read of it comes before what is written next.
  return BlockOf(data)->holders.load(std::memory_order_acquire) != 1;
}

// Whether entries from `begin` on may be written: nobody else has any of them.
bool MayWrite(uint8_t* data, size_t begin) {
  return !IsShared(data) || BlockOf(data)->frontier.load(std::memory_order_relaxed) == begin;
}

// The same, for entries [begin, end), which are this holder's from then on. Of several who append
// to a block that they share one gets the place.
bool Claim(uint8_t* data, size_t begin, size_t end) {
  std::atomic<size_t>& frontier = BlockOf(data)->frontier;
  if (!IsShared(data)) {
    frontier.store(std::max(frontier.load(std::memory_order_relaxed), end),
                   std::memory_order_relaxed);
    return true;
  }
  return frontier.compare_exchange_strong(begin, end, std::memory_order_relaxed);
}

void Hold(uint8_t* data) { BlockOf(data)->holders.fetch_add(1, std::memory_order_relaxed); }

void LetGo(uint8_t* data) {
  Block* block = BlockOf(data);
  if (block->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  void* memory = block->memory;
  block->~Block();
  operator delete(memory);
}

}  // namespace

BlockRef::BlockRef(const BlockRef& other) noexcept : data_(other.data_) {
  if (data_ != nullptr) Hold(data_);
}

void BlockRef::LetGo() noexcept {
  if (data_ != nullptr) finback::LetGo(data_);
  data_ = nullptr;
}

BlockRef BlockRef::New(uint64_t bytes, Reservation* charged) {
  BlockRef block;
  block.data_ = NewBlock(bytes, charged);
  return block;
}

uint64_t BlockRef::BytesOf(uint64_t bytes) {
  return sizeof(Block) + alignof(Block) + bytes;  // with what aligning takes
}

uint64_t BlockList::BlockBytes(const Shape& shape) {
  return BlockRef::BytesOf(uint64_t{shape.entry_bytes} << shape.shift);
}

BlockList& BlockList::operator=(BlockList&& other) noexcept {
  std::swap(shape_, other.shape_);
  std::swap(capacity_, other.capacity_);
  std::swap(count_, other.count_);
  data_ = std::move(other.data_);  // swaps
  return *this;
}

void BlockList::Prepare(const Shape& shape, size_t capacity, Reserve* reserve) {
  Cut(0);
  shape_ = shape;
  capacity_ = capacity;
  (*reserve)(data_, BlocksOf(capacity));
  reserve->Later(BlocksOf(capacity) * BlockBytes(shape));
}

uint64_t BlockList::Needed(const Range& range) const {
  if (range.begin >= range.end) return 0;
  uint64_t blocks = 0;
  for (size_t i = range.begin >> shape_.shift; i < BlocksOf(range.end); ++i) {
    const size_t first = i << shape_.shift;
    blocks += i >= count_ || !MayWrite(data_[i], std::max(range.begin, first) - first);
  }
  return blocks * BlockBytes(shape_);
}

void BlockList::Grow(const Range& range, Reservation* charged) {
  if (range.begin >= range.end) return;
  const size_t most = size_t{1} << shape_.shift;
  for (size_t i = range.begin >> shape_.shift; i < BlocksOf(range.end); ++i) {
    const size_t first = i << shape_.shift;
    const size_t begin = std::max(range.begin, first) - first;
    const size_t end = std::min(range.end - first, most);
    if (i < count_ && Claim(data_[i], begin, end)) continue;
    uint8_t* fresh = NewBlock(uint64_t{shape_.entry_bytes} << shape_.shift, charged);
    const size_t kept = std::min(range.kept - std::min(range.kept, first), most);
    Claim(fresh, begin, std::max(end, kept));
    if (i >= count_) {
      data_[count_++] = fresh;
      continue;
    }
    memcpy(fresh, data_[i], kept * shape_.entry_bytes);
    LetGo(data_[i]);
    data_[i] = fresh;
  }
}

void BlockList::Cut(size_t end) noexcept {
  const size_t kept = BlocksOf(end);
  while (count_ > kept) LetGo(data_[--count_]);
}

void BlockList::Share(const BlockList& other, size_t end) noexcept {
  const size_t wanted = other.BlocksOf(end);
  for (size_t i = 0; i < wanted; ++i) Hold(other.data_[i]);  // first: some may be the same
  Cut(0);
  std::copy(other.data_.data(), other.data_.data() + wanted, data_.data());
  count_ = wanted;
}

}  // namespace finback
