// The tensors that a checkpoint of a config has in the published layout and dtypes
// (docs/architecture.md 2.2), without draft blocks: what a random one is made of, and what a token
// costs on a machine that has no checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"

namespace finback {

struct PublishedTensor {
  std::string name;
  TensorKind kind;
  Dtype dtype;
  bool is_scale;
  std::vector<int64_t> shape;  // kFp4Packed: logical [out, in]
  double deviation;  // of values that keep activations at the size that they come in; of a scale:
                     // of the matrix
  uint64_t bytes() const;
};

std::vector<PublishedTensor> PublishedTensors(const Config& config);

}  // namespace finback
