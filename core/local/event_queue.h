// Events waiting to be pulled. Slots keep their buffers, so a running stream allocates nothing.
#pragma once

#include <utility>
#include <vector>

#include "core/engine/event.h"

namespace finback {

class EventQueue {
 public:
  explicit EventQueue(size_t slots) { events_.reserve(slots); }

  bool empty() const { return head_ == size_; }

  // A cleared event at the end of the queue. Valid until the next call.
  Event* Push(EventKind kind) {
    if (empty()) head_ = size_ = 0;
    if (size_ == events_.size()) events_.emplace_back();
    Event* event = &events_[size_++];
    event->kind = kind;
    event->text.clear();
    event->tool_id.clear();
    event->tool_name.clear();
    event->finish_reason = FinishReason::kNone;
    event->tool_index = 0;
    event->usage = {};
    event->progress_done = event->progress_total = 0;
    event->ends_reasoning = false;
    event->logprobs.clear();
    return event;
  }

  // Only when not empty. The caller's buffers come back as a slot.
  void Pop(Event* event) { std::swap(*event, events_[head_++]); }

 private:
  std::vector<Event> events_;
  size_t head_ = 0, size_ = 0;
};

}  // namespace finback
