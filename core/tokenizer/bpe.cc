#include "core/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "core/base/status.h"

namespace finback {

MergeTable::MergeTable(const std::vector<Merge>& merges, const std::vector<uint32_t>& ranks,
                       const std::string& where) {
  if (merges.empty()) return;
  bucket_bits_ = std::max(1, static_cast<int>(std::bit_width(merges.size() - 1)));
  entries_.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    entries_.push_back({Key(merges[i].left, merges[i].right), ranks[i], merges[i].result});
  }
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    const uint32_t a_bucket = Bucket(a.key);
    const uint32_t b_bucket = Bucket(b.key);
    if (a_bucket != b_bucket) return a_bucket < b_bucket;
    return a.key != b.key ? a.key < b.key : a.rank < b.rank;
  });
  bucket_begin_.assign((size_t{1} << bucket_bits_) + 1, 0);
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (i > 0 && entries_[i].key == entries_[i - 1].key) {
      Throw(Code::kCheckpoint, "%s[%u] repeats [%u]", where.c_str(), entries_[i].rank,
            entries_[i - 1].rank);
    }
    ++bucket_begin_[Bucket(entries_[i].key) + 1];
  }
  for (size_t i = 1; i < bucket_begin_.size(); ++i) bucket_begin_[i] += bucket_begin_[i - 1];
}

uint32_t MergeTable::Bucket(uint64_t key) const {
  // The finalizer of splitmix64: every bit of the key reaches the top bits.
  key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9;
  key = (key ^ key >> 27) * 0x94d049bb133111eb;
  return static_cast<uint32_t>((key ^ key >> 31) >> (64 - bucket_bits_));
}

const MergeTable::Entry* MergeTable::Find(int32_t left, int32_t right) const {
  if (entries_.empty()) return nullptr;
  const uint64_t key = Key(left, right);
  const uint32_t bucket = Bucket(key);
  const Entry* const begin = entries_.data() + bucket_begin_[bucket];
  const Entry* const end = entries_.data() + bucket_begin_[bucket + 1];
  const Entry* const entry = std::lower_bound(
      begin, end, key, [](const Entry& a, uint64_t wanted) { return a.key < wanted; });
  return entry != end && entry->key == key ? entry : nullptr;
}

bool Bpe::FindMerge(int32_t position) {
  Symbol& symbol = symbols_[position];
  const MergeTable::Entry* const merge =
      symbol.next < 0 ? nullptr : merges_->Find(symbol.id, symbols_[symbol.next].id);
  symbol.rank = merge != nullptr ? merge->rank : MergeTable::kNoRank;
  symbol.result = merge != nullptr ? merge->result : -1;
  return merge != nullptr;
}

void Bpe::Push(int32_t position) {
  queue_.push_back(static_cast<uint64_t>(symbols_[position].rank) << 32 |
                   static_cast<uint32_t>(position));
}

void Bpe::MergeAt(int32_t position) {
  Symbol& symbol = symbols_[position];
  Symbol& absorbed = symbols_[symbol.next];
  absorbed.rank = MergeTable::kNoRank;  // what the queue still holds of it is stale
  symbol.id = symbol.result;
  symbol.next = absorbed.next;
  if (symbol.next >= 0) symbols_[symbol.next].previous = position;
  for (const int32_t changed : {position, symbol.previous}) {
    if (changed < 0 || !FindMerge(changed)) continue;
    Push(changed);
    std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
  }
}

void Bpe::Encode(std::string_view piece, std::vector<int32_t>* ids) {
  if (piece.empty()) return;
  const auto size = static_cast<int32_t>(piece.size());
  symbols_.resize(piece.size());
  queue_.clear();
  for (int32_t i = 0; i < size; ++i) {
    symbols_[i].id = (*byte_ids_)[static_cast<uint8_t>(piece[i])];
    symbols_[i].previous = i - 1;
    symbols_[i].next = i + 1 < size ? i + 1 : -1;
  }
  for (int32_t i = 0; i < size; ++i) {
    if (FindMerge(i)) Push(i);
  }
  std::make_heap(queue_.begin(), queue_.end(), std::greater<>());
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    const uint64_t best = queue_.back();
    queue_.pop_back();
    const auto position = static_cast<int32_t>(best & UINT32_MAX);
    // An entry is stale when its symbol has been merged away or has a new right neighbour: the rank
    // then differs, because the same pair cannot come back to a place where tokens only grow.
    if (symbols_[position].rank == best >> 32) MergeAt(position);
  }
  for (int32_t i = 0; i >= 0; i = symbols_[i].next) ids->push_back(symbols_[i].id);
}

}  // namespace finback
