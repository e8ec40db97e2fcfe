#include "core/network/memory/checkpoints.h"

#include <algorithm>
#include <new>

namespace finback {

const Checkpoint* NearestCheckpoint(std::span<const Checkpoint> ascending, size_t position) {
  const auto after = std::upper_bound(
      ascending.begin(), ascending.end(), position,
      [](size_t value, const Checkpoint& checkpoint) { return value < checkpoint.position; });
  return after == ascending.begin() ? nullptr : &*(after - 1);
}

void Checkpoints::Keep(const Most& most, size_t window) {
  list_.reserve(most.regular + most.ends + kMostHeads + 1);
  pending_.reserve(most.regular);
  most_ = most;
  window_ = window;
}

void Checkpoints::Want(std::span<const WantedCheckpoint> wanted) {
  wanted_.assign(wanted.begin(), wanted.end());
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

// Where there are to be some within a chunk, in order.
void Checkpoints::ListPending(size_t begin, size_t end) {
  const size_t last = end / kCheckpointTokens;
  size_t i = std::max(begin / kCheckpointTokens + 1, last + 1 - std::min(most_.regular, last));
  const auto list_regular = [&](size_t before) {
    for (; i <= last && i * kCheckpointTokens < before; ++i) {
      pending_.push_back({i * kCheckpointTokens, {}, CheckpointKind::kRegular});
    }
  };
  for (const WantedCheckpoint& wanted : wanted_) {
    if (wanted.position <= begin || wanted.position > end) continue;
    list_regular(wanted.position);
    if (i * kCheckpointTokens == wanted.position) ++i;
    pending_.push_back({wanted.position, {}, wanted.kind});
  }
  list_regular(end + 1);
}

void Checkpoints::Begin(std::span<LayerState> layers, size_t begin, size_t end,
                        MemoryBudget* budget) noexcept {
  if (most_.regular == 0 && most_.ends == 0) return;
  try {
    ListPending(begin, end);
    size_t count = 0;
    for (Checkpoint& checkpoint : pending_) {
      const uint64_t bytes = BytesAt(layers, window_, checkpoint.position);
      Reservation charged;
      if (budget != nullptr) {
        charged = Reservation::Try(budget, BlockRef::BytesOf(bytes));
        if (!charged.taken()) break;
      }
      checkpoint.rings = BlockRef::New(bytes, &charged);
      ++count;
    }
    pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(count), pending_.end());
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

// Drops one where there are too many: of regular ones that whose absence costs least, the gap that
// it leaves in relation to how far back that is; of others the first.
void Checkpoints::Thin() noexcept {
  const auto too_many = [&](CheckpointKind kind, size_t most) {
    return static_cast<size_t>(std::count_if(list_.begin(), list_.end(), [&](const auto& one) {
             return one.kind == kind;
           })) > most;
  };
  if (too_many(CheckpointKind::kEnd, most_.ends)) DropFirst(CheckpointKind::kEnd);
  if (too_many(CheckpointKind::kHead, kMostHeads)) DropFirst(CheckpointKind::kHead);
  if (!too_many(CheckpointKind::kRegular, most_.regular)) return;
  const double end = static_cast<double>(list_.back().position);
  size_t best = list_.size();
  double least = 0;
  for (size_t i = 0; i + 1 < list_.size(); ++i) {
    if (list_[i].kind != CheckpointKind::kRegular) continue;
    const double before = i == 0 ? 0 : static_cast<double>(list_[i - 1].position);
    const double after = static_cast<double>(list_[i + 1].position);
    const double cost = (after - before) / (end - static_cast<double>(list_[i].position));
    if (best == list_.size() || cost < least) {
      best = i;
      least = cost;
    }
  }
  if (best < list_.size()) list_.erase(list_.begin() + static_cast<ptrdiff_t>(best));
}

void Checkpoints::Restore(const Checkpoint& checkpoint, std::span<LayerState> layers) const {
  LoadAllRings(checkpoint.rings.data(), window_, checkpoint.position, layers);
}

void Checkpoints::Cut(size_t position) noexcept {
  while (!list_.empty() && list_.back().position > position) list_.pop_back();
}

bool Checkpoints::DropFirst(CheckpointKind kind) noexcept {
  const auto first = std::find_if(list_.begin(), list_.end(),
                                  [&](const Checkpoint& one) { return one.kind == kind; });
  if (first == list_.end()) return false;
  list_.erase(first);
  return true;
}

bool Checkpoints::DropFirst() noexcept {
  return DropFirst(CheckpointKind::kRegular) || DropFirst(CheckpointKind::kEnd) ||
         DropFirst(CheckpointKind::kHead);
}

void Checkpoints::CopyFrom(std::span<const Checkpoint> others, size_t position) noexcept {
  list_.clear();
  if (most_.regular == 0 && most_.ends == 0) return;
  const Checkpoint* nearest = NearestCheckpoint(others, position);
  if (nearest == nullptr) return;
  others = others.first(static_cast<size_t>(nearest - others.data()) + 1);
  // Of as many as there may be here, the last ones.
  const size_t most = most_.regular + most_.ends + kMostHeads;
  others = others.last(std::min(most, others.size()));
  list_.insert(list_.end(), others.begin(), others.end());
}

}  // namespace finback
