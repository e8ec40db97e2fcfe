#include "tests/core/checkpoint/checkpoint_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "core/base/number_formats.h"

namespace finback {
namespace {

using Json = nlohmann::ordered_json;

class Builder {
 public:
  Builder(const Json& config, uint64_t seed, BuildLinears linears)
      : random_(seed), linears_(linears) {
    built_.config = config;
  }

  BuiltCheckpoint Build() {
    const int64_t d = Get("hidden_size"), m = Get("hc_mult"), layers = Get("num_hidden_layers");
    Bf16("embed.weight", {Get("vocab_size"), d}, 1.0);
    for (int64_t i = 0; i < layers; ++i) {
      Block("layers." + std::to_string(i) + ".", Ratio(i), i < Get("num_hash_layers"));
    }
    Norm("norm.weight", d);
    Bf16("head.weight", {Get("vocab_size"), d}, 2.0 * Shrink(d));
    Hyper("hc_head", m, {0.7f});
    for (int64_t i = 0; i < Get("num_nextn_predict_layers"); ++i) {
      const std::string p = "mtp." + std::to_string(i) + ".";
      Block(p, Ratio(layers + i), false);
      Fp8(p + "e_proj", d, d, 0.7 * Shrink(d));
      Fp8(p + "h_proj", d, d, 0.7 * Shrink(d));
      for (const char* name : {"enorm.weight", "hnorm.weight", "norm.weight"}) Norm(p + name, d);
      Hyper(p + "hc_head", m, {0.7f});
    }
    return std::move(built_);
  }

 private:
  int64_t Get(const char* name) const { return built_.config.at(name).get<int64_t>(); }
  int64_t Ratio(int64_t layer) const {
    return built_.config.at("compress_ratios").at(static_cast<size_t>(layer)).get<int64_t>();
  }
  static double Shrink(int64_t n) { return 1.0 / std::sqrt(static_cast<double>(n)); }

  std::vector<float> Normal(int64_t count, double deviation) {
    std::normal_distribution<double> normal(0.0, deviation);
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(normal(random_));
    return values;
  }

  void Add(const std::string& name, const char* dtype, std::vector<int64_t> shape,
           std::string data) {
    built_.tensors.push_back({name, dtype, std::move(shape), std::move(data)});
  }

  static int64_t Count(const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t n : shape) count *= n;
    return count;
  }

  void F32(const std::string& name, const std::vector<int64_t>& shape,
           const std::vector<float>& values) {
    std::string data(values.size() * sizeof(float), '\0');
    memcpy(data.data(), values.data(), data.size());
    Add(name, "F32", shape, std::move(data));
  }

  void Bf16Values(const std::string& name, const std::vector<int64_t>& shape,
                  const std::vector<float>& values) {
    std::string data(values.size() * 2, '\0');
    for (size_t i = 0; i < values.size(); ++i) {
      const finback::Bf16 code = FloatToBf16(values[i]);
      memcpy(data.data() + 2 * i, &code, sizeof code);
    }
    Add(name, "BF16", shape, std::move(data));
  }

  void Bf16(const std::string& name, const std::vector<int64_t>& shape, double deviation) {
    Bf16Values(name, shape, Normal(Count(shape), deviation));
  }

  void Norm(const std::string& name, int64_t width) {
    std::vector<float> values = Normal(width, 0.1);
    for (float& value : values) value += 1.0f;
    Bf16Values(name, {width}, values);
  }

  bool Plain(const std::string& name, int64_t out, int64_t in, double deviation) {
    if (linears_ == BuildLinears::kQuantized) return false;
    if (linears_ == BuildLinears::kBf16) {
      Bf16(name + ".weight", {out, in}, deviation);
    } else {
      F32(name + ".weight", {out, in}, Normal(out * in, deviation));
    }
    return true;
  }

  void Fp8(const std::string& name, int64_t out, int64_t in, double deviation) {
    if (Plain(name, out, in, deviation)) return;
    const std::vector<float> values = Normal(out * in, deviation);
    const int64_t rows = (out + 127) / 128, columns = (in + 127) / 128;
    std::vector<int> exponents(static_cast<size_t>(rows * columns));
    std::string scale, codes(values.size(), '\0');
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        float amax = 0;
        for (int64_t o = row * 128; o < std::min(out, row * 128 + 128); ++o) {
          for (int64_t i = column * 128; i < std::min(in, column * 128 + 128); ++i) {
            amax = std::max(amax, std::fabs(values[static_cast<size_t>(o * in + i)]));
          }
        }
        const int exponent = Fp8ScaleExponent(amax);
        exponents[static_cast<size_t>(row * columns + column)] = exponent;
        scale += static_cast<char>(exponent + 127);
      }
    }
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i) {
        const size_t at = static_cast<size_t>(o * in + i);
        const int exponent = exponents[static_cast<size_t>(o / 128 * columns + i / 128)];
        codes[at] = static_cast<char>(FloatToE4m3(values[at] * PowerOfTwo(-exponent)));
      }
    }
    Add(name + ".weight", "F8_E4M3", {out, in}, std::move(codes));
    Add(name + ".scale", "F8_E8M0", {rows, columns}, std::move(scale));
  }

  void Fp4(const std::string& name, int64_t out, int64_t in, double deviation) {
    if (Plain(name, out, in, deviation)) return;
    const std::vector<float> values = Normal(out * in, deviation);
    std::string codes(values.size() / 2, '\0'), scale;
    for (size_t block = 0; block < values.size(); block += 32) {
      float amax = 0;
      for (size_t i = block; i < block + 32; ++i) amax = std::max(amax, std::fabs(values[i]));
      const int exponent = Fp4ScaleExponent(amax);
      scale += static_cast<char>(exponent + 127);
      for (size_t i = block; i < block + 32; ++i) {
        const int code = FloatToE2m1(values[i] * PowerOfTwo(-exponent));
        codes[i / 2] = static_cast<char>(codes[i / 2] | code << (i % 2 * 4));
      }
    }
    Add(name + ".weight", "I8", {out, in / 2}, std::move(codes));
    Add(name + ".scale", "F8_E8M0", {out, in / 32}, std::move(scale));
  }

  void Hyper(const std::string& name, int64_t rows, const std::vector<float>& scales) {
    const int64_t columns = Get("hc_mult") * Get("hidden_size");
    F32(name + "_fn", {rows, columns}, Normal(rows * columns, 0.6 * Shrink(columns)));
    F32(name + "_base", {rows}, Normal(rows, 1.0));
    F32(name + "_scale", {static_cast<int64_t>(scales.size())}, scales);
  }

  void Compressor(const std::string& name, int64_t ratio, int64_t width) {
    const int64_t d = Get("hidden_size"), channels = width * (ratio == 4 ? 2 : 1);
    Bf16(name + ".wkv.weight", {channels, d}, Shrink(d));
    Bf16(name + ".wgate.weight", {channels, d}, 2 * Shrink(d));
    F32(name + ".ape", {ratio, channels}, Normal(ratio * channels, 0.3));
    Norm(name + ".norm.weight", width);
  }

  void Attention(const std::string& p, int64_t ratio) {
    const int64_t d = Get("hidden_size"), heads = Get("num_attention_heads"), hd = Get("head_dim");
    const int64_t ql = Get("q_lora_rank"), og = Get("o_groups"), grouped = og * Get("o_lora_rank");
    Fp8(p + "wq_a", ql, d, Shrink(d));
    Norm(p + "q_norm.weight", ql);
    Fp8(p + "wq_b", heads * hd, ql, Shrink(ql));
    Fp8(p + "wkv", hd, d, Shrink(d));
    Norm(p + "kv_norm.weight", hd);
    F32(p + "attn_sink", {heads}, Normal(heads, 1.0));
    Fp8(p + "wo_a", grouped, heads * hd / og, Shrink(heads * hd / og));
    Fp8(p + "wo_b", d, grouped, 1.5 * Shrink(grouped));
    if (ratio != 0) Compressor(p + "compressor", ratio, hd);
    if (ratio != 4) return;
    Fp8(p + "indexer.wq_b", Get("index_n_heads") * Get("index_head_dim"), ql, Shrink(ql));
    Bf16(p + "indexer.weights_proj.weight", {Get("index_n_heads"), d}, 2 * Shrink(d));
    Compressor(p + "indexer.compressor", 4, Get("index_head_dim"));
  }

  void Table(const std::string& name) {
    const int64_t vocab = Get("vocab_size"), k = Get("num_experts_per_tok");
    std::vector<int64_t> ids(static_cast<size_t>(Get("n_routed_experts")));
    std::string data;
    for (int64_t token = 0; token < vocab; ++token) {
      for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
      std::shuffle(ids.begin(), ids.end(), random_);
      data.append(reinterpret_cast<const char*>(ids.data()),
                  static_cast<size_t>(k) * sizeof(int64_t));
    }
    Add(name, "I64", {vocab, k}, std::move(data));
  }

  void Block(const std::string& p, int64_t ratio, bool hashed) {
    const int64_t d = Get("hidden_size"), m = Get("hc_mult"), experts = Get("n_routed_experts");
    const int64_t width = Get("moe_intermediate_size");
    Norm(p + "attn_norm.weight", d);
    Norm(p + "ffn_norm.weight", d);
    Hyper(p + "hc_attn", (2 + m) * m, {0.5f, 0.7f, 0.9f});
    Hyper(p + "hc_ffn", (2 + m) * m, {0.6f, 0.8f, 1.0f});
    Attention(p + "attn.", ratio);
    Bf16(p + "ffn.gate.weight", {experts, d}, 1.5 * Shrink(d));
    if (hashed) {
      Table(p + "ffn.gate.tid2eid");
    } else {
      F32(p + "ffn.gate.bias", {experts}, Normal(experts, 0.1));
    }
    for (int64_t e = 0; e < experts; ++e) {
      const std::string expert = p + "ffn.experts." + std::to_string(e) + ".";
      Fp4(expert + "w1", width, d, 1.5 * Shrink(d));
      Fp4(expert + "w2", d, width, Shrink(width));
      Fp4(expert + "w3", width, d, 1.5 * Shrink(d));
    }
    Fp8(p + "ffn.shared_experts.w1", width, d, 1.5 * Shrink(d));
    Fp8(p + "ffn.shared_experts.w2", d, width, Shrink(width));
    Fp8(p + "ffn.shared_experts.w3", width, d, 1.5 * Shrink(d));
  }

  std::mt19937_64 random_;
  BuildLinears linears_;
  BuiltCheckpoint built_;
};

}  // namespace

BuiltTensor& BuiltCheckpoint::At(const std::string& name) {
  for (BuiltTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  throw std::out_of_range("no tensor " + name);
}

void BuiltCheckpoint::Remove(const std::string& name) {
  At(name);
  std::erase_if(tensors, [&name](const BuiltTensor& tensor) { return tensor.name == name; });
}

void BuiltCheckpoint::Write(const std::string& folder, int shards) const {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  WriteText(folder + "/config.json", config.dump(1));
  if (shards == 1) {
    WriteSafetensors(folder + "/model.safetensors", HeaderOf(tensors).dump(), BufferOf(tensors));
    return;
  }
  const size_t count = static_cast<size_t>(shards);
  Json map = Json::object();
  for (size_t shard = 0; shard < count; ++shard) {
    const size_t begin = shard * tensors.size() / count, end = (shard + 1) * tensors.size() / count;
    const std::vector<BuiltTensor> part(tensors.begin() + static_cast<long>(begin),
                                        tensors.begin() + static_cast<long>(end));
    char name[64];
    snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, count);
    WriteSafetensors(folder + "/" + name, HeaderOf(part).dump(), BufferOf(part));
    for (const BuiltTensor& tensor : part) map[tensor.name] = name;
  }
  const Json index = {{"metadata", {{"total_size", BufferOf(tensors).size()}}},
                      {"weight_map", map}};
  WriteText(folder + "/model.safetensors.index.json", index.dump(1));
}

nlohmann::ordered_json TinyConfig() {
  return Json::parse(R"({
    "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "torch_dtype": "bfloat16",
    "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1,
    "hidden_act": "silu", "expert_dtype": "fp4", "hc_eps": 1e-06, "hc_mult": 4,
    "hc_sinkhorn_iters": 20, "initializer_range": 0.02, "max_position_embeddings": 1048576,
    "n_shared_experts": 1, "norm_topk_prob": true, "num_key_value_heads": 1,
    "num_nextn_predict_layers": 1, "rms_norm_eps": 1e-06, "rope_theta": 10000,
    "compress_rope_theta": 160000,
    "rope_scaling": {"type": "yarn", "factor": 16, "beta_fast": 32, "beta_slow": 1,
                     "original_max_position_embeddings": 65536},
    "scoring_func": "sqrtsoftplus", "swiglu_limit": 10.0, "tie_word_embeddings": false,
    "topk_method": "noaux_tc", "use_cache": true,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "scale_fmt": "ue8m0", "weight_block_size": [128, 128]},
    "hidden_size": 256, "num_hidden_layers": 5, "num_attention_heads": 4, "head_dim": 128,
    "qk_rope_head_dim": 64, "q_lora_rank": 128, "o_groups": 2, "o_lora_rank": 64,
    "sliding_window": 16, "index_n_heads": 4, "index_head_dim": 64, "index_topk": 8,
    "n_routed_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 128,
    "num_hash_layers": 2, "vocab_size": 512, "routed_scaling_factor": 1.5,
    "compress_ratios": [0, 0, 4, 128, 4, 0]
  })");
}

nlohmann::ordered_json SmallestConfig() {
  Json config = TinyConfig();
  config["hidden_size"] = 128;
  config["num_hidden_layers"] = 2;
  config["compress_ratios"] = {4, 128};
  config["num_nextn_predict_layers"] = 0;
  config["num_hash_layers"] = 1;
  config["num_attention_heads"] = 2;
  config["n_routed_experts"] = 4;
  config["num_experts_per_tok"] = 2;
  config["vocab_size"] = 32;
  config["hc_mult"] = 2;
  return config;
}

BuiltCheckpoint BuildCheckpoint(const nlohmann::ordered_json& config, uint64_t seed,
                                BuildLinears linears) {
  return Builder(config, seed, linears).Build();
}

std::string MakeTinyCheckpoint(const std::string& folder, uint64_t seed) {
  BuildCheckpoint(TinyConfig(), seed).Write(folder);
  return folder;
}

void WriteSafetensors(const std::string& path, const std::string& header,
                      const std::string& buffer) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  WriteText(path, bytes + header + buffer);
}

nlohmann::ordered_json HeaderOf(const std::vector<BuiltTensor>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  size_t at = 0;
  for (const BuiltTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + tensor.data.size()}}};
    at += tensor.data.size();
  }
  return header;
}

std::string BufferOf(const std::vector<BuiltTensor>& tensors) {
  std::string buffer;
  for (const BuiltTensor& tensor : tensors) buffer += tensor.data;
  return buffer;
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace finback
