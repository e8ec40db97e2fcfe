// The network over one checkpoint. Immutable once open; any number of sequences and evaluators
// share it.
#pragma once

#include <memory>
#include <string>

#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"
#include "core/network/compute.h"

namespace finback {

struct ModelOptions {
  Precision precision = Precision::kPublished;
  int threads = 0;  // 0: AvailableProcessors()
  WeightsIn weights = {};
  // Adds up the time of passes, which then must not overlap; it lives as long as the model.
  Profile* profile = nullptr;
};

class Model {
 public:
  static std::unique_ptr<Model> Open(const std::string& folder, const ModelOptions& options);

  const std::string& folder() const { return folder_; }
  const Config& config() const { return config_; }
  const Weights& weights() const { return *weights_; }
  Precision precision() const { return precision_; }
  const Compute& compute() const { return *compute_; }

 private:
  Model(const std::string& folder, const ModelOptions& options);

  std::string folder_;
  Config config_;
  Precision precision_;
  std::unique_ptr<Weights> weights_;
  std::unique_ptr<const Compute> compute_;  // refers to config_
};

}  // namespace finback
