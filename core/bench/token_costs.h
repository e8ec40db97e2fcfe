// What a decoded token costs: bytes that it reads and operations that it computes, by counting.
#pragma once

#include <cstdint>
#include <vector>

#include "core/bench/published_tensors.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"

namespace finback {

// Of weights, in bytes. A pass reads what is dense once, and each distinct expert once.
struct WeightBytes {
  uint64_t dense = 0;       // all layers and the head; a row of the embedding and of hash tables
  uint64_t one_expert = 0;  // a routed expert of one layer
  uint64_t total = 0;       // of the whole checkpoint

  uint64_t Read(double distinct_experts) const {
    return dense + static_cast<uint64_t>(distinct_experts * static_cast<double>(one_expert));
  }
};

// As a checkpoint has them, or as a published one of this config would.
WeightBytes CountWeights(const Config& config, const Weights& weights);
WeightBytes CountWeights(const Config& config, const std::vector<PublishedTensor>& tensors);

// A multiply-add is two. Of one token at a position; those of the linears depend on none.
struct TokenOperations {
  double linear = 0;  // with the head
  double head = 0;    // of them
  double attention = 0, indexer = 0;
};
TokenOperations CountOperations(const Config& config, uint64_t position);

}  // namespace finback
