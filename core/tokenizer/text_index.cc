#include "core/tokenizer/text_index.h"

#include <algorithm>
#include <bit>

namespace finback {
namespace {

uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, then a mix that reaches the top bits
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

}  // namespace

void TextIndex::Add(std::string_view text, int32_t id) {
  entries_.push_back({Hash(text), text, id, static_cast<uint32_t>(entries_.size())});
}

void TextIndex::Build() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int difference = a.text.compare(b.text);
    return difference != 0 ? difference < 0 : a.order < b.order;
  });
  bucket_bits_ = std::max(1, static_cast<int>(std::bit_width(entries_.size())));
  bucket_begin_.assign((size_t{1} << bucket_bits_) + 1, 0);
  for (const Entry& entry : entries_) ++bucket_begin_[Bucket(entry.hash) + 1];
  for (size_t i = 1; i < bucket_begin_.size(); ++i) bucket_begin_[i] += bucket_begin_[i - 1];
}

std::span<const TextIndex::Entry> TextIndex::Find(std::string_view text) const {
  if (entries_.empty()) return {};
  const uint64_t hash = Hash(text);
  const uint32_t bucket = Bucket(hash);
  const Entry* const end = entries_.data() + bucket_begin_[bucket + 1];
  const Entry* const first =
      std::partition_point(entries_.data() + bucket_begin_[bucket], end, [&](const Entry& entry) {
        return entry.hash != hash ? entry.hash < hash : entry.text < text;
      });
  const Entry* last = first;
  while (last != end && last->hash == hash && last->text == text) ++last;
  return {first, last};
}

}  // namespace finback
