// Where the bytes lie that a range of tokens has added to a sequence, for who keeps them elsewhere:
// entries that these tokens have completed, layer by layer. What slides is a checkpoint's. Both are
// functions of the tokens alone, whoever has computed them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/network/memory/blocks.h"
#include "core/network/memory/state.h"

namespace finback {

// Sizes of what sequences of a model have, without any memory of them.
struct PartSizes {
  std::vector<LayerState> layers;
  size_t window;

  PartSizes(const Config& config, Precision precision);
  uint64_t Added(size_t begin, size_t end) const;  // by these tokens
  uint64_t Rings(size_t position) const;
  // Of lists of a mark, [layers, main and index], what tokens [begin, end) have added.
  std::vector<std::span<const uint8_t>> AddedTo(std::span<const BlockList> lists, size_t begin,
                                                size_t end) const;
};

// Where a sequence that has room for them wants what tokens [begin, end) add. Entries of the `kept`
// tokens that it has already are left out: of them there is only the size.
struct Room {
  uint8_t* data;  // null: nothing is wanted
  size_t bytes;
};
std::vector<Room> RoomFor(const TokenRange& tokens, std::span<LayerState> layers);

}  // namespace finback
