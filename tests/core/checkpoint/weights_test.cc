#include "core/checkpoint/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/base/number_formats.h"
#include "core/base/status.h"
#include "core/checkpoint/verify.h"
#include "tests/core/checkpoint/checkpoint_fixture.h"

namespace finback {
namespace {

using Json = nlohmann::ordered_json;

TEST(Weights, BindsEveryTensorOfATinyCheckpoint) {
  TempFolder folder;
  MakeTinyCheckpoint(folder.path(), 5);
  const BuiltCheckpoint built = BuildCheckpoint(TinyConfig(), 5);
  const auto weights = Open(folder);
  ASSERT_EQ(weights->layers.size(), 5u);
  ASSERT_EQ(weights->drafts.size(), 1u);
  EXPECT_EQ(weights->found_drafts(), FoundDrafts::kOurs);
  EXPECT_EQ(weights->tensors().size(), built.tensors.size());
  EXPECT_EQ(weights->files().size(), 1u);
  for (const BuiltTensor& tensor : built.tensors) {
    const auto found = std::find_if(weights->tensors().begin(), weights->tensors().end(),
                                    [&](const Tensor& t) { return t.name == tensor.name; });
    ASSERT_NE(found, weights->tensors().end()) << tensor.name;
    EXPECT_EQ(Bytes(found->data, found->bytes), tensor.data) << tensor.name;
  }
  const Linear& up = weights->layers[3].moe.experts[7].up;
  EXPECT_EQ(up.dtype, Dtype::kFp4Packed);
  EXPECT_EQ(up.out, 128u);
  EXPECT_EQ(up.in, 256u);
  BuiltCheckpoint copy = built;
  EXPECT_EQ(Bytes(up.weight, 128 * 128), copy.At("layers.3.ffn.experts.7.w3.weight").data);
  EXPECT_EQ(Bytes(up.scale, 128 * 8), copy.At("layers.3.ffn.experts.7.w3.scale").data);
  const Linear& down = weights->drafts[0].layer.moe.shared.down;
  EXPECT_EQ(down.dtype, Dtype::kF8E4m3);
  EXPECT_EQ(Bytes(down.scale, 2), copy.At("mtp.0.ffn.shared_experts.w2.scale").data);
  const Vector& ape = weights->layers[2].attn.compressor.ape;
  ASSERT_EQ(ape.values.size(), 4u * 256u);
  EXPECT_EQ(Bytes(reinterpret_cast<const uint8_t*>(ape.data()), 4096),
            copy.At("layers.2.attn.compressor.ape").data);
  Bf16 code;
  memcpy(&code, copy.At("layers.4.ffn_norm.weight").data.data() + 2 * 200, 2);
  EXPECT_EQ(weights->layers[4].ffn_norm[200], Bf16ToFloat(code));
  EXPECT_TRUE(weights->layers[1].moe.bias.values.empty());
  EXPECT_NE(weights->layers[1].moe.token_experts, nullptr);
  EXPECT_EQ(weights->layers[2].moe.token_experts, nullptr);
  EXPECT_EQ(weights->layers[2].moe.bias.values.size(), 16u);
  CheckEverything(*weights, 16);
}

TEST(Weights, SaysWhatKindEachTensorIs) {
  TempFolder folder;
  MakeTinyCheckpoint(folder.path(), 5);
  const auto weights = Open(folder);
  const std::vector<Tensor>& tensors = weights->tensors();
  const struct {
    const char* name;
    TensorKind kind;
    bool is_scale = false;
  } kRows[] = {
      {"embed.weight", TensorKind::kEmbedding},
      {"head.weight", TensorKind::kHead},
      {"norm.weight", TensorKind::kNorms},
      {"hc_head_scale", TensorKind::kHyperConnections},
      {"layers.2.hc_ffn_fn", TensorKind::kHyperConnections},
      {"layers.2.ffn_norm.weight", TensorKind::kNorms},
      {"layers.2.attn.q_norm.weight", TensorKind::kNorms},
      {"layers.2.attn.wq_b.scale", TensorKind::kAttention, true},
      {"layers.2.attn.attn_sink", TensorKind::kAttention},
      {"layers.2.attn.compressor.norm.weight", TensorKind::kCompressor},
      {"layers.2.attn.indexer.compressor.norm.weight", TensorKind::kIndexer},
      {"layers.2.attn.indexer.wq_b.scale", TensorKind::kIndexer, true},
      {"layers.1.ffn.gate.tid2eid", TensorKind::kHashTable},
      {"layers.2.ffn.gate.weight", TensorKind::kRouter},
      {"layers.2.ffn.gate.bias", TensorKind::kRouter},
      {"layers.2.ffn.shared_experts.w2.weight", TensorKind::kSharedExpert},
      {"layers.2.ffn.experts.7.w3.scale", TensorKind::kRoutedExperts, true},
      {"mtp.0.attn.wkv.weight", TensorKind::kDraft},
      {"mtp.0.enorm.weight", TensorKind::kDraft},
  };
  for (const auto& row : kRows) {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const Tensor& t) { return t.name == row.name; });
    ASSERT_NE(found, tensors.end()) << row.name;
    EXPECT_EQ(found->kind, row.kind) << row.name;
    EXPECT_EQ(found->is_scale, row.is_scale) << row.name;
  }
  for (const Tensor& tensor : tensors) {
    EXPECT_EQ(tensor.is_scale, tensor.name.ends_with(".scale")) << tensor.name;
    EXPECT_EQ(tensor.kind == TensorKind::kDraft, tensor.name.starts_with("mtp.")) << tensor.name;
  }
}

TEST(Weights, AnyNumberOfShardsGivesTheSameTensors) {
  TempFolder one, many;
  Smallest().Write(one.path());
  const auto whole = Open(one);
  for (const int shards : {2, 5, 40}) {
    Smallest().Write(many.path(), shards);
    const auto weights = Open(many);
    EXPECT_EQ(weights->files().size(), static_cast<size_t>(shards));
    EXPECT_EQ(weights->total_bytes(), whole->total_bytes());
    ASSERT_EQ(weights->tensors().size(), whole->tensors().size());
    for (size_t i = 0; i < whole->tensors().size(); ++i) {
      const Tensor &a = whole->tensors()[i], &b = weights->tensors()[i];
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(Bytes(a.data, a.bytes), Bytes(b.data, b.bytes)) << a.name;
    }
    CheckEverything(*weights, 4);
  }
}

TEST(Weights, WithoutAnIndexOtherFilesAreIgnored) {
  TempFolder folder;
  Smallest().Write(folder.path());
  WriteText(folder / "golden.safetensors", "not even a header");
  WriteText(folder / "model-00001-of-00002.safetensors", "nor this");
  EXPECT_EQ(Open(folder)->files().size(), 1u);
}

TEST(Weights, WithAnIndexOtherFilesAreIgnored) {
  TempFolder folder;
  Smallest().Write(folder.path(), 2);
  WriteText(folder / "model.safetensors", "not even a header");
  EXPECT_EQ(Open(folder)->files().size(), 2u);
}

TEST(Weights, TotalsFollowFromTheConfig) {
  for (const BuiltCheckpoint* built : {&Smallest(), &WithDraft()}) {
    TempFolder folder;
    built->Write(folder.path());
    const CheckpointTotals totals = PublishedTotals(LoadConfig(folder.path()));
    EXPECT_EQ(totals.tensors, built->tensors.size());
    EXPECT_EQ(totals.bytes, Open(folder)->total_bytes());
  }
}

TEST(WeightsVariants, ExpertTableOfI32) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    BuiltTensor& table = built.At("layers.0.ffn.gate.tid2eid");
    std::string narrow;
    for (size_t i = 0; i < table.data.size(); i += 8) narrow += table.data.substr(i, 4);
    table.data = narrow;
    table.dtype = "I32";
  });
  EXPECT_EQ(weights->layers[0].moe.token_experts_dtype, Dtype::kI32);
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, PackedFp4UnderOtherTags) {
  for (const auto& [tag, width] :
       std::vector<std::pair<const char*, int64_t>>{{"U8", 64}, {"F4", 64}, {"F4", 128}}) {
    TempFolder folder;
    const auto weights = OpenChanged(folder, [&tag = tag, &width = width](BuiltCheckpoint& built) {
      built.At(kExpert + ".weight").dtype = tag;
      built.At(kExpert + ".weight").shape[1] = width;
    });
    const Linear& gate = weights->layers[0].moe.experts[2].gate;
    EXPECT_EQ(gate.dtype, Dtype::kFp4Packed) << tag << width;
    EXPECT_EQ(gate.in, 128);
    CheckEverything(*weights, 4);
  }
}

TEST(WeightsVariants, ScalesOfU8) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    for (BuiltTensor& tensor : built.tensors) {
      if (tensor.dtype == "F8_E8M0") tensor.dtype = "U8";
    }
  });
  CheckEverything(*weights, 4);
}

std::string ScalesAsF32(const std::string& codes) {
  std::string out;
  for (const char code : codes) {
    const float value = E8m0ToFloat(static_cast<uint8_t>(code));
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return out;
}

void UseF32Scales(BuiltCheckpoint& built) {
  for (BuiltTensor& tensor : built.tensors) {
    if (tensor.dtype != "F8_E8M0") continue;
    tensor.dtype = "F32";
    tensor.data = ScalesAsF32(tensor.data);
  }
}

TEST(WeightsVariants, F32ScalesBecomeE8m0OnFirstUse) {
  TempFolder folder;
  BuiltCheckpoint published = Smallest();
  // The ends of the range, too: 2^-127 is subnormal as F32.
  published.At(kExpert + ".scale").data[0] = 0;
  published.At(kExpert + ".scale").data[1] = static_cast<char>(254);
  BuiltCheckpoint built = published;
  UseF32Scales(built);
  built.Write(folder.path());
  const auto weights = Open(folder);
  // Many threads at once, as the first token would.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&weights] {
      weights->CheckLayer(0);
      for (int32_t expert = 0; expert < 4; ++expert) weights->CheckExpert(0, expert);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ExpertWeights& expert = weights->layers[0].moe.experts[2];
  const std::string& codes = published.At(kExpert + ".scale").data;
  EXPECT_EQ(Bytes(expert.gate.scale, codes.size()), codes);
  const std::string& wo_a = published.At("layers.0.attn.wo_a.scale").data;
  EXPECT_EQ(Bytes(weights->layers[0].attn.wo_a.scale, wo_a.size()), wo_a);
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, F32ScalesThatAreNoPowerOfTwoAreRefusedByName) {
  for (const float bad : {3.0f, 0.0f, -1.0f, 1e-40f}) {
    TempFolder folder;
    const auto weights = OpenChanged(folder, [&](BuiltCheckpoint& built) {
      UseF32Scales(built);
      memcpy(built.At(kExpert + ".scale").data.data() + 4 * 7, &bad, sizeof bad);
    });
    weights->CheckExpert(0, 1);
    ExpectRefusal([&] { weights->CheckExpert(0, 2); }, Code::kUnsupported,
                  {kExpert + ".scale", "element 7", "powers of two"});
    ExpectRefusal([&] { weights->VerifyAll(nullptr); }, Code::kUnsupported,
                  {kExpert + ".scale", "element 7"});
  }
}

TEST(WeightsVariants, Fp8ExpertsAsInBaseCheckpoints) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    for (BuiltTensor& tensor : built.tensors) {
      if (tensor.name.find(".experts.") == std::string::npos || tensor.dtype != "I8") continue;
      tensor.dtype = "F8_E4M3";
      tensor.shape[1] *= 2;
      tensor.data = std::string(tensor.data.size() * 2, '\x38');
      tensor.data[1] = '\x39';
      BuiltTensor& scale = built.At(tensor.name.substr(0, tensor.name.size() - 6) + "scale");
      scale.shape = {1, 1};
      scale.data = ScalesAsF32("\x7f");
      scale.dtype = "F32";
    }
  });
  EXPECT_EQ(weights->layers[0].moe.experts[0].down.dtype, Dtype::kF8E4m3);
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, WoAWithoutScaleAsTheConverterWritesIt) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    BuiltTensor& wo_a = built.At("layers.0.attn.wo_a.weight");
    wo_a.dtype = "BF16";
    wo_a.data = std::string(wo_a.data.size() * 2, '\0');
    built.Remove("layers.0.attn.wo_a.scale");
  });
  EXPECT_EQ(weights->layers[0].attn.wo_a.dtype, Dtype::kBf16);
  EXPECT_EQ(weights->layers[0].attn.wo_a.scale, nullptr);
}

TEST(WeightsVariants, UnquantizedLinearsOfAnyWidth) {
  for (const BuildLinears linears : {BuildLinears::kBf16, BuildLinears::kF32}) {
    Json config = SmallestConfig();
    config.erase("quantization_config");
    config["hidden_size"] = 64;
    config["head_dim"] = 32;
    config["qk_rope_head_dim"] = 8;
    config["q_lora_rank"] = 32;
    config["o_lora_rank"] = 16;
    config["index_head_dim"] = 16;
    config["index_n_heads"] = 2;
    config["moe_intermediate_size"] = 64;
    TempFolder folder;
    BuildCheckpoint(config, 3, linears).Write(folder.path());
    const auto weights = Open(folder);
    EXPECT_FALSE(weights->layers[0].attn.wq_a.quantized());
    CheckEverything(*weights, 4);
  }
}

TEST(WeightsVariants, QuantizedLinearsNeedTheirConfig) {
  Json config = SmallestConfig();
  config.erase("quantization_config");
  TempFolder folder;
  BuildCheckpoint(config, 3).Write(folder.path());
  ExpectRefusal([&] { Open(folder); }, Code::kCheckpoint, {"F8_E4M3", "quantization_config"});
}

TEST(WeightsVariants, SmallTensorsOfTheOtherFloatTypeAreConverted) {
  TempFolder folder;
  BuiltCheckpoint built = Smallest();
  std::vector<float> sink(2);
  memcpy(sink.data(), built.At("layers.0.attn.attn_sink").data.data(), 8);
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& changed) {
    for (BuiltTensor& tensor : changed.tensors) {
      const bool norm = tensor.name.find("norm") != std::string::npos;
      std::string data;
      if (norm && tensor.dtype == "BF16") {
        for (size_t i = 0; i < tensor.data.size(); i += 2)
          data += std::string(2, '\0') + tensor.data.substr(i, 2);
        tensor.dtype = "F32";
      } else if (tensor.dtype == "F32") {
        for (size_t i = 0; i < tensor.data.size(); i += 4) {
          float value;
          memcpy(&value, tensor.data.data() + i, 4);
          const Bf16 code = FloatToBf16(value);
          data.append(reinterpret_cast<const char*>(&code), 2);
        }
        tensor.dtype = "BF16";
      } else {
        continue;
      }
      tensor.data = data;
    }
  });
  EXPECT_EQ(weights->layers[0].attn.sink[1], RoundBf16(sink[1]));
  EXPECT_EQ(weights->layers[0].hc_attn.fn.dtype, Dtype::kF32);
  Bf16 code;
  memcpy(&code, built.At("layers.1.attn.q_norm.weight").data.data() + 6, 2);
  EXPECT_EQ(weights->layers[1].attn.q_norm[3], Bf16ToFloat(code));
  float fn;
  memcpy(&fn, built.At("layers.0.hc_attn_fn").data.data() + 40, 4);
  float found;
  memcpy(&found, weights->layers[0].hc_attn.fn.weight + 40, 4);
  EXPECT_EQ(found, RoundBf16(fn));
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, PrefixAndScaleNamesOfOtherTools) {
  TempFolder folder;
  const auto weights = OpenChanged(folder, [](BuiltCheckpoint& built) {
    for (BuiltTensor& tensor : built.tensors) {
      const size_t at = tensor.name.rfind(".scale");
      if (at != std::string::npos) tensor.name = tensor.name.substr(0, at) + ".weight_scale_inv";
      tensor.name = "model." + tensor.name;
    }
  });
  EXPECT_EQ(weights->tensors().size(), Smallest().tensors.size());
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, CopiesOfSharedTensorsInTheDraftBlockAreSkipped) {
  TempFolder folder;
  const auto weights = OpenChanged(
      folder,
      [](BuiltCheckpoint& built) {
        built.tensors.push_back({"mtp.0.emb.tok_emb.weight", "BF16", {1}, "ab"});
        built.tensors.push_back({"mtp.0.head.weight", "BF16", {1}, "ab"});
      },
      WithDraft());
  EXPECT_EQ(weights->drafts.size(), 1u);
  EXPECT_EQ(weights->tensors().size(), WithDraft().tensors.size());
}

TEST(WeightsVariants, ForeignDraftModulesAreIgnored) {
  const auto add = [](BuiltCheckpoint& built) {
    built.tensors.push_back({"mtp.0.main_proj.weight", "F8_E5M2", {2}, "ab"});
    built.tensors.push_back({"mtp.2.markov_head.markov_w1.weight", "F16", {1, 1, 1}, "ab"});
  };
  for (const bool marked : {true, false}) {  // by dspark_* keys, or by the tensors alone
    TempFolder folder;
    const auto weights = OpenChanged(
        folder,
        [&](BuiltCheckpoint& built) {
          add(built);
          if (marked) built.config["dspark_block_size"] = 5;
        },
        WithDraft());
    EXPECT_EQ(weights->found_drafts(), FoundDrafts::kForeign);
    EXPECT_TRUE(weights->drafts.empty());
    for (const Tensor& tensor : weights->tensors())
      EXPECT_NE(tensor.name.substr(0, 4), "mtp.") << tensor.name;
    CheckEverything(*weights, 4);
  }
}

TEST(WeightsVariants, ACopyWithoutItsDraftBlocksIsWhole) {
  TempFolder folder;
  const auto weights = OpenChanged(
      folder,
      [](BuiltCheckpoint& built) {
        std::erase_if(built.tensors,
                      [](const BuiltTensor& t) { return t.name.starts_with("mtp."); });
      },
      WithDraft());
  EXPECT_EQ(weights->found_drafts(), FoundDrafts::kNone);
  EXPECT_TRUE(weights->drafts.empty());
  CheckEverything(*weights, 4);
}

TEST(WeightsVariants, HalfADraftBlockIsAnErrorThatSaysSo) {
  TempFolder folder;
  const Change half = [](BuiltCheckpoint& built) {
    std::erase_if(built.tensors,
                  [](const BuiltTensor& t) { return t.name.starts_with("mtp.0.ffn."); });
  };
  ExpectRefusal([&] { OpenChanged(folder, half, WithDraft()); }, Code::kCheckpoint,
                {"\"mtp.0.ffn.gate.weight\": not found", "the draft blocks are there in part"});
}

TEST(WeightsVariants, DataAtAnyAlignment) {
  for (size_t padding = 0; padding < 8; ++padding) {
    TempFolder folder;
    Smallest().Write(folder.path());
    WriteSafetensors(folder / "model.safetensors",
                     HeaderOf(Smallest().tensors).dump() + std::string(padding, ' '),
                     BufferOf(Smallest().tensors));
    const auto weights = Open(folder);
    float first;
    memcpy(&first, BuiltCheckpoint(Smallest()).At("layers.0.hc_attn_base").data.data(), 4);
    EXPECT_EQ(weights->layers[0].hc_attn.base[0], first) << padding;
    CheckEverything(*weights, 4);
  }
}

}  // namespace
}  // namespace finback
