#include "core/local/session.h"

#include <algorithm>

namespace finback {
namespace {

int64_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t size = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(size), b.begin()).first -
         a.begin();
}

}  // namespace

uint64_t SessionState::Bytes(const Model& model, const SessionShape& shape) {
  return Sequence::PlanBytes(model.config(), model.precision(), shape.context_tokens,
                             shape.chunk_tokens) +
         static_cast<uint64_t>(model.config().vocab) * sizeof(float);
}

SessionState::SessionState(const Model& model, const SessionShape& shape, MemoryBudget* budget)
    : shape_(shape),
      budget_(budget),
      reservation_(budget, Bytes(model, shape), "a session"),
      sequence_(model, shape.context_tokens, shape.chunk_tokens),
      logits_(static_cast<size_t>(model.config().vocab)) {
  points_.reserve(static_cast<size_t>(shape.restore_points));
}

SessionState::RestorePoint* SessionState::FindPoint(std::span<const int32_t> ids, int64_t longest) {
  RestorePoint* best = nullptr;
  for (RestorePoint& point : points_) {
    const int64_t size = static_cast<int64_t>(point.ids.size());
    if (size > longest || (best != nullptr && point.ids.size() <= best->ids.size())) continue;
    if (CommonPrefix(point.ids, ids) == size) best = &point;
  }
  return best;
}

int64_t SessionState::Rewind(std::span<const int32_t> ids) {
  const int64_t longest = static_cast<int64_t>(ids.size()) - 1;  // the last id gives the logits
  const int64_t common = std::min(CommonPrefix(sequence_.tokens(), ids), longest);
  const bool reachable = common == sequence_.position() || common >= sequence_.roll_back_floor();
  const int64_t here = reachable ? common : 0;
  RestorePoint* point = FindPoint(ids, longest);
  if (point != nullptr && static_cast<int64_t>(point->ids.size()) > here) {
    sequence_.Restore(point->snapshot);
    point->last_use = ++uses_;
    return sequence_.position();
  }
  if (here > 0) {
    sequence_.RollBack(sequence_.position() - here);
  } else {
    sequence_.Reset();
  }
  return here;
}

void SessionState::DropOldest() {
  const auto oldest =
      std::min_element(points_.begin(), points_.end(),
                       [](const auto& a, const auto& b) { return a.last_use < b.last_use; });
  points_bytes_ -= oldest->reservation.bytes();
  points_.erase(oldest);
}

bool SessionState::MakeRoom(uint64_t bytes) {
  // All points together may take as much again as the session itself.
  const uint64_t most = reservation_.bytes();
  if (bytes > most || shape_.restore_points == 0) return false;
  while (!points_.empty() && (points_bytes_ + bytes > most ||
                              points_.size() >= static_cast<size_t>(shape_.restore_points))) {
    DropOldest();
  }
  return true;
}

void SessionState::KeepRestorePoint() {
  const std::span<const int32_t> ids = sequence_.tokens();
  if (shape_.restore_points == 0 || ids.empty()) return;
  for (RestorePoint& point : points_) {
    if (point.ids.size() == ids.size() && CommonPrefix(point.ids, ids) == sequence_.position()) {
      point.last_use = ++uses_;
      return;
    }
  }
  RestorePoint point;
  point.snapshot = sequence_.Snapshot();
  const uint64_t bytes = point.snapshot.size() + ids.size_bytes();
  if (!MakeRoom(bytes)) return;
  point.reservation = Reservation::Try(budget_, bytes);
  while (!point.reservation.taken() && !points_.empty()) {
    DropOldest();
    point.reservation = Reservation::Try(budget_, bytes);
  }
  if (!point.reservation.taken()) return;
  point.ids.assign(ids.begin(), ids.end());
  point.last_use = ++uses_;
  points_.push_back(std::move(point));
  points_bytes_ += bytes;
}

}  // namespace finback
