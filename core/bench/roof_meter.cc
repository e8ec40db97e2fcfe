#include "core/bench/roof_meter.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace finback {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTries = 3;  // the best of them is a sample
constexpr double kLeastSeconds = 0.002;
constexpr size_t kReadStep = 256, kSinkStep = 8;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

RoofMeter::RoofMeter(const Parallel& parallel, uint32_t isa, size_t bytes)
    : parallel_(parallel), roofs_(PickRoofs(isa)) {
  const size_t threads = static_cast<size_t>(parallel.threads());
  part_ = std::max(kReadStep, bytes / threads / kReadStep * kReadStep);
  data_.Allocate(part_ * threads);
  // Untouched pages would all be one page of zeros, which a cache holds.
  parallel.For(threads, 1, [&](size_t begin, size_t end) {
    memset(data_.data() + begin * part_, 1, (end - begin) * part_);
  });
  sinks_.resize(threads * kSinkStep);
  f32_rounds_ = RoundsOf(roofs_.f32);
  bf16_rounds_ = RoundsOf(roofs_.bf16);
  int8_rounds_ = RoundsOf(roofs_.int8);
}

double RoofMeter::ReadOnce() const {
  const size_t threads = static_cast<size_t>(parallel_.threads());
  const Clock::time_point begin = Clock::now();
  parallel_.For(threads, 1, [&](size_t first, size_t end) {
    for (size_t i = first; i < end; ++i) {
      sinks_[i * kSinkStep] += static_cast<double>(roofs_.read(data_.data() + i * part_, part_));
    }
  });
  return static_cast<double>(data_.size()) / SecondsSince(begin);
}

double RoofMeter::MultiplyOnce(const MultiplyRoof& roof, size_t rounds) const {
  const size_t threads = static_cast<size_t>(parallel_.threads());
  const Clock::time_point begin = Clock::now();
  parallel_.For(threads, 1, [&](size_t first, size_t end) {
    for (size_t i = first; i < end; ++i) sinks_[i * kSinkStep] += roof.loop(rounds);
  });
  const double work = static_cast<double>(rounds) * static_cast<double>(threads) * roof.operations;
  return work / SecondsSince(begin);
}

size_t RoofMeter::RoundsOf(const MultiplyRoof& roof) const {
  if (roof.loop == nullptr) return 0;
  for (size_t rounds = 1024;; rounds *= 2) {
    const Clock::time_point begin = Clock::now();
    sinks_[0] += roof.loop(rounds);
    if (SecondsSince(begin) > kLeastSeconds) return rounds;
  }
}

void RoofMeter::Measure() {
  const auto best = [](const auto& once) {
    double most = 0;
    for (int i = 0; i < kTries; ++i) most = std::max(most, once());
    return most;
  };
  const auto multiply = [&](const MultiplyRoof& roof, size_t rounds, std::vector<double>* to) {
    if (roof.loop != nullptr) to->push_back(best([&] { return MultiplyOnce(roof, rounds); }));
  };
  samples_.read.push_back(best([&] { return ReadOnce(); }));
  multiply(roofs_.f32, f32_rounds_, &samples_.f32);
  multiply(roofs_.bf16, bf16_rounds_, &samples_.bf16);
  multiply(roofs_.int8, int8_rounds_, &samples_.int8);
}

}  // namespace finback
