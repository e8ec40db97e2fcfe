// config.json: whatever is accepted keeps the promises that the network is built on.
#include <stdint.h>

#include <cmath>
#include <string>

#include "core/base/status.h"
#include "core/model/config.h"
#include "core/model/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const finback::Config c = finback::ParseConfig(text, "config.json");
    const auto require = [](bool promise) {
      if (!promise) __builtin_trap();
    };
    require(c.hidden > 0 && c.layers_count > 0 && c.vocab > 0 && c.heads > 0 && c.q_lora_rank > 0);
    require(c.rope_dim >= 2 && c.rope_dim % 2 == 0 && c.rope_dim <= c.head_dim);
    require(c.o_groups > 0 && c.heads % c.o_groups == 0 && c.o_lora_rank > 0);
    require(c.experts_per_token > 0 && c.experts_per_token <= c.experts && c.expert_width > 0);
    require(c.hc_streams >= 1 && c.hc_streams <= 16 && c.hc_sinkhorn_iterations >= 1);
    require(c.window >= 1 && c.window <= 65536 && c.max_position >= 1 && c.drafts >= 0);
    require(c.layers.size() == static_cast<size_t>(c.layers_count + c.drafts));
    require(c.bos_id >= 0 && c.bos_id < c.vocab && c.eos_id >= 0);
    require(std::isfinite(c.rope_theta) && c.rope_theta > 1 &&
            std::isfinite(c.compress_rope_theta));
    require(std::isfinite(c.yarn_factor) && c.yarn_factor >= 1 && c.rms_norm_eps > 0);
    for (const finback::LayerSpec& layer : c.layers) {
      require((layer.kind == finback::LayerKind::kWindow) == (layer.ratio == 0) &&
              layer.ratio >= 0);
      if (layer.kind != finback::LayerKind::kCsa) continue;
      require(layer.ratio == 4 && c.index_heads > 0 && c.index_topk > 0);
      require(c.index_head_dim >= c.rope_dim && (c.index_head_dim & (c.index_head_dim - 1)) == 0);
    }
    if (c.quantized_cache) {
      require((c.head_dim - c.rope_dim) % 64 == 0 && c.index_head_dim % 32 == 0);
    }
    require(finback::PublishedTotals(c).tensors > 0);
  } catch (const finback::Error&) {
  }
  return 0;
}
