#include "core/network/memory/parts.h"

#include <algorithm>

#include "core/network/memory/checkpoints.h"

namespace finback {

PartSizes::PartSizes(const Config& config, Precision precision)
    : window(static_cast<size_t>(config.window)) {
  Reserve counted(Reserve::Mode::kCount);
  layers = ReserveLayers(config, precision, {1, 1}, &counted);
}

uint64_t PartSizes::Added(size_t begin, size_t end) const {
  uint64_t bytes = 0;
  for (const LayerState& layer : layers) {
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      if (compressor->ratio == 0) continue;
      bytes += (end / compressor->ratio - begin / compressor->ratio) * compressor->format.bytes;
    }
  }
  return bytes;
}

uint64_t PartSizes::Rings(size_t position) const {
  return Checkpoints::BytesAt(layers, window, position);
}

std::vector<std::span<const uint8_t>> PartSizes::AddedTo(std::span<const BlockList> lists,
                                                         size_t begin, size_t end) const {
  std::vector<std::span<const uint8_t>> parts;
  const BlockList* list = lists.data();
  for (const LayerState& layer : layers) {
    for (const CompressorState* compressor : {&layer.main, &layer.index}) {
      if (compressor->ratio != 0) {
        VisitRuns(*list, begin / compressor->ratio, end / compressor->ratio,
                  [&](const uint8_t* data, size_t bytes) {
                    parts.push_back({data, bytes});
                  });
      }
      ++list;
    }
  }
  return parts;
}

std::vector<Room> RoomFor(const TokenRange& tokens, std::span<LayerState> layers) {
  std::vector<Room> rooms;
  for (LayerState& layer : layers) {
    for (CompressorState* compressor : {&layer.main, &layer.index}) {
      if (compressor->ratio == 0) continue;
      const size_t begin = tokens.begin / compressor->ratio, end = tokens.end / compressor->ratio;
      const size_t wanted = std::clamp(tokens.kept / compressor->ratio, begin, end);
      if (wanted > begin) rooms.push_back({nullptr, (wanted - begin) * compressor->format.bytes});
      VisitRuns(compressor->entries, wanted, end, [&](uint8_t* data, size_t bytes) {
        rooms.push_back({data, bytes});
      });
    }
  }
  return rooms;
}

}  // namespace finback
