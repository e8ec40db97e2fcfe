#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/checkpoint/config.h"
#include "tests/core/checkpoint/config_fixture.h"

namespace finback {
namespace {

// The error of a refused config, as "code: message".
std::string Refusal(const std::function<void()>& call, Code* code) {
  try {
    call();
  } catch (const Error& error) {
    *code = error.code();
    return error.what();
  }
  *code = Code::kOk;
  return "nothing was thrown";
}

struct Case {
  const char* label;
  Change change;
  Code code;
  std::vector<const char*> parts;  // of the message
};

constexpr Code kBad = Code::kCheckpoint, kOther = Code::kUnsupported;

const std::vector<Case> kRefusedConfigs = {
    {"hidden_size_missing",
     [](Json& j) { j.erase("hidden_size"); },
     kBad,
     {"hidden_size", "missing"}},
    {"hidden_size_negative",
     [](Json& j) { j["hidden_size"] = -256; },
     kBad,
     {"hidden_size", "-256"}},
    {"hidden_size_zero", [](Json& j) { j["hidden_size"] = 0; }, kBad, {"hidden_size", "got 0"}},
    {"hidden_size_float",
     [](Json& j) { j["hidden_size"] = 256.0; },
     kBad,
     {"hidden_size", "256.0"}},
    {"hidden_size_string",
     [](Json& j) { j["hidden_size"] = "256"; },
     kBad,
     {"hidden_size", "\"256\""}},
    {"hidden_size_null",
     [](Json& j) { j["hidden_size"] = nullptr; },
     kBad,
     {"hidden_size", "missing"}},
    {"hidden_size_array",
     [](Json& j) { j["hidden_size"] = {1}; },
     kBad,
     {"hidden_size", "a list of 1"}},
    {"hidden_size_huge",
     [](Json& j) { j["hidden_size"] = 1ll << 40; },
     kBad,
     {"hidden_size", "1099511627776"}},
    {"hidden_size_beyond_64_bits",
     [](Json& j) { j["hidden_size"] = 18446744073709551615ull; },
     kBad,
     {"hidden_size", "18446744073709551615"}},
    {"layers_huge",
     [](Json& j) { j["num_hidden_layers"] = 2000000000; },
     kBad,
     {"num_hidden_layers", "2000000000"}},
    {"vocab_huge",
     [](Json& j) { j["vocab_size"] = 2147483647; },
     kBad,
     {"vocab_size", "2147483647"}},
    {"experts_huge",
     [](Json& j) { j["n_routed_experts"] = 1000000000; },
     kBad,
     {"n_routed_experts", "1000000000"}},
    {"more_active_than_experts",
     [](Json& j) { j["num_experts_per_tok"] = 17; },
     kBad,
     {"num_experts_per_tok", "17", "16"}},
    {"no_active_experts",
     [](Json& j) { j["num_experts_per_tok"] = 0; },
     kBad,
     {"num_experts_per_tok"}},
    {"rope_odd",
     [](Json& j) { j["qk_rope_head_dim"] = 63; },
     kBad,
     {"qk_rope_head_dim", "63", "even"}},
    {"rope_beyond_head",
     [](Json& j) { j["qk_rope_head_dim"] = 130; },
     kBad,
     {"qk_rope_head_dim", "130", "128"}},
    {"rope_factor_zero",
     [](Json& j) {
       j.erase("qk_rope_head_dim");
       j["partial_rotary_factor"] = 0.0;
     },
     kBad,
     {"qk_rope_head_dim"}},
    {"groups_do_not_divide",
     [](Json& j) { j["o_groups"] = 3; },
     kBad,
     {"o_groups", "3", "num_attention_heads"}},
    {"window_zero", [](Json& j) { j["sliding_window"] = 0; }, kBad, {"sliding_window"}},
    {"window_huge",
     [](Json& j) { j["sliding_window"] = 65537; },
     kBad,
     {"sliding_window", "65537"}},
    {"streams_zero", [](Json& j) { j["hc_mult"] = 0; }, kBad, {"hc_mult"}},
    {"streams_many", [](Json& j) { j["hc_mult"] = 17; }, kBad, {"hc_mult", "17"}},
    {"sinkhorn_zero", [](Json& j) { j["hc_sinkhorn_iters"] = 0; }, kBad, {"hc_sinkhorn_iters"}},
    {"sinkhorn_many",
     [](Json& j) { j["hc_sinkhorn_iters"] = 1001; },
     kBad,
     {"hc_sinkhorn_iters", "1001"}},
    {"index_head_not_a_power",
     [](Json& j) { j["index_head_dim"] = 96; },
     kBad,
     {"index_head_dim", "96", "power"}},
    {"index_head_below_rope",
     [](Json& j) { j["index_head_dim"] = 32; },
     kBad,
     {"index_head_dim", "32"}},
    {"index_head_too_wide",
     [](Json& j) { j["index_head_dim"] = 8192; },
     kBad,
     {"index_head_dim", "8192", "4096"}},
    {"index_topk_zero", [](Json& j) { j["index_topk"] = 0; }, kBad, {"index_topk"}},
    {"position_negative",
     [](Json& j) { j["max_position_embeddings"] = -1; },
     kBad,
     {"max_position_embeddings", "-1"}},
    {"eps_zero", [](Json& j) { j["rms_norm_eps"] = 0.0; }, kBad, {"rms_norm_eps"}},
    {"eps_string", [](Json& j) { j["rms_norm_eps"] = "1e-6"; }, kBad, {"rms_norm_eps"}},
    {"limit_negative", [](Json& j) { j["swiglu_limit"] = -1.0; }, kBad, {"swiglu_limit", "-1"}},
    {"scale_missing",
     [](Json& j) { j.erase("routed_scaling_factor"); },
     kBad,
     {"routed_scaling_factor", "missing"}},
    {"theta_missing", [](Json& j) { j.erase("rope_theta"); }, kBad, {"rope_theta", "missing"}},
    {"compress_theta_missing",
     [](Json& j) { j.erase("compress_rope_theta"); },
     kBad,
     {"compress_rope_theta", "missing"}},
    {"theta_one", [](Json& j) { j["rope_theta"] = 1; }, kBad, {"rope_theta"}},
    {"yarn_factor_missing",
     [](Json& j) { j["rope_scaling"].erase("factor"); },
     kBad,
     {"rope_scaling.factor"}},
    {"yarn_factor_zero",
     [](Json& j) { j["rope_scaling"]["factor"] = 0; },
     kBad,
     {"rope_scaling.factor"}},
    {"yarn_betas_swapped",
     [](Json& j) { j["rope_scaling"]["beta_slow"] = 64; },
     kBad,
     {"rope_scaling.beta_fast", "beta_slow"}},
    {"rope_scaling_a_string",
     [](Json& j) { j["rope_scaling"] = "yarn"; },
     kBad,
     {"rope_scaling", "an object"}},
    {"other_rope",
     [](Json& j) { j["rope_scaling"]["type"] = "longrope"; },
     kOther,
     {"rope_scaling.type", "longrope"}},
    {"no_schedule",
     [](Json& j) { j.erase("compress_ratios"); },
     kBad,
     {"compress_ratios", "missing"}},
    {"short_schedule",
     [](Json& j) {
       j["compress_ratios"] = {0, 4};
     },
     kBad,
     {"compress_ratios", "2", "5"}},
    {"endless_schedule",
     [](Json& j) { j["compress_ratios"] = std::vector<int>(100000, 0); },
     kBad,
     {"compress_ratios", "100000"}},
    {"negative_ratio",
     [](Json& j) { j["compress_ratios"][3] = -4; },
     kBad,
     {"compress_ratios[3]", "-4"}},
    {"fractional_ratio",
     [](Json& j) { j["compress_ratios"][2] = 4.5; },
     kBad,
     {"compress_ratios[2]", "4.5"}},
    {"huge_ratio",
     [](Json& j) { j["compress_ratios"][2] = 1 << 20; },
     kBad,
     {"compress_ratios[2]", "1048576"}},
    {"schedules_disagree",
     [](Json& j) { j["layer_types"] = std::vector<std::string>(5, "sliding_attention"); },
     kBad,
     {"layer_types[2]"}},
    {"unknown_layer_type",
     [](Json& j) {
       j.erase("compress_ratios");
       j["layer_types"] = {"full_attention", "full_attention", "full_attention", "full_attention",
                           "full_attention"};
     },
     kOther,
     {"layer_types[0]", "full_attention"}},
    {"other_csa_rate",
     [](Json& j) {
       j.erase("compress_ratios");
       j["layer_types"] = std::vector<std::string>(5, "compressed_sparse_attention");
       j["compress_rates"] = {{"compressed_sparse_attention", 8}};
     },
     kOther,
     {"compress_rates", "8"}},
    {"hash_layers_missing",
     [](Json& j) { j.erase("num_hash_layers"); },
     kBad,
     {"num_hash_layers", "missing"}},
    {"hash_layers_absurd",
     [](Json& j) { j["num_hash_layers"] = 1 << 30; },
     kBad,
     {"num_hash_layers"}},
    {"mlp_type_unknown",
     [](Json& j) {
       j.erase("num_hash_layers");
       j["mlp_layer_types"] = {"moe", "dense", "moe", "moe", "moe"};
     },
     kOther,
     {"mlp_layer_types[1]", "dense"}},
    {"scoring_unknown",
     [](Json& j) { j["scoring_func"] = "relu"; },
     kOther,
     {"scoring_func", "relu", "sigmoid"}},
    {"bos_beyond_vocab", [](Json& j) { j["bos_token_id"] = 512; }, kBad, {"bos_token_id", "512"}},
    {"eos_beyond_vocab",
     [](Json& j) {
       j["eos_token_id"] = {512, 513};
     },
     kBad,
     {"eos_token_id", "a list of 2", "vocab_size (512)"}},
    {"weights_of_experts_not_normalized",
     [](Json& j) { j["norm_topk_prob"] = false; },
     kOther,
     {"norm_topk_prob", "false"}},
    {"other_choice_of_experts",
     [](Json& j) { j["topk_method"] = "greedy"; },
     kOther,
     {"topk_method", "greedy"}},
    {"groups_of_experts", [](Json& j) { j["n_group"] = 8; }, kOther, {"n_group", "8"}},
    {"dense_layers",
     [](Json& j) { j["first_k_dense_replace"] = 3; },
     kOther,
     {"first_k_dense_replace", "3"}},
    {"experts_given_twice",
     [](Json& j) { j["num_local_experts"] = 8; },
     kBad,
     {"num_local_experts", "16 as n_routed_experts", "found 8"}},
    {"width_given_twice",
     [](Json& j) { j["intermediate_size"] = 18432; },
     kBad,
     {"intermediate_size", "moe_intermediate_size", "18432"}},
    {"head_given_twice",
     [](Json& j) { j["v_head_dim"] = 64; },
     kBad,
     {"v_head_dim", "head_dim", "64"}},
    {"rotary_part_given_twice",
     [](Json& j) { j["partial_rotary_factor"] = 0.25; },
     kBad,
     {"partial_rotary_factor", "32", "64"}},
    {"hash_layers_given_twice",
     [](Json& j) { j["mlp_layer_types"] = std::vector<std::string>(5, "moe"); },
     kBad,
     {"mlp_layer_types[0]", "num_hash_layers"}},
    {"layers_given_twice",
     [](Json& j) { j["n_layers"] = 43; },
     kBad,
     {"n_layers", "5 as num_hidden_layers has it", "43"}},
    {"scale_given_twice",
     [](Json& j) { j["route_scale"] = 9.5; },
     kBad,
     {"route_scale", "routed_scaling_factor", "9.5"}},
    {"scoring_given_twice",
     [](Json& j) { j["score_func"] = "softmax"; },
     kBad,
     {"score_func", "scoring_func", "softmax"}},
    {"rates_given_twice",
     [](Json& j) {
       j["compress_rates"] = {{"heavily_compressed_attention", 64}};
     },
     kBad,
     {"compress_ratios[3]", "64"}},
    {"nested_text_config",
     [](Json& j) {
       j["text_config"] = {{"hidden_size", 64}};
     },
     kOther,
     {"text_config"}},
    {"other_limits", [](Json& j) { j["swiglu_alpha"] = 1.7; }, kOther, {"swiglu_alpha", "1.7"}},
    {"other_indexer", [](Json& j) { j["index_topk_freq"] = 4; }, kOther, {"index_topk_freq"}},
    {"other_rotary_field",
     [](Json& j) { j["rope_local_base_freq"] = 10000; },
     kOther,
     {"rope_local_base_freq"}},
    {"other_scale_format",
     [](Json& j) { j["quantization_config"]["scale_fmt"] = "float"; },
     kOther,
     {"quantization_config.scale_fmt", "float"}},
    {"static_activations",
     [](Json& j) { j["quantization_config"]["activation_scheme"] = "static"; },
     kOther,
     {"activation_scheme", "static"}},
    {"groups_of_compressed_tensors",
     [](Json& j) {
       j["quantization_config"].erase("quant_method");
       j["quantization_config"]["config_groups"] = {{"group_0", nullptr}};
     },
     kOther,
     {"quantization_config.config_groups"}},
    {"quantization_of_another_library",
     [](Json& j) {
       j["quantization"] = {{"bits", 4}};
     },
     kOther,
     {"quantization"}},
    {"attention_scaled",
     [](Json& j) { j["rope_scaling"]["attention_factor"] = 1.2; },
     kOther,
     {"rope_scaling.attention_factor", "1.2"}},
    {"mscale", [](Json& j) { j["rope_scaling"]["mscale"] = 1.0; }, kOther, {"rope_scaling.mscale"}},
    {"rope_field_unknown",
     [](Json& j) { j["rope_scaling"]["low_freq_factor"] = 1; },
     kOther,
     {"rope_scaling.low_freq_factor"}},
    {"yarn_without_its_type",
     [](Json& j) { j["rope_scaling"].erase("type"); },
     kBad,
     {"rope_scaling", "no effect without rope_type"}},
    {"rope_types_unequal",
     [](Json& j) { j["rope_scaling"]["rope_type"] = "default"; },
     kBad,
     {"rope_scaling.type", "yarn", "default"}},
    {"ropes_unequal",
     [](Json& j) {
       j["rope_parameters"] = j["rope_scaling"];
       j["rope_parameters"]["factor"] = 8;
     },
     kBad,
     {"rope_parameters", "one scaling"}},
    {"thetas_unequal",
     [](Json& j) {
       j["rope_parameters"] = j["rope_scaling"];
       j["rope_parameters"]["rope_theta"] = 50000;
     },
     kBad,
     {"rope_parameters.rope_theta", "50000", "10000"}},
    {"main_scaled",
     [](Json& j) { j["rope_parameters"]["main"] = j["rope_scaling"]; },
     kOther,
     {"rope_parameters.main", "yarn"}},
    {"rope_of_another_kind_of_layer",
     [](Json& j) {
       j["rope_parameters"]["full_attention"] = {{"rope_theta", 10000}};
     },
     kOther,
     {"rope_parameters.full_attention"}},
    {"extended_without_yarn",
     [](Json& j) {
       j["rope_scaling"] = nullptr;
       j["original_max_position_embeddings"] = 65536;
     },
     kBad,
     {"original_max_position_embeddings", "no effect without YaRN"}},
    {"drafts_many",
     [](Json& j) { j["num_nextn_predict_layers"] = 1000; },
     kBad,
     {"num_nextn_predict_layers"}},
    {"two_kv_heads",
     [](Json& j) { j["num_key_value_heads"] = 2; },
     kOther,
     {"num_key_value_heads", "2"}},
    {"two_shared_experts",
     [](Json& j) { j["n_shared_experts"] = 2; },
     kOther,
     {"n_shared_experts", "2"}},
    {"tied", [](Json& j) { j["tie_word_embeddings"] = true; }, kOther, {"tie_word_embeddings"}},
    {"bias", [](Json& j) { j["attention_bias"] = true; }, kOther, {"attention_bias"}},
    {"gelu", [](Json& j) { j["hidden_act"] = "gelu"; }, kOther, {"hidden_act", "gelu"}},
    {"other_quantization",
     [](Json& j) { j["quantization_config"]["quant_method"] = "gptq"; },
     kOther,
     {"quantization_config.quant_method", "gptq"}},
    {"other_blocks",
     [](Json& j) {
       j["quantization_config"]["weight_block_size"] = {1, 128};
     },
     kOther,
     {"weight_block_size", "[1, 128]"}},
    {"other_experts",
     [](Json& j) { j["expert_dtype"] = "int3"; },
     kOther,
     {"expert_dtype", "int3"}},
    {"no_architecture",
     [](Json& j) {
       j.erase("model_type");
       j.erase("architectures");
     },
     kBad,
     {"model_type", "missing"}},
    {"deepseek_v3",
     [](Json& j) {
       j["model_type"] = "deepseek_v3";
       j["architectures"] = {"DeepseekV3ForCausalLM"};
     },
     kOther,
     {"deepseek_v3", "DeepSeek-V4"}},
    {"llama", [](Json& j) { j["model_type"] = "llama"; }, kOther, {"llama", "DeepSeek-V4"}},
    {"other_class",
     [](Json& j) { j["architectures"] = {"Qwen3ForCausalLM"}; },
     kOther,
     {"Qwen3ForCausalLM"}},
    {"v41_by_type",
     [](Json& j) { j["model_type"] = "deepseek_v4_1"; },
     kOther,
     {"DeepSeek-V4.1", "deepseek_v4_1"}},
    {"v41_by_class",
     [](Json& j) { j["architectures"] = {"DeepseekV41ForCausalLM"}; },
     kOther,
     {"DeepSeek-V4.1"}},
    {"v41_by_sizes",
     [](Json& j) {
       j["hidden_size"] = 5120;
       j["num_hidden_layers"] = 40;
     },
     kOther,
     {"DeepSeek-V4.1", "5120"}},
    {"v41_by_ratio", [](Json& j) { j["compress_ratios"][2] = 2; }, kOther, {"DeepSeek-V4.1", "2"}},
};

class RefusedConfig : public testing::TestWithParam<size_t> {};

TEST_P(RefusedConfig, NamesTheFieldFoundAndExpected) {
  const Case& item = kRefusedConfigs[GetParam()];
  Code code;
  const std::string message = Refusal([&] { Parse(item.change); }, &code);
  EXPECT_EQ(code, item.code) << message;
  EXPECT_NE(message.find("some/config.json"), std::string::npos) << message;
  for (const char* part : item.parts)
    EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, RefusedConfig, testing::Range<size_t>(0, kRefusedConfigs.size()),
                         [](const auto& item) { return kRefusedConfigs[item.param].label; });

TEST(Config, TextThatIsNoConfigIsRefused) {
  for (const char* text :
       {"", "[]", "3", "null", "{", "{\"hidden_size\": NaN}", "{\"a\":1}}", "\xff\xfe"}) {
    Code code;
    const std::string message = Refusal([&] { ParseConfig(text, "some/config.json"); }, &code);
    EXPECT_EQ(code, Code::kCheckpoint) << text << ": " << message;
    EXPECT_NE(message.find("some/config.json"), std::string::npos) << message;
  }
}

TEST(Config, ErrorsNeverShowHalfACharacter) {
  for (size_t before = 0; before < 100; ++before) {
    const std::string text = std::string(before, 'x') + "\u20ac\u20ac\u20ac\u20ac";
    Code code;
    for (const char* field : {"hidden_size", "hidden_act", "model_type", "scoring_func"}) {
      const std::string message = Refusal([&] { Parse([&](Json& j) { j[field] = text; }); }, &code);
      EXPECT_NE(code, Code::kOk) << field;
      EXPECT_EQ(FindInvalidUtf8(message), kValidUtf8) << message;
    }
    const std::string message = Refusal(
        [&] { Parse([&](Json& j) { j["quantization_config"]["weight_block_size"] = {text}; }); },
        &code);
    EXPECT_EQ(code, Code::kUnsupported);
    EXPECT_EQ(FindInvalidUtf8(message), kValidUtf8) << message;
  }
}

TEST(Config, AMissingFileIsNotFound) {
  Code code;
  const std::string message = Refusal([] { LoadConfig("/nowhere/at/all"); }, &code);
  EXPECT_EQ(code, Code::kNotFound);
  EXPECT_NE(message.find("/nowhere/at/all/config.json"), std::string::npos) << message;
}

}  // namespace
}  // namespace finback
