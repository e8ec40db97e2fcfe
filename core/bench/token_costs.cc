#include "core/bench/token_costs.h"

#include <algorithm>

namespace finback {
namespace {

template <typename SomeTensor>
void Add(const Config& config, const SomeTensor& tensor, uint64_t bytes, WeightBytes* sum) {
  switch (tensor.kind) {
    case TensorKind::kDraft:
      break;
    case TensorKind::kEmbedding:
    case TensorKind::kHashTable:
      sum->dense += bytes / static_cast<uint64_t>(config.vocab);
      break;
    case TensorKind::kRoutedExperts:
      sum->one_expert += bytes;  // divided in the end
      break;
    default:
      sum->dense += bytes;
  }
  sum->total += bytes;
}

void Finish(const Config& config, WeightBytes* sum) {
  sum->one_expert /= static_cast<uint64_t>(config.layers_count) *
                     static_cast<uint64_t>(std::max(1, config.experts));
}

}  // namespace

WeightBytes CountWeights(const Config& config, const Weights& weights) {
  WeightBytes sum;
  for (const Tensor& tensor : weights.tensors()) Add(config, tensor, tensor.bytes, &sum);
  Finish(config, &sum);
  return sum;
}

WeightBytes CountWeights(const Config& config, const std::vector<PublishedTensor>& tensors) {
  WeightBytes sum;
  for (const PublishedTensor& tensor : tensors) Add(config, tensor, tensor.bytes(), &sum);
  Finish(config, &sum);
  return sum;
}

TokenOperations CountOperations(const Config& config, uint64_t position) {
  const auto d = static_cast<double>(config.hidden), m = static_cast<double>(config.hc_streams);
  const double query = static_cast<double>(config.heads) * config.head_dim;
  const double low = static_cast<double>(config.o_groups) * config.o_lora_rank;
  const double q = config.q_lora_rank, width = config.head_dim, index_width = config.index_head_dim;
  const double index = static_cast<double>(config.index_heads) * index_width;
  const double experts = 1.0 + config.experts_per_token;  // and the shared one
  double macs = 0, attention = 0, indexer = 0;
  for (int32_t i = 0; i < config.layers_count; ++i) {
    const LayerSpec& layer = config.layers[static_cast<size_t>(i)];
    macs += d * q + q * query + d * width + query / config.o_groups * low + low * d;
    macs += 2 * (2 + m) * m * m * d;  // hyper-connections
    macs += d * config.experts + experts * 3 * d * config.expert_width;
    double keys =
        static_cast<double>(std::min<uint64_t>(position + 1, static_cast<uint64_t>(config.window)));
    if (layer.kind != LayerKind::kWindow) {
      const double channels = layer.kind == LayerKind::kCsa ? 2 : 1;
      const auto entries = static_cast<double>((position + 1) / static_cast<uint64_t>(layer.ratio));
      macs += 2 * channels * width * d;
      keys +=
          layer.kind == LayerKind::kHca ? entries : std::min<double>(entries, config.index_topk);
      if (layer.kind == LayerKind::kCsa) {
        macs += q * index + config.index_heads * d + 2 * channels * index_width * d;
        if (entries > config.index_topk) indexer += 2 * index * entries;
      }
    }
    attention += 4 * query * keys;
  }
  const double head = 2.0 * config.vocab * d;
  return {2 * macs + head + 2 * m * m * d, head, attention, indexer};
}

}  // namespace finback
