#include "core/network/profile/cache_bytes.h"

#include <algorithm>

namespace finback {

CacheBytes CacheAt(const Config& config, Precision precision, uint64_t n) {
  const bool packed = precision != Precision::kFloat32 && config.quantized_cache;
  const uint64_t plain_channels = static_cast<uint64_t>(config.head_dim - config.rope_dim);
  const uint64_t entry =
      packed ? plain_channels + plain_channels / 64 + 2 * static_cast<uint64_t>(config.rope_dim)
             : 4 * static_cast<uint64_t>(config.head_dim);
  const uint64_t index_width = static_cast<uint64_t>(config.index_head_dim);
  const uint64_t key = packed ? index_width / 2 + index_width / 32 : 4 * index_width;
  CacheBytes bytes;
  for (int32_t i = 0; i < config.layers_count; ++i) {
    const LayerSpec& layer = config.layers[static_cast<size_t>(i)];
    const uint64_t window = std::min<uint64_t>(n, static_cast<uint64_t>(config.window)) * entry;
    bytes.window += window;
    bytes.read += window;
    if (layer.kind == LayerKind::kWindow) continue;
    const uint64_t entries = n / static_cast<uint64_t>(layer.ratio);
    if (layer.kind == LayerKind::kCsa) {
      bytes.csa += entries * entry;
      bytes.index += entries * key;
      const uint64_t chosen = std::min<uint64_t>(entries, static_cast<uint64_t>(config.index_topk));
      bytes.read += chosen * entry + entries * key;
    } else {
      bytes.hca += entries * entry;
      bytes.read += entries * entry;
    }
  }
  return bytes;
}

}  // namespace finback
