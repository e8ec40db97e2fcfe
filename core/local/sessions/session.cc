#include "core/local/sessions/session.h"

#include <algorithm>
#include <new>

namespace finback {

Sequence::Plan SessionState::PlanOf(const Model& model, const SessionShape& shape) {
  const Sequence::Plan plan =
      Sequence::PlanOf(model.config(), model.precision(), shape.context_tokens, shape.chunk_tokens);
  const uint64_t logits = static_cast<uint64_t>(model.config().vocab) * sizeof(float);
  return {plan.empty + logits, plan.full + logits};
}

SessionState::SessionState(Scheduler* scheduler, const SessionShape& shape, MemoryBudget* budget,
                           Conversations* conversations, Leaves leaves)
    : scheduler_(scheduler),
      shape_(shape),
      budget_(budget),
      conversations_(conversations),
      leaves_(leaves),
      reservation_(budget, PlanOf(scheduler->model(), shape).empty, "a session"),
      sequence_(scheduler->model(), shape.context_tokens, shape.chunk_tokens, budget),
      logits_(static_cast<size_t>(scheduler->model().config().vocab)) {
  // Who wants no points to return to wants none of either kind.
  if (shape.restore_points != 0) {
    sequence_.KeepCheckpoints(kMostCheckpoints, PlanOf(scheduler->model(), shape).full,
                              static_cast<size_t>(shape.restore_points));
  }
}

SessionState::~SessionState() {
  scheduler_->Leave(sequence_);
  if (leaves_ == Leaves::kForItself) conversations_->Forget(this);
}

void SessionState::Evaluate(Segment segment, const EvaluateControl& control) {
  segment.sequence = &sequence_;
  if (segment.logits == nullptr) segment.logits = logits_.data();
  scheduler_->Evaluate(segment, control);
}

Reuse SessionState::Rewind(std::span<const int32_t> ids, std::span<const WantedCheckpoint> wanted) {
  const std::span<const int32_t> most = ids.first(ids.size() - 1);  // the last gives the logits
  Sequence& memory = sequence_;
  const size_t common = CommonPrefix(memory.tokens(), most);
  const int64_t here = memory.NearestBack(static_cast<int64_t>(common));
  const Conversations::Found found = conversations_->Find(most);
  Reuse reuse;
  reuse.nearest = static_cast<int64_t>(std::max(common, found.nearest));
  if (static_cast<int64_t>(found.tokens) > here) {
    memory.ReturnTo(*found.mark, found.tokens);
    reuse.source = found.running ? Reuse::Source::kRunning : Reuse::Source::kKept;
  } else {
    memory.GoBackTo(here);
    if (here > 0) reuse.source = Reuse::Source::kSession;
  }
  reuse.tokens = memory.position();
  memory.WantCheckpoints(wanted);
  return reuse;
}

int64_t SessionState::Restore(std::span<const int32_t> ids, const DiskCache& cache) {
  ids = ids.first(ids.size() - 1);  // the last id gives the logits
  const int64_t here = sequence_.position();
  const DiskCache::Found found = cache.FindLongest(ids);
  if (static_cast<int64_t>(found.tokens()) <= here) return here;
  return static_cast<int64_t>(cache.Restore(ids, found, &sequence_));
}

// A session that ends with its stream gives of its own what the mark takes: it needs it no longer.
Reservation SessionState::ChargeMark(Stream stream, uint64_t bytes) {
  if (stream == Stream::kOver && leaves_ == Leaves::kForAnybody && bytes <= reservation_.bytes()) {
    return reservation_.Split(bytes);
  }
  return Reservation::Try(budget_, bytes);
}

SharedMark SessionState::Keep(Stream stream) noexcept {
  const Sequence& memory = sequence_;
  if (memory.position() == 0) return nullptr;
  try {
    Reservation charged = ChargeMark(stream, memory.MarkBytes());
    if (!charged.taken()) return nullptr;
    Conversations::Keeping keeping;
    keeping.owner = leaves_ == Leaves::kForItself ? this : nullptr;
    keeping.running = stream == Stream::kRuns;
    keeping.whole_bytes = memory.WholeBytes();
    return conversations_->Keep(memory.Mark(), std::move(charged), keeping);
  } catch (const std::exception&) {  // it can do without
    return nullptr;
  }
}

}  // namespace finback
