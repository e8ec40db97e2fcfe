// Rows on their way through the network: what every part of it needs. Rows of several sequences
// stand one below the other. What is a product over rows runs once for all of them; what reads or
// extends a memory goes segment by segment. No row's result depends on the others.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/network/compute.h"
#include "core/network/memory/state.h"
#include "core/network/scratch.h"

namespace finback {

// The rows of one sequence, and its memory.
struct PassSegment {
  size_t begin, rows;            // rows [begin, begin + rows) of the pass
  size_t position;               // of the first of them in the sequence
  std::span<LayerState> layers;  // the draft block's after the main layers, where it is computed

  size_t end() const { return begin + rows; }
  size_t PositionAt(size_t row) const { return position + (row - begin); }
};

// What a layer chose, for tests: rows appended in token order.
struct LayerTrace {
  std::vector<int32_t> experts;                // [tokens, experts_per_token]
  std::vector<std::vector<int32_t>> selected;  // CSA: [tokens] of ascending entry numbers
};

struct Pass {
  const Compute& compute;
  const Weights& weights;
  std::span<const int32_t> ids;           // [rows]
  std::span<const PassSegment> segments;  // all rows in order; at most one of a sequence
  Scratch* scratch;
  LayerTrace* trace = nullptr;

  size_t rows() const { return ids.size(); }
  const PassSegment& SegmentOf(size_t row) const {
    const auto after =
        std::upper_bound(segments.begin(), segments.end(), row,
                         [](size_t r, const PassSegment& segment) { return r < segment.begin; });
    return *(after - 1);
  }
};

}  // namespace finback
