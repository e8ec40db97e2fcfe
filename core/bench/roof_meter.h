// What all threads together reach of this machine's memory and arithmetic, again and again between
// what is measured, so that both see the same neighbours.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/buffer.h"
#include "core/base/parallel.h"
#include "core/kernels/roofs/roofs.h"

namespace finback {

// Each a number a second, of all threads; empty where there is no such instruction.
struct RoofSamples {
  std::vector<double> read, f32, bf16, int8;
};

class RoofMeter {
 public:
  // Reads `bytes`, which should be more than all caches hold.
  RoofMeter(const Parallel& parallel, uint32_t isa, size_t bytes);

  void Measure();
  const RoofSamples& samples() const { return samples_; }
  uint64_t bytes() const { return data_.size(); }

 private:
  double ReadOnce() const;
  double MultiplyOnce(const MultiplyRoof& roof, size_t rounds) const;
  size_t RoundsOf(const MultiplyRoof& roof) const;

  const Parallel& parallel_;
  const Roofs roofs_;
  Buffer<uint8_t> data_;
  size_t part_;  // that a thread reads
  size_t f32_rounds_, bf16_rounds_, int8_rounds_;
  mutable std::vector<double> sinks_;  // [threads * a cache line]
  RoofSamples samples_;
};

}  // namespace finback
