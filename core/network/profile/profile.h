// Where the time of passes goes: by phase and by layer, in wall-clock time of the thread that runs
// them. A model that was opened with a profile adds to it; without one a phase costs the test of a
// pointer. Kernels are not timed, only what calls them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/parallel.h"
#include "core/kernels/gemm.h"

namespace finback {

// A product belongs to the phase of its weights' format, wherever it stands. A fork that computes
// several phases counts as the first that it names.
enum class Phase : uint8_t {
  kProductsF32,
  kProductsBf16,
  kProductsFp8,
  kProductsFp4,
  kAttention,
  kIndexer,
  kTopK,
  kHyperConnections,
  kRest,
};
inline constexpr size_t kPhases = 9;

constexpr Phase ProductPhase(GemmFormat format) { return static_cast<Phase>(format); }
static_assert(ProductPhase(kGemmF32) == Phase::kProductsF32 &&
              ProductPhase(kGemmBf16) == Phase::kProductsBf16 &&
              ProductPhase(kGemmFp8) == Phase::kProductsFp8 &&
              ProductPhase(kGemmFp4) == Phase::kProductsFp4);

// One thread at a time: passes of a model that has one must not overlap.
class Profile {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Profile(size_t layers) : layer_time(layers) {}

  Clock::duration total{};           // of passes
  Clock::duration phase[kPhases]{};  // without the phases inside them: they add up to `total`
  std::vector<Clock::duration> layer_time;  // [layers], the rest is embedding and head
  uint64_t passes = 0;
  uint64_t routed_experts = 0;  // distinct ones, of each layer of each pass
  ForkCount forks;
  uint64_t layer_forks = 0;  // those of layers

  void Clear() { *this = Profile(layer_time.size()); }

 private:
  friend class PhaseScope;
  friend class PassScope;

  // Ends the present phase; returns it.
  Phase Turn(Phase to) {
    const Clock::time_point now = Clock::now();
    const Phase before = now_;
    phase[static_cast<size_t>(before)] += now - since_;
    now_ = to;
    since_ = now;
    return before;
  }

  Phase now_ = Phase::kRest;
  Clock::time_point since_;
};

// The time until the end of the scope is of `phase`, but for the scopes inside it.
class PhaseScope {
 public:
  PhaseScope(Profile* profile, Phase phase) : profile_(profile) {
    if (profile_ != nullptr) before_ = profile_->Turn(phase);
  }
  ~PhaseScope() {
    if (profile_ != nullptr) profile_->Turn(before_);
  }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

 private:
  Profile* profile_;
  Phase before_ = Phase::kRest;
};

// A pass: what is in no other phase of it is the rest.
class PassScope {
 public:
  explicit PassScope(Profile* profile) : profile_(profile) {
    if (profile_ == nullptr) return;
    begin_ = profile_->since_ = Profile::Clock::now();
    ++profile_->passes;
  }
  ~PassScope() {
    if (profile_ == nullptr) return;
    profile_->Turn(Phase::kRest);
    profile_->total += profile_->since_ - begin_;
  }
  PassScope(const PassScope&) = delete;
  PassScope& operator=(const PassScope&) = delete;

 private:
  Profile* profile_;
  Profile::Clock::time_point begin_;
};

// The time until the end of the scope is of a layer.
class LayerScope {
 public:
  LayerScope(Profile* profile, size_t layer) : profile_(profile), layer_(layer) {
    if (profile_ == nullptr) return;
    forks_before_ = profile_->forks.forks;
    begin_ = Profile::Clock::now();
  }
  ~LayerScope() {
    if (profile_ == nullptr) return;
    profile_->layer_time[layer_] += Profile::Clock::now() - begin_;
    profile_->layer_forks += profile_->forks.forks - forks_before_;
  }
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

 private:
  Profile* profile_;
  size_t layer_;
  uint64_t forks_before_ = 0;
  Profile::Clock::time_point begin_;
};

}  // namespace finback
