// Finds, checks and binds the tensors that a config asks for (docs/architecture.md 2.2). The order
// of calls is the published inventory; what is left unbound at the end does not belong to the
// model.
#pragma once

#include <initializer_list>
#include <string>

#include "core/checkpoint/config.h"
#include "core/checkpoint/tensor_store.h"

namespace finback {

class WeightBinder {
 public:
  WeightBinder(const Config& config, TensorStore* store) : config_(config), store_(*store) {}

  // Throws Error(kCheckpoint | kUnsupported) naming file, tensor, found and expected.
  void BindAll(int32_t drafts, Weights* weights);

 private:
  // What a matrix may be stored as.
  enum class Storage : uint8_t {
    kFloat,         // BF16 or F32 as stored
    kFloat32,       // F32; BF16 is widened once
    kFp8,           // FP8 with tile scales and inputs quantized in blocks of 128, or kFloat
    kFp8Unblocked,  // the same where inputs stay as they are: any input width
    kExpert,        // packed FP4 with row scales, or kFp8
  };

  static const char* ExpectedDtypes(Storage storage);
  Dtype MatrixDtype(size_t tensor, Storage storage) const;
  void CheckPacked(size_t tensor, int64_t out, int64_t in) const;
  Linear Matrix(TensorKind kind, const std::string& name, Storage storage, int64_t out, int64_t in);
  Vector Values(TensorKind kind, const std::string& name, std::initializer_list<int64_t> shape);
  Vector Norm(const std::string& name, int64_t width) {
    return Values(TensorKind::kNorms, name + ".weight", {width});
  }
  const uint8_t* Scale(TensorKind kind, const std::string& name, int64_t rows, int64_t columns);
  HyperConnectionWeights HyperConnection(const std::string& name, int64_t rows, int64_t scales);
  CompressorWeights Compressor(TensorKind kind, const std::string& name, const LayerSpec& layer,
                               int64_t width);
  AttentionWeights Attention(const std::string& prefix, const LayerSpec& layer);
  ExpertWeights Expert(TensorKind kind, const std::string& prefix, Storage storage);
  MoeWeights Moe(const std::string& prefix, const LayerSpec& layer);
  LayerWeights Layer(const std::string& prefix, const LayerSpec& layer);

  size_t Require(const std::string& name, const char* dtypes, const int64_t* shape, int rank);
  void CheckShape(size_t tensor, const int64_t* shape, int rank) const;
  [[noreturn]] void ThrowDtype(size_t tensor, const char* expected) const;
  Tensor& Mark(size_t tensor, TensorKind kind, Dtype dtype, const int64_t* shape, int rank);

  const Config& config_;
  TensorStore& store_;
  bool in_draft_ = false;  // what is bound now is a draft block's
};

}  // namespace finback
