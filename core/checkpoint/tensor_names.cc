#include "core/checkpoint/tensor_names.h"

#include <algorithm>

namespace finback {
namespace {

struct Rule {
  std::string_view other, published;  // whole dot-separated parts of a name
};

// The first that fits at a part of the name wins: longer runs of parts stand before shorter ones.
constexpr Rule kRules[] = {
    {"self_attn.compressor.indexer.kv_proj", "attn.indexer.compressor.wkv"},
    {"self_attn.compressor.indexer.gate_proj", "attn.indexer.compressor.wgate"},
    {"self_attn.compressor.indexer.position_bias", "attn.indexer.compressor.ape"},
    {"self_attn.compressor.indexer.kv_norm", "attn.indexer.compressor.norm"},
    {"self_attn.compressor.indexer.q_b_proj", "attn.indexer.wq_b"},
    {"self_attn.compressor.indexer.scorer.weights_proj", "attn.indexer.weights_proj"},
    {"self_attn.compressor.indexer", "attn.indexer"},
    {"self_attn.compressor.kv_proj", "attn.compressor.wkv"},
    {"self_attn.compressor.gate_proj", "attn.compressor.wgate"},
    {"self_attn.compressor.position_bias", "attn.compressor.ape"},
    {"self_attn.compressor.kv_norm", "attn.compressor.norm"},
    {"self_attn.q_a_proj", "attn.wq_a"},
    {"self_attn.q_b_proj", "attn.wq_b"},
    {"self_attn.kv_proj", "attn.wkv"},
    {"self_attn.o_a_proj", "attn.wo_a"},
    {"self_attn.o_b_proj", "attn.wo_b"},
    {"self_attn.q_a_norm", "attn.q_norm"},
    {"self_attn.q_a_layernorm", "attn.q_norm"},
    {"self_attn.kv_a_layernorm", "attn.kv_norm"},
    {"self_attn.sinks", "attn.attn_sink"},
    {"self_attn", "attn"},
    {"gate.e_score_correction_bias", "gate.bias"},
    {"gate_proj", "w1"},
    {"up_proj", "w3"},
    {"down_proj", "w2"},
    {"mlp", "ffn"},
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"attn_hc.fn", "hc_attn_fn"},
    {"attn_hc.base", "hc_attn_base"},
    {"attn_hc.scale", "hc_attn_scale"},
    {"ffn_hc.fn", "hc_ffn_fn"},
    {"ffn_hc.base", "hc_ffn_base"},
    {"ffn_hc.scale", "hc_ffn_scale"},
    {"hc_head.hc_fn", "hc_head_fn"},
    {"hc_head.hc_base", "hc_head_base"},
    {"hc_head.hc_scale", "hc_head_scale"},
    {"embed_tokens", "embed"},
    {"lm_head", "head"},
    {"weight_scale_inv", "scale"},
};

// `text` begins with these whole parts.
bool BeginsWithParts(std::string_view text, std::string_view parts) {
  return text.starts_with(parts) && (text.size() == parts.size() || text[parts.size()] == '.');
}

// The fused tensors carry no ".weight" of their own; their scales have it in front.
constexpr std::string_view kExperts = "ffn.experts.";
constexpr struct {
  std::string_view name;
  FusedExperts kind;
} kFused[] = {{"gate_up_proj", FusedExperts::kGateUp}, {"w2", FusedExperts::kDown}};

}  // namespace

std::string PublishedName(std::string_view stored) {
  constexpr std::string_view kPrefix = "model.";
  if (stored.starts_with(kPrefix)) stored.remove_prefix(kPrefix.size());
  std::string published;
  published.reserve(stored.size());
  while (true) {
    const Rule* found = nullptr;
    for (const Rule& rule : kRules) {
      if (!BeginsWithParts(stored, rule.other)) continue;
      found = &rule;
      break;
    }
    const size_t taken = found ? found->other.size() : std::min(stored.find('.'), stored.size());
    published += found ? found->published : stored.substr(0, taken);
    if (taken == stored.size()) return published;
    published += '.';
    stored.remove_prefix(taken + 1);
  }
}

FusedName ParseFusedName(std::string_view published) {
  FusedName fused;
  const size_t at = published.find(kExperts);
  if (at == std::string_view::npos) return fused;
  const std::string_view rest = published.substr(at + kExperts.size());
  for (const auto& [name, kind] : kFused) {
    if (!rest.starts_with(name)) continue;
    const std::string_view suffix = rest.substr(name.size());
    if (suffix.empty() || suffix == ".weight") {
      fused.suffix = ".weight";
    } else if (suffix == ".scale" || suffix == "_scale_inv") {
      fused.suffix = ".scale";
    } else {
      continue;
    }
    fused.kind = kind;
    fused.prefix = published.substr(0, at + kExperts.size());
    return fused;
  }
  return fused;
}

}  // namespace finback
