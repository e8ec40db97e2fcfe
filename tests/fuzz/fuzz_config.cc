// config.json: whatever is accepted keeps the promises that the network is built on.
#include <stdint.h>

#include <cmath>
#include <string>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/checkpoint/config.h"
#include "core/checkpoint/verify.h"

namespace {

void Require(bool promise) {
  if (!promise) __builtin_trap();
}

void CheckSizes(const finback::Config& c) {
  for (const int32_t size :
       {c.hidden, c.layers_count, c.vocab, c.heads, c.q_lora_rank, c.o_groups, c.o_lora_rank,
        c.experts_per_token, c.expert_width, c.hc_streams, c.hc_sinkhorn_iterations, c.window}) {
    Require(size >= 1);
  }
  Require(c.rope_dim >= 2 && c.rope_dim % 2 == 0 && c.rope_dim <= c.head_dim);
  Require(c.heads % c.o_groups == 0 && c.experts_per_token <= c.experts);
  Require(c.hc_streams <= 16 && c.window <= 65536 && c.max_position >= 1);
  Require(c.bos_id >= 0 && c.bos_id < c.vocab && !c.eos_ids.empty());
  for (const int32_t id : c.eos_ids) Require(id >= 0 && id < c.vocab);
}

void CheckNumbers(const finback::Config& c) {
  for (const float number : {c.rope_theta, c.compress_rope_theta, c.yarn_factor, c.yarn_beta_fast,
                             c.yarn_beta_slow, c.rms_norm_eps, c.routed_scale}) {
    Require(std::isfinite(number) && number > 0);
  }
  Require(c.rope_theta > 1 && c.compress_rope_theta > 1 && c.yarn_factor >= 1);
}

void CheckLayers(const finback::Config& c) {
  Require(c.drafts >= 0 && c.layers.size() == static_cast<size_t>(c.layers_count + c.drafts));
  for (const finback::LayerSpec& layer : c.layers) {
    Require(layer.ratio >= 0 && (layer.kind == finback::LayerKind::kWindow) == (layer.ratio == 0));
    if (layer.kind != finback::LayerKind::kCsa) continue;
    Require(layer.ratio == 4 && c.index_heads > 0 && c.index_topk > 0);
    Require(c.index_head_dim >= c.rope_dim && (c.index_head_dim & (c.index_head_dim - 1)) == 0);
  }
  if (!c.quantized_cache) return;
  Require((c.head_dim - c.rope_dim) % 64 == 0 && c.index_head_dim % 32 == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const finback::Config config = finback::ParseConfig(text, "config.json");
    CheckSizes(config);
    CheckNumbers(config);
    CheckLayers(config);
    Require(finback::PublishedTotals(config).tensors > 0);
  } catch (const finback::Error& error) {
    Require(finback::FindInvalidUtf8(error.what()) == finback::kValidUtf8);
  }
  return 0;
}
