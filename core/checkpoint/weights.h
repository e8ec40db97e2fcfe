// The tensors of a checkpoint folder as mapped views. Opening checks every header against the
// config (names, dtypes, shapes, offsets, overlaps, totals); contents are checked on first use and
// by Verify. Immutable once open, except for the lazy content checks, which are thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/checkpoint/config.h"

namespace finback {

enum class Dtype : uint8_t { kF32, kBf16, kF8E4m3, kF8E8m0, kFp4Packed, kI64, kI32 };
inline constexpr const char* kDtypeNames[] = {"F32", "BF16", "F8_E4M3", "F8_E8M0",
                                              "FP4", "I64",  "I32"};  // by Dtype

// The part of the network that a tensor belongs to; everything of a draft block is kDraft.
enum class TensorKind : uint8_t {
  kEmbedding,
  kHead,
  kAttention,
  kCompressor,
  kIndexer,
  kRouter,
  kHashTable,
  kSharedExpert,
  kRoutedExperts,
  kHyperConnections,
  kNorms,
  kDraft,
};
inline constexpr size_t kTensorKindCount = static_cast<size_t>(TensorKind::kDraft) + 1;

struct Tensor {
  std::string_view name;
  TensorKind kind = TensorKind::kEmbedding;
  bool is_scale = false;  // of a quantized matrix
  Dtype dtype = Dtype::kF32;
  int32_t rank = 0;
  int64_t shape[3] = {0, 0, 0};   // kFp4Packed: logical [out, in]
  const uint8_t* data = nullptr;  // not necessarily aligned
  uint64_t bytes = 0;
  uint32_t file = 0;
};

// A matrix product's weights: [out, in], with block scales when quantized.
struct Linear {
  Dtype dtype = Dtype::kF32;  // kF32, kBf16, kF8E4m3, kFp4Packed
  size_t out = 0, in = 0;
  const uint8_t* weight = nullptr;
  // E8M0: kF8E4m3 [ceil(out/128), ceil(in/128)]; kFp4Packed [out, in/32].
  const uint8_t* scale = nullptr;
  bool quantized() const { return dtype == Dtype::kF8E4m3 || dtype == Dtype::kFp4Packed; }
};

struct Vector {  // F32 or widened BF16, owned copy: norms, biases, hc base and scale, sinks
  std::vector<float> values;
  const float* data() const { return values.data(); }
  float operator[](size_t i) const { return values[i]; }
};

struct HyperConnectionWeights {
  Linear fn;  // kF32 [(2+m)m, m*hidden], or [m, m*hidden] for a head
  Vector base, scale;
};

struct CompressorWeights {
  Linear wkv, wgate;  // kBf16 [co*width, hidden], co = 2 when overlapping
  Vector ape;         // [ratio, co*width]
  Vector norm;        // [width]
};

struct AttentionWeights {
  Linear wq_a, wq_b, wkv, wo_a, wo_b;  // wo_a [o_groups*o_lora_rank, heads*head_dim/o_groups]
  Vector q_norm, kv_norm, sink;
  CompressorWeights compressor;        // kCsa, kHca
  Linear index_wq_b, index_weights;    // kCsa
  CompressorWeights index_compressor;  // kCsa
};

struct ExpertWeights {
  Linear gate, up, down;  // w1, w3, w2
};

struct MoeWeights {
  Linear router;                           // kBf16 [experts, hidden]
  Vector bias;                             // empty for hash layers
  const uint8_t* token_experts = nullptr;  // hash layers: [vocab, experts_per_token], I64 or I32
  Dtype token_experts_dtype = Dtype::kI64;
  ExpertWeights shared;
  std::vector<ExpertWeights> experts;
};

struct LayerWeights {
  Vector attn_norm, ffn_norm;
  HyperConnectionWeights hc_attn, hc_ffn;
  AttentionWeights attn;
  MoeWeights moe;
};

struct DraftWeights {  // an MTP block
  LayerWeights layer;
  Linear e_proj, h_proj;
  Vector enorm, hnorm, norm;
  HyperConnectionWeights hc_head;
};

// What the mtp.* tensors are: the config's blocks, a draft module of another design, which is
// ignored, or not there.
enum class FoundDrafts : uint8_t { kOurs, kForeign, kNone };

// Told of the bytes copied, first of 0 of them; throws to stop.
using CopyProgress = std::function<void(uint64_t done, uint64_t total)>;

// Where weights are: in the folder's files, mapped, unless one of these says otherwise.
struct WeightsIn {
  CopyProgress copy = {};  // the files are read into memory, and this is told
  // What model.safetensors would hold; outlives the weights and does not change.
  std::span<const uint8_t> memory = {};
};

class Weights {
 public:
  // Throws Error(kCheckpoint | kNotFound | kIo | kUnsupported): file, tensor, found, expected.
  static std::unique_ptr<Weights> Open(const std::string& folder, const Config& config,
                                       const WeightsIn& in = {});
  ~Weights();

  Linear embed, head;  // kBf16 [vocab, hidden]
  Vector norm;
  HyperConnectionWeights hc_head;
  std::vector<LayerWeights> layers;  // [config.layers_count]
  std::vector<DraftWeights> drafts;  // [config.drafts]; empty unless found_drafts() is kOurs

  // Every tensor that the model uses, by name; names in the published spelling.
  const std::vector<Tensor>& tensors() const;
  const std::vector<std::string>& files() const;  // shard paths
  uint64_t total_bytes() const;
  uint64_t file_bytes(uint32_t file) const;
  int64_t file_date_ns(uint32_t file) const;  // as the opened file had it
  // Unless it is kOurs, treat config.drafts as 0, whatever the config says.
  FoundDrafts found_drafts() const;

  // Throws Error(kIo) if a shard has changed since it was opened. Cheap: before each pass over the
  // weights, though a file that is cut during one cannot be told in time.
  void CheckFiles() const;

  // Looks at up to nine places of every shard, its end among them, for content that was never
  // written: milliseconds, however large the files are. Throws as below.
  void CheckSamples() const;

  // Reads all files that are not in memory yet, and waits for it. `progress(done_bytes,
  // total_bytes)` may throw to stop. Throws Error(kIo) where a file cannot be read.
  void Prefault(const std::function<void(uint64_t, uint64_t)>& progress) const;

  // Starts to read what will be wanted soon, a layer's dense tensors or an expert's, unless it has
  // been looked at before: on a first pass the disk is then asked for all of it at once.
  void ReadAheadLayer(int32_t layer) const;
  void ReadAheadExpert(int32_t layer, int32_t expert) const;

  // Checks the contents behind a layer's dense tensors / one expert / the shared tensors once (NaN
  // scale or weight codes, expert ids out of range); later calls return at once. `layer` counts MTP
  // blocks after the main layers. Throws Error(kCheckpoint) naming file, tensor and element. Must
  // be called before the data behind a Linear is read: scales that a file stores as
  // F32 become E8M0 here.
  void CheckGlobal() const;
  void CheckLayer(int32_t layer) const;
  void CheckExpert(int32_t layer, int32_t expert) const;

  // Every tensor's contents. `progress(done_bytes, total_bytes)`
  // returning false cancels (kCancelled).
  void VerifyAll(const std::function<bool(uint64_t, uint64_t)>& progress) const;

 private:
  Weights();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace finback
