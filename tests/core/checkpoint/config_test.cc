#include "core/checkpoint/config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/status.h"
#include "tests/core/checkpoint/config_fixture.h"

namespace finback {
namespace {

Json FlashConfig() {
  Json json = TinyConfig();
  json.update(
      Json::parse(R"({"hidden_size": 4096, "num_hidden_layers": 43, "num_attention_heads": 64,
    "head_dim": 512, "q_lora_rank": 1024, "o_groups": 8, "o_lora_rank": 1024, "sliding_window": 128,
    "index_n_heads": 64, "index_head_dim": 128, "index_topk": 512, "n_routed_experts": 256,
    "num_experts_per_tok": 6, "moe_intermediate_size": 2048, "num_hash_layers": 3, "vocab_size": 129280})"));
  Json ratios = {0, 0};
  for (int i = 0; i < 20; ++i) {
    ratios.push_back(4);
    ratios.push_back(128);
  }
  ratios.push_back(4);
  ratios.push_back(0);
  json["compress_ratios"] = ratios;
  return json;
}

TEST(Config, ReadsEveryFieldOfFlash) {
  const Config c = Parse(FlashConfig());
  EXPECT_EQ(c.hidden, 4096);
  EXPECT_EQ(c.layers_count, 43);
  EXPECT_EQ(c.vocab, 129280);
  EXPECT_EQ(c.heads, 64);
  EXPECT_EQ(c.head_dim, 512);
  EXPECT_EQ(c.rope_dim, 64);
  EXPECT_EQ(c.q_lora_rank, 1024);
  EXPECT_EQ(c.o_groups, 8);
  EXPECT_EQ(c.o_lora_rank, 1024);
  EXPECT_EQ(c.window, 128);
  EXPECT_EQ(c.index_heads, 64);
  EXPECT_EQ(c.index_head_dim, 128);
  EXPECT_EQ(c.index_topk, 512);
  EXPECT_EQ(c.experts, 256);
  EXPECT_EQ(c.experts_per_token, 6);
  EXPECT_EQ(c.expert_width, 2048);
  EXPECT_EQ(c.hash_layers, 3);
  EXPECT_EQ(c.hc_streams, 4);
  EXPECT_EQ(c.hc_sinkhorn_iterations, 20);
  EXPECT_EQ(c.drafts, 1);
  EXPECT_EQ(c.max_position, 1048576);
  EXPECT_FLOAT_EQ(c.rms_norm_eps, 1e-6f);
  EXPECT_FLOAT_EQ(c.hc_eps, 1e-6f);
  EXPECT_FLOAT_EQ(c.routed_scale, 1.5f);
  EXPECT_FLOAT_EQ(c.swiglu_limit, 10.0f);
  EXPECT_FLOAT_EQ(c.rope_theta, 10000.0f);
  EXPECT_FLOAT_EQ(c.compress_rope_theta, 160000.0f);
  EXPECT_FLOAT_EQ(c.yarn_factor, 16.0f);
  EXPECT_FLOAT_EQ(c.yarn_beta_fast, 32.0f);
  EXPECT_FLOAT_EQ(c.yarn_beta_slow, 1.0f);
  EXPECT_EQ(c.yarn_original_positions, 65536);
  EXPECT_EQ(c.scoring, Scoring::kSqrtSoftplus);
  EXPECT_EQ(c.effort_ladder, EffortLadder::kPreview);
  EXPECT_FALSE(c.foreign_drafts);
  EXPECT_EQ(c.bos_id, 0);
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>{1});
  EXPECT_TRUE(c.quantized_cache);
  ASSERT_EQ(c.layers.size(), 44u);
  int csa = 0, hca = 0, window = 0, hashed = 0;
  for (int i = 0; i < 43; ++i) {
    const LayerSpec& layer = c.layers[static_cast<size_t>(i)];
    csa += layer.kind == LayerKind::kCsa;
    hca += layer.kind == LayerKind::kHca;
    window += layer.kind == LayerKind::kWindow;
    hashed += layer.hash_routed;
  }
  EXPECT_EQ(csa, 21);
  EXPECT_EQ(hca, 20);
  EXPECT_EQ(window, 2);
  EXPECT_EQ(hashed, 3);
  EXPECT_EQ(c.layers[42].kind, LayerKind::kCsa);
  EXPECT_EQ(c.layers[3].ratio, 128);
  EXPECT_EQ(c.layers[43].kind, LayerKind::kWindow);
  EXPECT_FALSE(c.layers[43].hash_routed);
}

TEST(Config, DsparkKeysMeanForeignDraftsAndTheLaterLadder) {
  Json json = FlashConfig();
  json["compress_ratios"].push_back(0);
  json["compress_ratios"].push_back(0);
  json["dspark_block_size"] = 5;
  json["dspark_target_layer_ids"] = {40, 41, 42};
  const Config c = Parse(json);
  EXPECT_EQ(c.drafts, 0);
  EXPECT_TRUE(c.foreign_drafts);
  EXPECT_EQ(c.effort_ladder, EffortLadder::k0731);
  EXPECT_EQ(c.layers.size(), 43u);
}

TEST(Config, ExtraRatiosAloneMeanForeignDrafts) {
  const Config c = Parse([](Json& j) { j["compress_ratios"] = {0, 0, 4, 128, 4, 0, 0, 0}; });
  EXPECT_EQ(c.drafts, 0);
  EXPECT_TRUE(c.foreign_drafts);
  EXPECT_EQ(c.effort_ladder, EffortLadder::kPreview);
}

TEST(Config, WithoutDraftBlocksTheScheduleHasTheLayersAlone) {
  const Config c = Parse([](Json& j) {
    j["num_nextn_predict_layers"] = 0;
    j["compress_ratios"] = {0, 0, 4, 128, 4};
  });
  EXPECT_EQ(c.drafts, 0);
  EXPECT_FALSE(c.foreign_drafts);
  EXPECT_EQ(c.layers.size(), 5u);
}

TEST(Config, DraftBlocksWithoutAScheduleAreNotRun) {
  const Config c = Parse([](Json& j) { j["compress_ratios"] = {0, 0, 4, 128, 4}; });
  EXPECT_EQ(c.drafts, 0);
  EXPECT_TRUE(c.foreign_drafts);
  EXPECT_EQ(c.layers.size(), 5u);
}

TEST(Config, OtherRatiosAreHca) {
  const Config c = Parse([](Json& j) { j["compress_ratios"] = {0, 4, 8, 4, 1, 0}; });
  EXPECT_EQ(c.layers[2].kind, LayerKind::kHca);
  EXPECT_EQ(c.layers[2].ratio, 8);
  EXPECT_EQ(c.layers[4].ratio, 1);
}

TEST(Config, MoreHashLayersThanLayersMeansAll) {
  const Config c = Parse([](Json& j) { j["num_hash_layers"] = 9; });
  EXPECT_EQ(c.hash_layers, 5);
  EXPECT_TRUE(c.layers[4].hash_routed);
  EXPECT_FALSE(c.layers[5].hash_routed);
}

TEST(Config, NamesOfTheTransformersLibrary) {
  const Config c = Parse([](Json& j) {
    for (const char* name :
         {"compress_ratios", "num_hash_layers", "qk_rope_head_dim", "rope_scaling", "rope_theta",
          "compress_rope_theta", "moe_intermediate_size", "n_routed_experts"}) {
      j.erase(name);
    }
    j["layer_types"] = {"sliding_attention", "sliding_attention", "compressed_sparse_attention",
                        "heavily_compressed_attention", "compressed_sparse_attention"};
    j["compress_rates"] = {{"compressed_sparse_attention", 4},
                           {"heavily_compressed_attention", 64}};
    j["mlp_layer_types"] = {"hash_moe", "hash_moe", "moe", "moe", "moe"};
    j["partial_rotary_factor"] = 0.5;
    j["intermediate_size"] = 128;
    j["num_local_experts"] = 16;
    j["rope_parameters"] = {{"main", {{"rope_type", "default"}, {"rope_theta", 20000.0}}},
                            {"compress",
                             {{"rope_type", "yarn"},
                              {"rope_theta", 170000.0},
                              {"factor", 8},
                              {"beta_fast", 16},
                              {"beta_slow", 2},
                              {"original_max_position_embeddings", 4096},
                              {"attention_factor", 1.0}}}};
  });
  EXPECT_EQ(c.rope_dim, 64);
  EXPECT_EQ(c.expert_width, 128);
  EXPECT_EQ(c.experts, 16);
  EXPECT_EQ(c.hash_layers, 2);
  EXPECT_TRUE(c.layers[1].hash_routed);
  EXPECT_EQ(c.layers[2].kind, LayerKind::kCsa);
  EXPECT_EQ(c.layers[2].ratio, 4);
  EXPECT_EQ(c.layers[3].kind, LayerKind::kHca);
  EXPECT_EQ(c.layers[3].ratio, 64);
  EXPECT_EQ(c.drafts, 0);
  EXPECT_FLOAT_EQ(c.rope_theta, 20000.0f);
  EXPECT_FLOAT_EQ(c.compress_rope_theta, 170000.0f);
  EXPECT_FLOAT_EQ(c.yarn_factor, 8.0f);
  EXPECT_FLOAT_EQ(c.yarn_beta_fast, 16.0f);
  EXPECT_FLOAT_EQ(c.yarn_beta_slow, 2.0f);
  EXPECT_EQ(c.yarn_original_positions, 4096);
}

TEST(Config, RopeTypeIsASynonymOfType) {
  const Config c = Parse([](Json& j) {
    j["rope_scaling"].erase("type");
    j["rope_scaling"]["rope_type"] = "yarn";
  });
  EXPECT_EQ(c.yarn_original_positions, 65536);
}

// The same numbers in every shape that writers give them.
TEST(Config, RotaryFieldsInEveryShape) {
  const Config right = Parse(TinyConfig());
  ASSERT_GT(right.yarn_original_positions, 0);
  const auto same = [&](const char* label, const Change& change) {
    const Config c = Parse(change);
    EXPECT_EQ(c.rope_theta, right.rope_theta) << label;
    EXPECT_EQ(c.compress_rope_theta, right.compress_rope_theta) << label;
    EXPECT_EQ(c.yarn_factor, right.yarn_factor) << label;
    EXPECT_EQ(c.yarn_beta_fast, right.yarn_beta_fast) << label;
    EXPECT_EQ(c.yarn_beta_slow, right.yarn_beta_slow) << label;
    EXPECT_EQ(c.yarn_original_positions, right.yarn_original_positions) << label;
  };
  const auto take = [](Json& j) {
    Json yarn = j["rope_scaling"];
    j.erase("rope_scaling");
    return yarn;
  };
  same("flat", [&](Json& j) {
    j["rope_parameters"] = take(j);
    j["rope_parameters"]["rope_theta"] = j["rope_theta"];
  });
  same("flat, the theta there alone", [&](Json& j) {
    j["rope_parameters"] = take(j);
    j["rope_parameters"]["rope_theta"] = j["rope_theta"];
    j.erase("rope_theta");
  });
  same("flat, with the other theta", [&](Json& j) {
    j["rope_parameters"] = take(j);
    j["rope_parameters"]["rope_theta"] = j["compress_rope_theta"];
  });
  same("both", [](Json& j) { j["rope_parameters"] = j["rope_scaling"]; });
  same("main and compress", [&](Json& j) {
    Json yarn = take(j);
    yarn["rope_type"] = yarn["type"];
    yarn["attention_factor"] = 1.0;
    yarn["rope_theta"] = j["compress_rope_theta"];
    yarn["partial_rotary_factor"] = 0.5;
    j["rope_parameters"] = {{"main", {{"rope_type", "default"}, {"rope_theta", j["rope_theta"]}}},
                            {"compress", yarn},
                            {"rope_type", "default"}};
  });
  same("by the kind of layer", [&](Json& j) {
    Json yarn = take(j);
    yarn["rope_theta"] = j["compress_rope_theta"];
    j["rope_parameters"] = {{"sliding_attention", {{"rope_theta", j["rope_theta"]}}},
                            {"compressed_sparse_attention", yarn},
                            {"heavily_compressed_attention", yarn}};
    j.erase("rope_theta");
    j.erase("compress_rope_theta");
  });
  same("the original length outside", [](Json& j) {
    j["original_max_position_embeddings"] = j["rope_scaling"]["original_max_position_embeddings"];
    j["rope_scaling"].erase("original_max_position_embeddings");
  });
  same("fractions and nulls", [](Json& j) {
    j["rope_scaling"]["factor"] = j["rope_scaling"]["factor"].get<double>();
    j["rope_scaling"]["mscale"] = nullptr;
    j["rope_scaling"]["attention_factor"] = nullptr;
    j["rope_parameters"] = nullptr;
  });
}

TEST(Config, NullRopeScalingMeansNoYarn) {
  EXPECT_EQ(Parse([](Json& j) { j["rope_scaling"] = nullptr; }).yarn_original_positions, 0);
}

TEST(Config, CacheRoundingsNeedQuantizationAndFittingHeads) {
  EXPECT_TRUE(Parse(TinyConfig()).quantized_cache);
  EXPECT_FALSE(Parse([](Json& j) { j.erase("quantization_config"); }).quantized_cache);
  EXPECT_FALSE(Parse([](Json& j) { j["qk_rope_head_dim"] = 32; }).quantized_cache);
}

TEST(Config, OddButHarmlessFlagsAreAccepted) {
  EXPECT_NO_THROW(Parse([](Json& j) {
    j["n_layers"] = j["num_hidden_layers"];
    j["route_scale"] = j["routed_scaling_factor"].get<double>();
    j["some_future_key"] = {1, 2, 3};
    j["eos_token_id"] = {1, 3};
    j["expert_dtype"] = nullptr;
  }));
}

TEST(Config, EveryEndMarkerOfAListIsKept) {
  const auto ids = [](Json value) {
    return Parse([&](Json& j) { j["eos_token_id"] = std::move(value); }).eos_ids;
  };
  EXPECT_EQ(ids(3), std::vector<int32_t>({3}));
  EXPECT_EQ(ids({1, 3, 1, 7}), std::vector<int32_t>({1, 3, 7}));
  EXPECT_EQ(ids(nullptr), std::vector<int32_t>({1}));
}

TEST(Config, EndMarkersThatAreNoIdsAreANoteBesideOthers) {
  const Config c = Parse([](Json& j) { j["eos_token_id"] = {1, 512, -1, "x"}; });
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>({1}));
  ASSERT_EQ(c.notes.size(), 1u);
  EXPECT_EQ(c.notes[0], "eos_token_id: ignored 512, -1, \"x\"");
}

TEST(Config, APadIdBeyondTheVocabularyIsAccepted) {
  for (const Json& pad : {Json(-1), Json(129280), Json(nullptr), Json("x")}) {
    EXPECT_NO_THROW(Parse([&](Json& j) { j["pad_token_id"] = pad; }));
  }
}

TEST(Config, FieldsThatNobodyKnowsAreANote) {
  EXPECT_TRUE(Parse(TinyConfig()).notes.empty());
  const Config c = Parse([](Json& j) {
    j["new_idea"] = 3;
    j["nothing"] = nullptr;
    j["initializer_range"] = 0.02;
  });
  ASSERT_EQ(c.notes.size(), 1u);
  EXPECT_NE(c.notes[0].find(": new_idea"), std::string::npos) << c.notes[0];
}

TEST(Config, OtherScoringFunctions) {
  EXPECT_EQ(Parse([](Json& j) { j["scoring_func"] = "sigmoid"; }).scoring, Scoring::kSigmoid);
  EXPECT_EQ(Parse([](Json& j) { j["scoring_func"] = "softmax"; }).scoring, Scoring::kSoftmax);
}

}  // namespace
}  // namespace finback
