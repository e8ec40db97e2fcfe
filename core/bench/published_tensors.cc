#include "core/bench/published_tensors.h"

#include <cmath>

namespace finback {
namespace {

double Shrink(int64_t n) { return 1.0 / std::sqrt(static_cast<double>(n)); }

class Lister {
 public:
  explicit Lister(const Config& config) : config_(config) {}

  std::vector<PublishedTensor> List() {
    const Config& c = config_;
    Add("embed.weight", TensorKind::kEmbedding, Dtype::kBf16, {c.vocab, c.hidden}, 1.0);
    for (int32_t i = 0; i < c.layers_count; ++i) {
      Layer("layers." + std::to_string(i) + ".", c.layers[static_cast<size_t>(i)]);
    }
    Norm("norm.weight", c.hidden);
    Add("head.weight", TensorKind::kHead, Dtype::kBf16, {c.vocab, c.hidden}, 2 * Shrink(c.hidden));
    Hyper("hc_head", c.hc_streams, 1);
    return std::move(list_);
  }

 private:
  void Add(const std::string& name, TensorKind kind, Dtype dtype, std::vector<int64_t> shape,
           double deviation) {
    list_.push_back({name, kind, dtype, false, std::move(shape), deviation});
  }

  void Norm(const std::string& name, int64_t width) {
    Add(name, TensorKind::kNorms, Dtype::kBf16, {width}, 0);
  }

  void Scale(const PublishedTensor& of, const std::string& name, std::vector<int64_t> shape) {
    list_.push_back({name, of.kind, Dtype::kF8E8m0, true, std::move(shape), of.deviation});
  }

  void Fp8(const std::string& name, TensorKind kind, int64_t out, int64_t in, double deviation) {
    Add(name + ".weight", kind, Dtype::kF8E4m3, {out, in}, deviation);
    Scale(PublishedTensor(list_.back()), name + ".scale", {(out + 127) / 128, (in + 127) / 128});
  }

  void Fp4(const std::string& name, TensorKind kind, int64_t out, int64_t in, double deviation) {
    Add(name + ".weight", kind, Dtype::kFp4Packed, {out, in}, deviation);
    Scale(PublishedTensor(list_.back()), name + ".scale", {out, in / 32});
  }

  void Hyper(const std::string& name, int64_t rows, int64_t scales) {
    const int64_t columns = static_cast<int64_t>(config_.hc_streams) * config_.hidden;
    const TensorKind kind = TensorKind::kHyperConnections;
    Add(name + "_fn", kind, Dtype::kF32, {rows, columns}, 0.6 * Shrink(columns));
    Add(name + "_base", kind, Dtype::kF32, {rows}, 0.7);
    Add(name + "_scale", kind, Dtype::kF32, {scales}, 0.5);
  }

  void Compressor(const std::string& name, TensorKind kind, const LayerSpec& layer, int64_t width) {
    const int64_t channels = width * (layer.kind == LayerKind::kCsa ? 2 : 1);
    const int64_t hidden = config_.hidden;
    Add(name + ".wkv.weight", kind, Dtype::kBf16, {channels, hidden}, Shrink(hidden));
    Add(name + ".wgate.weight", kind, Dtype::kBf16, {channels, hidden}, 2 * Shrink(hidden));
    Add(name + ".ape", kind, Dtype::kF32, {layer.ratio, channels}, 0.3);
    Norm(name + ".norm.weight", width);
  }

  void Attention(const std::string& p, const LayerSpec& layer) {
    const Config& c = config_;
    const int64_t query = int64_t{c.heads} * c.head_dim, low = int64_t{c.o_groups} * c.o_lora_rank;
    const TensorKind kind = TensorKind::kAttention;
    Fp8(p + "wq_a", kind, c.q_lora_rank, c.hidden, Shrink(c.hidden));
    Norm(p + "q_norm.weight", c.q_lora_rank);
    Fp8(p + "wq_b", kind, query, c.q_lora_rank, Shrink(c.q_lora_rank));
    Fp8(p + "wkv", kind, c.head_dim, c.hidden, Shrink(c.hidden));
    Norm(p + "kv_norm.weight", c.head_dim);
    Add(p + "attn_sink", kind, Dtype::kF32, {c.heads}, 1.0);
    Fp8(p + "wo_a", kind, low, query / c.o_groups, Shrink(query / c.o_groups));
    Fp8(p + "wo_b", kind, c.hidden, low, 1.5 * Shrink(low));
    if (layer.kind == LayerKind::kWindow) return;
    Compressor(p + "compressor", TensorKind::kCompressor, layer, c.head_dim);
    if (layer.kind != LayerKind::kCsa) return;
    const TensorKind indexer = TensorKind::kIndexer;
    Fp8(p + "indexer.wq_b", indexer, int64_t{c.index_heads} * c.index_head_dim, c.q_lora_rank,
        Shrink(c.q_lora_rank));
    Add(p + "indexer.weights_proj.weight", indexer, Dtype::kBf16, {c.index_heads, c.hidden},
        2 * Shrink(c.hidden));
    Compressor(p + "indexer.compressor", indexer, layer, c.index_head_dim);
  }

  void Layer(const std::string& p, const LayerSpec& layer) {
    const Config& c = config_;
    const int64_t hidden = c.hidden, width = c.expert_width, m = c.hc_streams;
    Norm(p + "attn_norm.weight", hidden);
    Norm(p + "ffn_norm.weight", hidden);
    Hyper(p + "hc_attn", (2 + m) * m, 3);
    Hyper(p + "hc_ffn", (2 + m) * m, 3);
    Attention(p + "attn.", layer);
    Add(p + "ffn.gate.weight", TensorKind::kRouter, Dtype::kBf16, {c.experts, hidden},
        1.5 * Shrink(hidden));
    if (layer.hash_routed) {
      Add(p + "ffn.gate.tid2eid", TensorKind::kHashTable, Dtype::kI64,
          {c.vocab, c.experts_per_token}, 0);
    } else {
      Add(p + "ffn.gate.bias", TensorKind::kRouter, Dtype::kF32, {c.experts}, 0.1);
    }
    const auto expert = [&](const std::string& name, TensorKind kind, auto matrix) {
      (this->*matrix)(name + "w1", kind, width, hidden, 1.5 * Shrink(hidden));
      (this->*matrix)(name + "w2", kind, hidden, width, Shrink(width));
      (this->*matrix)(name + "w3", kind, width, hidden, 1.5 * Shrink(hidden));
    };
    for (int32_t e = 0; e < c.experts; ++e) {
      expert(p + "ffn.experts." + std::to_string(e) + ".", TensorKind::kRoutedExperts,
             &Lister::Fp4);
    }
    expert(p + "ffn.shared_experts.", TensorKind::kSharedExpert, &Lister::Fp8);
  }

  const Config& config_;
  std::vector<PublishedTensor> list_;
};

}  // namespace

uint64_t PublishedTensor::bytes() const {
  uint64_t values = 1;
  for (const int64_t n : shape) values *= static_cast<uint64_t>(n);
  switch (dtype) {
    case Dtype::kI64:
      return values * 8;
    case Dtype::kF32:
    case Dtype::kI32:
      return values * 4;
    case Dtype::kBf16:
      return values * 2;
    case Dtype::kF8E4m3:
    case Dtype::kF8E8m0:
      return values;
    case Dtype::kFp4Packed:
      return values / 2;
  }
  return 0;
}

std::vector<PublishedTensor> PublishedTensors(const Config& config) {
  return Lister(config).List();
}

}  // namespace finback
