#include "core/network/memory/checkpoints.h"

#include <algorithm>
#include <new>

namespace finback {

void Checkpoints::Keep(size_t most, size_t window) {
  list_.reserve(most + 1);
  pending_.reserve(most);
  most_ = most;
  window_ = window;
}

uint64_t Checkpoints::BytesAt(std::span<const LayerState> layers, size_t window, size_t position) {
  uint64_t bytes = 0;
  for (const LayerState& layer : layers) {
    bytes += WindowBytes(layer, window, position);
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      if (compressor->ratio != 0) bytes += compressor->CarryBytes(position);
    }
  }
  return bytes;
}

void Checkpoints::Begin(std::span<LayerState> layers, size_t begin, size_t end,
                        MemoryBudget* budget) noexcept {
  const size_t last = end / kCheckpointTokens;
  const size_t first = std::max(begin / kCheckpointTokens + 1, last + 1 - std::min(most_, last));
  try {
    for (size_t i = first; i <= last; ++i) {
      const size_t position = i * kCheckpointTokens;
      const uint64_t bytes = BytesAt(layers, window_, position);
      Reservation charged;
      if (budget != nullptr) {
        charged = Reservation::Try(budget, BlockRef::BytesOf(bytes));
        if (!charged.taken()) break;
      }
      pending_.push_back({position, BlockRef::New(bytes, &charged)});
    }
    if (pending_.empty()) return;
    copies_.resize(layers.size() * 2 * pending_.size());
  } catch (const std::bad_alloc&) {  // it can do without
    pending_.clear();
    return;
  }
  const size_t count = pending_.size();
  for (size_t i = 0; i < count; ++i) {
    uint8_t* at = pending_[i].rings.data();
    CarryCopy* copy = copies_.data() + i;
    for (LayerState& layer : layers) {
      at += WindowBytes(layer, window_, pending_[i].position);
      for (CompressorState* compressor : {&layer.main, &layer.index}) {
        if (compressor->ratio != 0) {
          *copy = {pending_[i].position, at};
          compressor->copies = {copy - i, count};
          at += compressor->CarryBytes(pending_[i].position);
        }
        copy += count;
      }
    }
  }
}

void Checkpoints::End(std::span<LayerState> layers) noexcept {
  for (Checkpoint& checkpoint : pending_) {
    uint8_t* at = checkpoint.rings.data();
    for (const LayerState& layer : layers) {
      at = SaveWindow(layer, window_, checkpoint.position, at);
      for (const CompressorState* compressor : {&layer.main, &layer.index}) {
        if (compressor->ratio != 0) at += compressor->CarryBytes(checkpoint.position);
      }
    }
    list_.push_back(std::move(checkpoint));  // there is room, see Keep
    Thin();
  }
  Abandon(layers);
}

void Checkpoints::Abandon(std::span<LayerState> layers) noexcept {
  if (pending_.empty()) return;
  pending_.clear();
  for (LayerState& layer : layers) layer.main.copies = layer.index.copies = {};
}

// Drops one where there are too many: that whose absence costs least, the gap that it leaves in
// relation to how far back that is.
void Checkpoints::Thin() noexcept {
  if (list_.size() <= most_) return;
  const double end = static_cast<double>(list_.back().position);
  size_t best = 0;
  double least = 0;
  for (size_t i = 0; i + 1 < list_.size(); ++i) {
    const double before = i == 0 ? 0 : static_cast<double>(list_[i - 1].position);
    const double after = static_cast<double>(list_[i + 1].position);
    const double cost = (after - before) / (end - static_cast<double>(list_[i].position));
    if (i == 0 || cost < least) {
      best = i;
      least = cost;
    }
  }
  list_.erase(list_.begin() + static_cast<ptrdiff_t>(best));
}

const Checkpoint* Checkpoints::Nearest(size_t position) const {
  const auto after = std::upper_bound(
      list_.begin(), list_.end(), position,
      [](size_t value, const Checkpoint& checkpoint) { return value < checkpoint.position; });
  return after == list_.begin() ? nullptr : &*(after - 1);
}

void Checkpoints::Restore(const Checkpoint& checkpoint, std::span<LayerState> layers) const {
  LoadAllRings(checkpoint.rings.data(), window_, checkpoint.position, layers);
}

void Checkpoints::Cut(size_t position) noexcept {
  while (!list_.empty() && list_.back().position > position) list_.pop_back();
}

bool Checkpoints::DropFirst() noexcept {
  if (list_.empty()) return false;
  list_.erase(list_.begin());
  return true;
}

void Checkpoints::CopyFrom(const Checkpoints& other) noexcept {
  list_.clear();
  // Of as many as there may be here, the last ones.
  const size_t count = std::min(most_, other.list_.size());
  for (size_t i = other.list_.size() - count; i < other.list_.size(); ++i) {
    list_.push_back(other.list_[i]);
  }
}

}  // namespace finback
