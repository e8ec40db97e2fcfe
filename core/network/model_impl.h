// What Model hides from the rooms above: sequences and the oracle program reach
// the compute through it.
#pragma once

#include <memory>
#include <string>

#include "core/network/compute.h"
#include "core/network/model.h"

namespace finback {

struct Model::Impl {
  std::string folder;
  Config config;
  Precision precision;
  std::unique_ptr<Weights> weights;
  std::unique_ptr<Compute> compute;
};

}  // namespace finback
