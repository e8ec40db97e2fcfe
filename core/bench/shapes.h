// The layer shapes of the published models, and a small one to try things out with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finback {

struct ModelShape {
  const char* name;
  int32_t hidden, heads, head_dim, rope_dim, q_lora_rank, o_groups, o_lora_rank, window;
  int32_t index_heads, index_head_dim, index_topk;
  int32_t experts, experts_per_token, expert_width, vocab;
  double routed_scale;
  std::vector<int64_t> kinds;   // of every layer, as in compress_ratios, without the draft block's
  std::vector<int64_t> sample;  // a few layers that stand for all
};

// Null if there is none of that name.
const ModelShape* FindShape(std::string_view name);
std::string ShapeNames();  // "flash, pro or tiny"

// config.json of a model of this shape with other layers and experts, without draft blocks.
std::string ShapeConfig(const ModelShape& shape, const std::vector<int64_t>& kinds,
                        int64_t experts);

}  // namespace finback
