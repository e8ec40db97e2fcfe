// The network over one checkpoint. Immutable once open; any number of sequences share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/parallel.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/weights.h"

namespace finback {

enum class Precision : uint8_t {
  kPublished,  // every rounding of the published model
  kBf16,       // inputs of quantized linears stay bfloat16
  kFloat32,    // no rounding anywhere: for the oracle
};

struct ModelOptions {
  Precision precision = Precision::kPublished;
  int threads = 0;  // 0: one per online core
};

class Model {
 public:
  static std::unique_ptr<Model> Open(const std::string& folder, const ModelOptions& options);
  ~Model();

  const Config& config() const;
  const Weights& weights() const;
  Precision precision() const;
  const Parallel& parallel() const;
  const std::string& folder() const;

  struct Impl;  // model_impl.h, for this room and its tests
  const Impl& impl() const { return *impl_; }

 private:
  Model();
  std::unique_ptr<Impl> impl_;
};

}  // namespace finback
