#include "core/local/together/scheduler.h"

#include <algorithm>
#include <exception>
#include <new>

#include "core/base/status.h"
#include "core/local/together/doorbell.h"

namespace finback {
namespace {

// Segments of so many rows or fewer wait for nothing but a place: a token, a token and drafts, the
// end of a prompt. They are what a prompt may not hold up.
constexpr size_t kFewRows = 16;

constexpr size_t kSlots = 64;  // reserved: more waiting threads than this are rare

int32_t MostRows(const SchedulerShape& shape) {
  const int64_t chunk = std::min<int64_t>(shape.context_tokens, shape.chunk_tokens);
  return static_cast<int32_t>(std::max<int64_t>(chunk, shape.most_together));
}

bool IsSet(const std::atomic<bool>* cancel) {
  return cancel != nullptr && cancel->load(std::memory_order_relaxed);
}

}  // namespace

// What one thread waits for. It is the leader's and the lock's until it has got on.
struct Scheduler::Request {
  const Segment& segment;
  const EvaluateControl& control;
  size_t done = 0;  // ids computed
  size_t rows = 0;  // of the present pass; 0: it is not in it
  bool waits = true;
  bool cancelled = false;
  std::exception_ptr failure = nullptr;  // of a pass
  Doorbell bell = {};                    // it has got on, or leads
  Doorbell company = {};                 // while it waits for others as the leader

  size_t left() const { return segment.ids.size() - done; }
  bool few() const { return left() <= kFewRows; }
  Company::Rows wish() const {
    return few() && segment.rows != LogitRows::kNone ? Company::Rows::kDecoded
                                                     : Company::Rows::kOther;
  }
};

uint64_t Scheduler::PlanBytes(const Model& model, const SchedulerShape& shape) {
  return Evaluator::PlanBytes(model, shape.context_tokens, MostRows(shape));
}

Scheduler::Scheduler(const Model& model, const SchedulerShape& shape)
    : most_together_(shape.most_together),
      prefill_pause_ms_(shape.prefill_pause_ms),
      evaluator_(model, shape.context_tokens, MostRows(shape)) {
  waiting_.reserve(kSlots);
  in_pass_.reserve(static_cast<size_t>(most_together_));
  parts_.reserve(static_cast<size_t>(most_together_));
}

void Scheduler::Evaluate(const Segment& segment, const EvaluateControl& control) {
  evaluator_.Check(segment);
  Sequence& sequence = *segment.sequence;
  try {
    sequence.TakeBlocks(segment.ids.size());
    Request request{segment, control};
    const size_t total = segment.ids.size();
    while (request.done < total) {
      Await(&request);
      if (request.cancelled) throw Error(Code::kCancelled, "cancelled");
      if (request.failure != nullptr) std::rethrow_exception(request.failure);
      if (control.progress &&
          !control.progress(static_cast<int64_t>(request.done), static_cast<int64_t>(total))) {
        throw Error(Code::kCancelled, "cancelled by the progress callback");
      }
    }
  } catch (...) {
    sequence.DropSpare();
    throw;
  }
}

void Scheduler::RollBack(Sequence* sequence, int64_t tokens) {
  const std::vector<int32_t> again = sequence->RollBackFar(tokens);
  Evaluate({sequence, again});
}

void Scheduler::Leave(const Sequence& sequence) noexcept {
  const std::lock_guard<ForkMutex> guard(mutex_);
  ForgetParent();
  company_.Left(&sequence);
  if (meeting_ && company_.Complete()) leader_->company.Ring();
}

// Threads of the parent do not come back, and may have left anything half done.
void Scheduler::ForgetParent() {
  const bool orphaned = mutex_.TakeOrphaned();
  if (process_ == ProcessGeneration()) return;
  process_ = ProcessGeneration();
  leader_ = nullptr;
  meeting_ = false;
  if (orphaned) {
    new (&waiting_) std::vector<Request*>();
    new (&company_) Company();
  }
  waiting_.clear();
  in_pass_.clear();
  parts_.clear();
}

// Until some more of the request is done, all of it if nobody watches its progress.
void Scheduler::Await(Request* request) {
  Lock lock(mutex_);
  ForgetParent();
  company_.Came(request->segment.sequence, request->wish(), Clock::now());
  waiting_.push_back(request);
  request->waits = true;
  if (leader_ == nullptr) {
    leader_ = request;
  } else {
    if (meeting_ && company_.Complete()) leader_->company.Ring();
    lock.unlock();
    request->bell.Wait();
    if (!request->waits) return;  // and is nobody else's any more
    lock.lock();
  }
  Lead(request, &lock);
}

void Scheduler::Lead(Request* own, Lock* lock) {
  while (own->waits) {
    if (in_pass_.empty()) {
      Meet(own, lock);
      EndCancelled();
      if (!own->waits) break;
      Gather();
    }
    ComputePass(own, lock);
  }
  HandOn();
}

void Scheduler::HandOn() noexcept {
  leader_ = waiting_.empty() ? nullptr : waiting_.front();
  if (leader_ != nullptr) leader_->bell.Ring();
}

void Scheduler::Meet(Request* own, Lock* lock) {
  const Clock::time_point until = company_.deadline();
  meeting_ = true;
  while (!company_.Complete() && Clock::now() < until) {
    lock->unlock();
    own->company.WaitUntil(until);
    lock->lock();
  }
  meeting_ = false;
  company_.GiveUp();
}

// Who is in the next pass: in the order of waiting_, whose first have waited longest.
void Scheduler::Gather() {
  const auto few = [](const Request* request) { return request->few(); };
  size_t places = static_cast<size_t>(most_together_), few_rows = 0;
  for (const Request* request : waiting_) {
    if (request->few()) few_rows += request->left();
  }
  const bool decoding =
      std::any_of(waiting_.begin(), waiting_.end(), few) || company_.AnyDecodes(Clock::now());
  const size_t most = evaluator_.most_rows();
  size_t room = most;
  size_t prompt = most - std::min(most - 1, few_rows);
  if (decoding) prompt = std::min(prompt, pace_.PromptRows(1e-3 * prefill_pause_ms_));
  parts_.clear();
  for (Request* request : waiting_) {
    size_t rows = std::min({request->left(), request->segment.sequence->chunk_tokens(), room});
    if (!request->few()) rows = std::min(rows, prompt);
    if (rows == 0 || places == 0) continue;
    if (!request->few()) prompt -= rows;
    room -= rows;
    --places;
    request->rows = rows;
    in_pass_.push_back(request);
    parts_.push_back({&request->segment, request->done, rows});
  }
}

// The whole pass, or as much of it as `own` is there: who leads next goes on with the rest.
void Scheduler::ComputePass(Request* own, Lock* lock) {
  try {
    bool more = true;
    if (parts_.empty()) {
      EndCancelled();
    } else {
      began_ = Clock::now();
      lock->unlock();
      evaluator_.BeginPass(parts_);
      lock->lock();
      parts_.clear();
    }
    while (more) {
      EndCancelled();
      if (in_pass_.empty() || !own->waits) return;
      lock->unlock();
      more = evaluator_.ComputeLayer();
      lock->lock();
    }
    lock->unlock();
    evaluator_.EndPass();
    lock->lock();
  } catch (...) {
    if (!lock->owns_lock()) lock->lock();
    parts_.clear();
    FailPass();
    return;
  }
  EndPass(Clock::now() - began_);
}

void Scheduler::EndPass(Clock::duration took) {
  size_t few = 0, prompt = 0;
  for (const Request* request : in_pass_) (request->few() ? few : prompt) += request->rows;
  pace_.Took(few, prompt, std::chrono::duration<double>(took).count());
  company_.PassEnded(Clock::now(), took,
                     waiting_.size() > 1 ? Company::Others::kSome : Company::Others::kNone);
  for (Request* request : in_pass_) {
    request->done += request->rows;
    request->rows = 0;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), request));
    if (request->left() == 0) company_.HadRows(request->segment.sequence, request->wish());
    if (request->left() == 0 || request->control.progress) {
      GetOn(request);
    } else {
      waiting_.push_back(request);  // others' turn
    }
  }
  in_pass_.clear();
}

// What a layer or the files said goes to all who are in the pass, to each its own copy.
void Scheduler::FailPass() noexcept {
  for (Request* request : in_pass_) {
    try {
      throw;
    } catch (const Error& error) {
      try {
        request->failure = std::make_exception_ptr(Error(error));
      } catch (...) {
        request->failure = std::current_exception();
      }
    } catch (...) {
      request->failure = std::current_exception();
    }
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), request));
    GetOn(request);
  }
  in_pass_.clear();
}

void Scheduler::EndCancelled() {
  for (size_t i = 0; i < waiting_.size();) {
    Request* request = waiting_[i];
    if (!IsSet(request->control.cancel)) {
      ++i;
      continue;
    }
    if (request->rows != 0) {
      evaluator_.LeaveOut(*request->segment.sequence);
      in_pass_.erase(std::find(in_pass_.begin(), in_pass_.end(), request));
    }
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
    request->cancelled = true;
    GetOn(request);
  }
}

// The last that is done with it: its thread goes on.
void Scheduler::GetOn(Request* request) noexcept {
  request->waits = false;
  if (request != leader_) request->bell.Ring();
}

}  // namespace finback
