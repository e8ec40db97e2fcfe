#include "core/bench/shapes.h"

#include <algorithm>
#include <utility>

#include "core/json/json_writer.h"

namespace finback {
namespace {

constexpr int64_t kHashLayers = 3;  // of the published models, the first ones

// `begin`, then `pairs` times {4, 128}, then 4 (docs/architecture.md 1.1).
std::vector<int64_t> Kinds(std::vector<int64_t> begin, int pairs) {
  for (int i = 0; i < pairs; ++i) begin.insert(begin.end(), {4, 128});
  begin.push_back(4);
  return begin;
}

// Made when asked for: static destructors have no place in a library.
const std::vector<ModelShape>& Shapes() {
  static const auto* const shapes = new std::vector<ModelShape>{{.name = "flash",
                                                                 .hidden = 4096,
                                                                 .heads = 64,
                                                                 .head_dim = 512,
                                                                 .rope_dim = 64,
                                                                 .q_lora_rank = 1024,
                                                                 .o_groups = 8,
                                                                 .o_lora_rank = 1024,
                                                                 .window = 128,
                                                                 .index_heads = 64,
                                                                 .index_head_dim = 128,
                                                                 .index_topk = 512,
                                                                 .experts = 256,
                                                                 .experts_per_token = 6,
                                                                 .expert_width = 2048,
                                                                 .vocab = 129280,
                                                                 .routed_scale = 1.5,
                                                                 .kinds = Kinds({0, 0}, 20),
                                                                 .sample = {0, 4, 128, 4}},
                                                                {.name = "pro",
                                                                 .hidden = 7168,
                                                                 .heads = 128,
                                                                 .head_dim = 512,
                                                                 .rope_dim = 64,
                                                                 .q_lora_rank = 1536,
                                                                 .o_groups = 16,
                                                                 .o_lora_rank = 1024,
                                                                 .window = 128,
                                                                 .index_heads = 64,
                                                                 .index_head_dim = 128,
                                                                 .index_topk = 1024,
                                                                 .experts = 384,
                                                                 .experts_per_token = 6,
                                                                 .expert_width = 3072,
                                                                 .vocab = 129280,
                                                                 .routed_scale = 2.5,
                                                                 .kinds = Kinds({128, 128}, 29),
                                                                 .sample = {128, 4}},
                                                                {.name = "tiny",
                                                                 .hidden = 256,
                                                                 .heads = 4,
                                                                 .head_dim = 128,
                                                                 .rope_dim = 64,
                                                                 .q_lora_rank = 128,
                                                                 .o_groups = 2,
                                                                 .o_lora_rank = 64,
                                                                 .window = 16,
                                                                 .index_heads = 4,
                                                                 .index_head_dim = 64,
                                                                 .index_topk = 8,
                                                                 .experts = 16,
                                                                 .experts_per_token = 4,
                                                                 .expert_width = 128,
                                                                 .vocab = 512,
                                                                 .routed_scale = 1.5,
                                                                 .kinds = Kinds({0}, 2),
                                                                 .sample = {0, 4, 128, 4}}};
  return *shapes;
}

}  // namespace

const ModelShape* FindShape(std::string_view name) {
  const std::vector<ModelShape>& shapes = Shapes();
  const auto found = std::find_if(shapes.begin(), shapes.end(),
                                  [&](const ModelShape& shape) { return shape.name == name; });
  return found == shapes.end() ? nullptr : &*found;
}

std::string ShapeNames() {
  std::string names;
  const std::vector<ModelShape>& shapes = Shapes();
  for (size_t i = 0; i < shapes.size(); ++i) {
    names += (i == 0 ? "" : i + 1 == shapes.size() ? " or " : ", ") + std::string(shapes[i].name);
  }
  return names;
}

std::string ShapeConfig(const ModelShape& shape, const std::vector<int64_t>& kinds,
                        int64_t experts) {
  const auto layers = static_cast<int64_t>(kinds.size());
  // A sample has as large a share of them as it can.
  const int64_t hashed = kinds.size() == shape.kinds.size() ? kHashLayers : 1;
  const std::pair<const char*, int64_t> numbers[] = {
      {"hidden_size", shape.hidden},
      {"num_hidden_layers", layers},
      {"num_attention_heads", shape.heads},
      {"num_key_value_heads", 1},
      {"head_dim", shape.head_dim},
      {"qk_rope_head_dim", shape.rope_dim},
      {"q_lora_rank", shape.q_lora_rank},
      {"o_groups", shape.o_groups},
      {"o_lora_rank", shape.o_lora_rank},
      {"sliding_window", shape.window},
      {"index_n_heads", shape.index_heads},
      {"index_head_dim", shape.index_head_dim},
      {"index_topk", shape.index_topk},
      {"n_routed_experts", experts},
      {"n_shared_experts", 1},
      {"num_experts_per_tok", shape.experts_per_token},
      {"moe_intermediate_size", shape.expert_width},
      {"num_hash_layers", std::min(hashed, layers)},
      {"num_nextn_predict_layers", 0},
      {"hc_mult", 4},
      {"hc_sinkhorn_iters", 20},
      {"vocab_size", shape.vocab},
      {"max_position_embeddings", 1048576},
      {"rope_theta", 10000},
      {"compress_rope_theta", 160000},
      {"bos_token_id", 0},
      {"eos_token_id", 1}};
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("architectures").BeginList().String("DeepseekV4ForCausalLM").EndList();
  json.Key("model_type").String("deepseek_v4").Key("expert_dtype").String("fp4");
  json.Key("scoring_func").String("sqrtsoftplus").Key("hidden_act").String("silu");
  for (const auto& [name, value] : numbers) json.Key(name).Integer(value);
  json.Key("routed_scaling_factor").Number(shape.routed_scale);
  json.Key("swiglu_limit").Number(10.0).Key("rms_norm_eps").Number(1e-6);
  json.Key("hc_eps").Number(1e-6);
  json.Key("compress_ratios").BeginList();
  for (const int64_t kind : kinds) json.Integer(kind);
  json.EndList().Key("rope_scaling").BeginObject().Key("type").String("yarn");
  json.Key("factor").Integer(16).Key("beta_fast").Integer(32).Key("beta_slow").Integer(1);
  json.Key("original_max_position_embeddings").Integer(65536).EndObject();
  json.Key("quantization_config").BeginObject().Key("activation_scheme").String("dynamic");
  json.Key("fmt").String("e4m3").Key("quant_method").String("fp8");
  json.Key("scale_fmt").String("ue8m0").Key("weight_block_size").BeginList();
  json.Integer(128).Integer(128).EndList().EndObject().EndObject();
  out += '\n';
  return out;
}

}  // namespace finback
