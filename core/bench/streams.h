// Several streams that decode at once, as a program's threads drive them: each thread computes a
// token of its own sequence by the scheduler that all share, samples the next one and comes back.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "core/bench/watch.h"
#include "core/local/together/scheduler.h"
#include "core/network/model.h"
#include "core/network/profile/profile.h"
#include "core/network/sequence.h"

namespace finback {

class StreamsMeter {
 public:
  // Of up to `most` streams; `tokens` are decoded for a measurement.
  StreamsMeter(const Model& model, int64_t most, int64_t tokens);

  // Seconds that so many streams take for their tokens, prompts not counted; `profile` has their
  // passes alone.
  double Run(int64_t streams, Profile* profile, Watch* watch);

 private:
  const Model& model_;
  const int64_t tokens_;
  Scheduler scheduler_;
  std::deque<Sequence> sequences_;
  uint64_t random_ = 1;
};

}  // namespace finback
