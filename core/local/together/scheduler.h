// The one way in which the streams and sequences of an engine compute, so that they share passes.
// There is no thread of its own: whoever wants tokens and finds nobody computing computes for all
// who wait, and hands on when its own are done. What a segment gives does not depend on the others:
// equal bits. Any number of threads.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "core/base/process.h"
#include "core/local/together/company.h"
#include "core/local/together/pace.h"
#include "core/network/evaluator.h"
#include "core/network/model.h"
#include "core/network/sequence.h"

namespace finback {

struct SchedulerShape {
  int64_t context_tokens = 0;      // of the longest sequence
  int32_t chunk_tokens = 0;        // rows of a pass, if most_together is not more
  int32_t most_together = 16;      // segments of a pass
  int32_t prefill_pause_ms = 250;  // by which a prompt may lengthen a pass of streams that decode
};

class Scheduler {
 public:
  // Bytes that a Scheduler reserves, whatever the number of sequences.
  static uint64_t PlanBytes(const Model& model, const SchedulerShape& shape);

  Scheduler(const Model& model, const SchedulerShape& shape);

  const Model& model() const { return evaluator_.model(); }

  // As Evaluator::Run() with this segment alone, and returns when it is done. Cancel takes effect
  // within a layer and stops nobody else, whoever computes; progress is called by this thread, and
  // holds up nobody; between_layers is not called. The sequence is this call's alone meanwhile.
  void Evaluate(const Segment& segment, const EvaluateControl& control = {});

  // As Evaluator::RollBack().
  void RollBack(Sequence* sequence, int64_t tokens);

  // Nobody need wait for this sequence: its stream is over. Not while it is evaluated.
  void Leave(const Sequence& sequence) noexcept;

 private:
  struct Request;
  using Lock = std::unique_lock<ForkMutex>;
  using Clock = Company::Clock;

  void ForgetParent();
  void Await(Request* request);
  void Lead(Request* own, Lock* lock);
  void Meet(Request* own, Lock* lock);
  void Gather();
  void ComputePass(Request* own, Lock* lock);
  void EndPass(Clock::duration took);
  void FailPass() noexcept;
  void EndCancelled();
  void GetOn(Request* request) noexcept;
  void HandOn() noexcept;

  const int32_t most_together_, prefill_pause_ms_;

  ForkMutex mutex_;  // of all that follows, but for the evaluator, which is the leader's
  uint64_t process_ = ProcessGeneration();
  std::vector<Request*> waiting_;  // in the order in which they are served
  std::vector<Request*> in_pass_;  // of them, whose rows are computed
  Request* leader_ = nullptr;      // who computes, or has been told to; null: nobody waits
  bool meeting_ = false;           // the leader waits for others to come
  Clock::time_point began_;        // the pass, of which a leader may leave a part to the next
  Company company_;
  Pace pace_;

  Evaluator evaluator_;
  std::vector<PassPart> parts_;
};

}  // namespace finback
