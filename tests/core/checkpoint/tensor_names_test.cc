#include "core/checkpoint/tensor_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/checkpoint/checkpoint_fixture.h"

namespace finback {
namespace {

using Spelling = std::vector<std::pair<const char*, const char*>>;  // pattern, replacement

// From the published spelling to the transformers library's (docs/architecture.md 2.5, read
// backwards).
const Spelling kTransformers = {
    {R"(\.scale$)", ".weight_scale_inv"},  // before hc_attn_scale becomes attn_hc.scale
    {R"(^embed\.)", "model.embed_tokens."},
    {R"(^norm\.)", "model.norm."},
    {R"(^head\.)", "lm_head."},
    {R"(^hc_head_)", "model.hc_head.hc_"},
    {R"(^layers\.)", "model.layers."},
    {R"(\.attn_norm\.)", ".input_layernorm."},
    {R"(\.ffn_norm\.)", ".post_attention_layernorm."},
    {R"(\.hc_(attn|ffn)_)", ".$1_hc."},
    {R"(\.attn\.attn_sink$)", ".self_attn.sinks"},
    {R"(\.attn\.indexer\.compressor\.wkv)", ".self_attn.compressor.indexer.kv_proj"},
    {R"(\.attn\.indexer\.compressor\.wgate)", ".self_attn.compressor.indexer.gate_proj"},
    {R"(\.attn\.indexer\.compressor\.ape)", ".self_attn.compressor.indexer.position_bias"},
    {R"(\.attn\.indexer\.compressor\.norm)", ".self_attn.compressor.indexer.kv_norm"},
    {R"(\.attn\.indexer\.wq_b)", ".self_attn.compressor.indexer.q_b_proj"},
    {R"(\.attn\.indexer\.weights_proj)", ".self_attn.compressor.indexer.scorer.weights_proj"},
    {R"(\.attn\.compressor\.wkv)", ".self_attn.compressor.kv_proj"},
    {R"(\.attn\.compressor\.wgate)", ".self_attn.compressor.gate_proj"},
    {R"(\.attn\.compressor\.ape)", ".self_attn.compressor.position_bias"},
    {R"(\.attn\.compressor\.norm)", ".self_attn.compressor.kv_norm"},
    {R"(\.attn\.wq_a)", ".self_attn.q_a_proj"},
    {R"(\.attn\.wq_b)", ".self_attn.q_b_proj"},
    {R"(\.attn\.wkv)", ".self_attn.kv_proj"},
    {R"(\.attn\.wo_a)", ".self_attn.o_a_proj"},
    {R"(\.attn\.wo_b)", ".self_attn.o_b_proj"},
    {R"(\.attn\.q_norm)", ".self_attn.q_a_norm"},
    {R"(\.attn\.kv_norm)", ".self_attn.kv_norm"},
    {R"(\.ffn\.gate\.bias)", ".mlp.gate.e_score_correction_bias"},
    {R"(\.ffn\.)", ".mlp."},
    {R"(\.w1\.)", ".gate_proj."},
    {R"(\.w3\.)", ".up_proj."},
    {R"(\.w2\.)", ".down_proj."},
};

// The older models' names (2.4).
const Spelling kOlder = {
    {R"(\.scale$)", ".weight_scale_inv"},
    {R"(^embed\.)", "model.embed_tokens."},
    {R"(^norm\.)", "model.norm."},
    {R"(^head\.)", "lm_head."},
    {R"(^layers\.)", "model.layers."},
    {R"(\.attn_norm\.)", ".input_layernorm."},
    {R"(\.ffn_norm\.)", ".post_attention_layernorm."},
    {R"(\.attn\.)", ".self_attn."},
    {R"(\.self_attn\.wq_a)", ".self_attn.q_a_proj"},
    {R"(\.self_attn\.wq_b)", ".self_attn.q_b_proj"},
    {R"(\.ffn\.gate\.bias)", ".mlp.gate.e_score_correction_bias"},
    {R"(\.ffn\.)", ".mlp."},
    {R"(\.w1\.)", ".gate_proj."},
    {R"(\.w3\.)", ".up_proj."},
    {R"(\.w2\.)", ".down_proj."},
};

void Respell(const Spelling& spelling, BuiltCheckpoint* built) {
  for (BuiltTensor& tensor : built->tensors) {
    for (const auto& [pattern, replacement] : spelling) {
      tensor.name = std::regex_replace(tensor.name, std::regex(pattern), replacement);
    }
  }
}

// Puts the routed experts of every layer into one tensor each for gate with up, and down.
void Fuse(BuiltCheckpoint* built) {
  const std::regex pattern(R"((.*\.mlp\.experts\.)(\d+)\.(gate|up|down)_proj(\..*))");
  std::vector<BuiltTensor> kept;
  std::map<std::string, std::map<std::pair<int, std::string>, BuiltTensor>> fused;
  for (BuiltTensor& tensor : built->tensors) {
    std::smatch match;
    if (!std::regex_match(tensor.name, match, pattern)) {
      kept.push_back(tensor);
      continue;
    }
    const std::string matrix = match[3] == "down" ? "down_proj" : "gate_up_proj";
    const std::string suffix = match[4] == ".weight" ? "" : match[4].str();
    fused[match[1].str() + matrix + suffix][{std::stoi(match[2]), match[3]}] = tensor;
  }
  for (auto& [name, parts] : fused) {
    BuiltTensor whole = parts.begin()->second;
    const int64_t experts = parts.rbegin()->first.first + 1;
    const int64_t rows = whole.shape[0] * static_cast<int64_t>(parts.size()) / experts;
    whole.name = name;
    whole.shape = {experts, rows, whole.shape[1]};
    whole.data.clear();
    for (const auto& [key, part] : parts) whole.data += part.data;  // "gate" sorts before "up"
    kept.push_back(whole);
  }
  built->tensors = kept;
}

void ExpectSameTensors(const Weights& weights, const BuiltCheckpoint& published) {
  ASSERT_EQ(weights.tensors().size(), published.tensors.size());
  for (const BuiltTensor& tensor : published.tensors) {
    const auto found = std::find_if(weights.tensors().begin(), weights.tensors().end(),
                                    [&](const Tensor& t) { return t.name == tensor.name; });
    ASSERT_NE(found, weights.tensors().end()) << tensor.name;
    EXPECT_EQ(Bytes(found->data, found->bytes), tensor.data) << tensor.name;
  }
}

TEST(TensorNames, TransformersAndOlderSpellingsBindTheSameTensors) {
  for (const Spelling* spelling : {&kTransformers, &kOlder}) {
    TempFolder folder;
    const auto weights =
        OpenChanged(folder, [&](BuiltCheckpoint& built) { Respell(*spelling, &built); });
    ExpectSameTensors(*weights, Smallest());
    CheckEverything(*weights, 4);
  }
}

TEST(TensorNames, FusedExpertsAreTakenApart) {
  for (const bool wide : {false, true}) {
    BuiltCheckpoint published = Smallest();
    if (wide) {  // an unquantized save
      nlohmann::ordered_json config = SmallestConfig();
      config.erase("quantization_config");
      published = BuildCheckpoint(config, 8, BuildLinears::kBf16);
    }
    TempFolder folder;
    const auto weights = OpenChanged(
        folder,
        [](BuiltCheckpoint& built) {
          Respell(kTransformers, &built);
          Fuse(&built);
        },
        published);
    ExpectSameTensors(*weights, published);
    CheckEverything(*weights, 4);
  }
}

TEST(TensorNames, FusedExpertsOfAnotherShapeAreRefused) {
  const auto open = [](std::vector<int64_t> shape) {
    TempFolder folder;
    OpenChanged(folder, [&](BuiltCheckpoint& built) {
      Respell(kTransformers, &built);
      Fuse(&built);
      for (BuiltTensor& tensor : built.tensors) {
        if (tensor.name != "model.layers.0.mlp.experts.gate_up_proj") continue;
        int64_t size = 1;
        for (const int64_t side : shape) size *= side;
        tensor.shape = shape;
        tensor.data.resize(static_cast<size_t>(size));
      }
    });
  };
  // Another number of experts, two dimensions, an odd number of rows, nothing at all.
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{3, 256, 64}, {4, 256}, {4, 255, 64}, {4, 0, 64}, {1LL << 40, 0, 0}}) {
    ExpectRefusal([&] { open(shape); }, Code::kCheckpoint,
                  {"layers.0.ffn.experts.gate_up_proj", "shape: found", "expected [4, "});
  }
  // Right in form, but not the config's: the parts are checked like any tensor.
  ExpectRefusal(
      [&] {
        open({4, 128, 64});
      },
      Code::kCheckpoint, {"layers.0.ffn.experts.0.w1.weight", "found [64, 64]"});
}

TEST(TensorNames, PublishedAndUnknownNamesStayAsTheyAre) {
  for (const char* name :
       {"layers.1.attn.compressor.norm.weight", "layers.0.ffn.experts.3.w1.scale", "hc_head_fn",
        "mtp.0.hc_head_scale", "", ".", "..", "layers..attn.", "layers.0.mlpx.weight"}) {
    EXPECT_EQ(PublishedName(name), name);
    EXPECT_EQ(ParseFusedName(name).kind, FusedExperts::kNone);
  }
  EXPECT_EQ(PublishedName("model.layers.0.mlp"), "layers.0.ffn");
  EXPECT_EQ(PublishedName("layers.0.self_attn.compressor.indexer.weights_proj.weight"),
            "layers.0.attn.indexer.weights_proj.weight");
}

}  // namespace
}  // namespace finback
