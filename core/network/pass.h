// One chunk of tokens on its way through the network: what every part of it needs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/network/compute.h"
#include "core/network/scratch.h"

namespace finback {

// What a layer chose, for tests: rows appended in token order.
struct LayerTrace {
  std::vector<int32_t> experts;                // [tokens, experts_per_token]
  std::vector<std::vector<int32_t>> selected;  // CSA: [tokens] of ascending entry numbers
};

struct Pass {
  const Compute& compute;
  const Weights& weights;
  std::span<const int32_t> ids;  // [rows]
  size_t position;               // of ids[0] in the sequence
  Scratch* scratch;
  LayerTrace* trace = nullptr;

  size_t rows() const { return ids.size(); }
};

}  // namespace finback
