// A checkpoint's configuration, parsed and validated once. Everything later may rely on its bounds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace finback {

enum class LayerKind : uint8_t { kWindow, kCsa, kHca };  // compression ratio 0, 4, other

enum class Scoring : uint8_t { kSqrtSoftplus, kSigmoid, kSoftmax };

// How reasoning effort is spelled in the prompt.
enum class EffortLadder : uint8_t { kPreview, k0731 };

inline constexpr int32_t kMaxIndexHeadDim = 4096;

struct LayerSpec {
  LayerKind kind = LayerKind::kWindow;
  int32_t ratio = 0;         // tokens per compressed entry; 0 for kWindow
  bool hash_routed = false;  // experts are looked up by token id
};

struct Config {
  int32_t hidden = 0, layers_count = 0, vocab = 0;
  int32_t heads = 0, head_dim = 0, rope_dim = 0, q_lora_rank = 0, o_groups = 0, o_lora_rank = 0;
  int32_t window = 0;
  int32_t index_heads = 0, index_head_dim = 0, index_topk = 0;
  int32_t experts = 0, experts_per_token = 0, expert_width = 0, hash_layers = 0;
  int32_t hc_streams = 0, hc_sinkhorn_iterations = 0;
  int32_t drafts = 0;  // MTP blocks that this library runs; 0 when they are of another design
  int64_t max_position = 0;
  float rms_norm_eps = 1e-6f, hc_eps = 1e-6f, routed_scale = 1.0f, swiglu_limit = 0.0f;
  float rope_theta = 10000.0f, compress_rope_theta = 160000.0f;
  float yarn_factor = 1.0f, yarn_beta_fast = 32.0f, yarn_beta_slow = 1.0f;
  int64_t yarn_original_positions = 0;  // 0: no YaRN
  Scoring scoring = Scoring::kSqrtSoftplus;
  EffortLadder effort_ladder = EffortLadder::kPreview;
  bool foreign_drafts = false;  // mtp.* tensors belong to a draft module that is ignored
  int32_t bos_id = 0;
  std::vector<int32_t> eos_ids = {1};  // any of them ends an answer; at least one
  std::vector<LayerSpec> layers;       // [layers_count], then one per MTP block

  std::vector<std::string> notes;  // what was ignored, for the log

  bool quantized = true;  // has a quantization_config, without which FP8 and FP4 are refused
  // False for checkpoints that say nothing of quantization, and when head shapes do not allow the
  // published roundings (head_dim - rope_dim not a multiple of 64, index_head_dim not of 32): they
  // run without the cache simulations (docs/architecture.md 1.4).
  bool quantized_cache = true;
};

// `path` is used in messages only. Throws Error(kCheckpoint) naming the field, found and expected,
// and Error(kUnsupported) naming the architecture when it is not DeepSeek-V4.
Config ParseConfig(const std::string& text, const std::string& path);

// Reads and parses <folder>/config.json.
Config LoadConfig(const std::string& folder);

}  // namespace finback
