#include "core/local/sessions/session.h"

#include <algorithm>
#include <new>

#include "core/base/status.h"

namespace finback {
namespace {

int64_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t size = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(size), b.begin()).first -
         a.begin();
}

}  // namespace

Sequence::Plan SessionState::PlanOf(const Model& model, const SessionShape& shape) {
  const Sequence::Plan plan =
      Sequence::PlanOf(model.config(), model.precision(), shape.context_tokens, shape.chunk_tokens);
  const uint64_t logits = static_cast<uint64_t>(model.config().vocab) * sizeof(float);
  return {plan.empty + logits, plan.full + logits};
}

SessionState::SessionState(Scheduler* scheduler, const SessionShape& shape, MemoryBudget* budget)
    : scheduler_(scheduler),
      shape_(shape),
      most_bytes_(PlanOf(scheduler->model(), shape).full),
      budget_(budget),
      reservation_(budget, PlanOf(scheduler->model(), shape).empty, "a session"),
      sequence_(scheduler->model(), shape.context_tokens, shape.chunk_tokens, budget),
      logits_(static_cast<size_t>(scheduler->model().config().vocab)) {
  points_.reserve(static_cast<size_t>(shape.restore_points));
  // They and the points are what returning costs; who wants no points wants none of either.
  if (shape.restore_points != 0) {
    sequence_.KeepCheckpoints(kMostCheckpoints, most_bytes_);
  }
}

void SessionState::TakeBlocks(size_t tokens) {
  for (;;) {
    try {
      sequence_.TakeBlocks(tokens);
      return;
    } catch (const Error& error) {
      if (error.code() != Code::kBudget || points_.empty()) throw;
      DropOldest();
    }
  }
}

void SessionState::Evaluate(std::span<const int32_t> ids, LogitRows rows,
                            const EvaluateControl& control) {
  TakeBlocks(ids.size());
  scheduler_->Evaluate({&sequence_, ids, rows, logits_.data()}, control);
}

SessionState::RestorePoint* SessionState::FindPoint(std::span<const int32_t> ids, int64_t longest) {
  RestorePoint* best = nullptr;
  for (RestorePoint& point : points_) {
    const int64_t size = static_cast<int64_t>(point.mark.ids.size());
    if (size > longest || (best != nullptr && point.mark.ids.size() <= best->mark.ids.size()))
      continue;
    if (CommonPrefix(point.mark.ids, ids) == size) best = &point;
  }
  return best;
}

int64_t SessionState::Rewind(std::span<const int32_t> ids) {
  const int64_t longest = static_cast<int64_t>(ids.size()) - 1;  // the last id gives the logits
  Sequence& memory = sequence_;
  const int64_t common = std::min(CommonPrefix(memory.tokens(), ids), longest);
  const int64_t here = memory.NearestBack(common);
  RestorePoint* point = FindPoint(ids, longest);
  if (point != nullptr && static_cast<int64_t>(point->mark.ids.size()) > here) {
    memory.ReturnTo(point->mark);
    point->last_use = ++uses_;
    return memory.position();
  }
  memory.GoBackTo(here);
  return here;
}

int64_t SessionState::Restore(std::span<const int32_t> ids, const DiskCache& cache) {
  ids = ids.first(ids.size() - 1);  // the last id gives the logits
  Sequence& memory = sequence_;
  const int64_t here = memory.position();
  const DiskCache::Found found = cache.FindLongest(ids);
  if (static_cast<int64_t>(found.tokens()) <= here) return here;
  TakeBlocks(found.tokens() - static_cast<size_t>(here));
  cache.Restore(ids, found, &memory);
  memory.DropSpare();
  return memory.position();
}

std::optional<SessionState::Leaving> SessionState::Leave() const noexcept {
  const Sequence& memory = sequence_;
  Leaving leaving;
  leaving.reservation = Reservation::Try(budget_, memory.MarkBytes());
  if (!leaving.reservation.taken()) return std::nullopt;
  try {
    leaving.mark = memory.Mark();
    return leaving;
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

void SessionState::DropOldest() {
  const auto oldest =
      std::min_element(points_.begin(), points_.end(),
                       [](const auto& a, const auto& b) { return a.last_use < b.last_use; });
  points_bytes_ -= oldest->whole_bytes;
  points_.erase(oldest);
}

bool SessionState::MakeRoom(uint64_t whole_bytes) {
  // All points together may take as much again as the session itself when it is full.
  const uint64_t most = most_bytes_;
  if (whole_bytes > most || shape_.restore_points == 0) return false;
  while (!points_.empty() && (points_bytes_ + whole_bytes > most ||
                              points_.size() >= static_cast<size_t>(shape_.restore_points))) {
    DropOldest();
  }
  return true;
}

void SessionState::KeepRestorePoint() {
  const Sequence& memory = sequence_;
  const std::span<const int32_t> ids = memory.tokens();
  if (shape_.restore_points == 0 || ids.empty()) return;
  for (RestorePoint& point : points_) {
    if (point.mark.ids.size() == ids.size() &&
        CommonPrefix(point.mark.ids, ids) == memory.position()) {
      point.last_use = ++uses_;
      return;
    }
  }
  const uint64_t bytes = memory.MarkBytes(), whole_bytes = memory.WholeBytes();
  if (!MakeRoom(whole_bytes)) return;
  RestorePoint point;
  point.reservation = Reservation::Try(budget_, bytes);
  while (!point.reservation.taken() && !points_.empty()) {
    DropOldest();
    point.reservation = Reservation::Try(budget_, bytes);
  }
  if (!point.reservation.taken()) return;
  point.mark = memory.Mark();
  point.whole_bytes = whole_bytes;
  point.last_use = ++uses_;
  points_.push_back(std::move(point));
  points_bytes_ += whole_bytes;
}

}  // namespace finback
