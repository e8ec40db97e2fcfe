#include "core/network/attention/reader.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/number_formats.h"

namespace finback {
namespace {

// Multiply-adds of some rows; fewer take as long on several cores, which fetch what they read.
constexpr size_t kWorthAFork = 1000000;
constexpr size_t kRowsPerTask = 8;     // queries that share the unpacking of their keys
constexpr size_t kChannelBlock = 64;   // of values, as scales of entries go
constexpr size_t kSlotsPerTask = 512;  // below, forking once more costs more than unpacking twice

constexpr size_t RoundUp(size_t n, size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// The slots of one query's keys.
struct Slots {
  size_t window_begin, window_end;  // positions
  size_t entries;

  size_t origin() const { return window_begin / kKeyTile * kKeyTile; }  // position of slot 0
  size_t first_entry() const { return RoundUp(window_end - origin(), kKeyTile); }
  size_t used() const { return first_entry() + entries; }
  size_t count() const { return RoundUp(used(), 16); }
};

// A part of a batch of queries of one segment.
struct Part {
  size_t begin, end;  // rows
  size_t first_head, heads;
};

// One tile of keys, and the rows that read it.
struct Tile {
  enum class Source : uint8_t { kWindow, kEntries, kChosen };
  Source source;
  size_t first;       // position or entry of its first slot; kChosen: place in the query's list
  size_t begin, end;  // slots that hold keys
  size_t row, rows_end;
};

// The keys of a tile that one query sees, and where their scores are.
struct Span {
  size_t begin, end;  // slots of the tile
  size_t slot;        // of the query, where the tile begins
};

class Reader {
 public:
  Reader(const Pass& pass, const Reading& reading)
      : pass_(pass),
        reading_(reading),
        compute_(pass.compute),
        scratch_(*pass.scratch),
        heads_(pass.compute.sizes.heads),
        width_(pass.compute.sizes.head_dim),
        paired_(pass.compute.numerics.weights_bf16) {}

  void Run() {
    size_t longest = 0;
    for (const PassSegment& segment : pass_.segments) {
      if (segment.rows == 0) continue;
      longest = std::max(longest, SlotsOf(segment.end() - 1).first_entry() +
                                      RoundUp(SlotsOf(segment.end() - 1).entries, kKeyTile));
    }
    stride_ = longest + kKeyTile;  // an earlier row's window may take a tile more
    const size_t rows_at_once = scratch_.key_scores.size() / (heads_ * stride_);
    for (size_t row = 0; row < pass_.rows(); row += rows_at_once) {
      RunBatch(row, std::min(pass_.rows(), row + rows_at_once));
    }
  }

 private:
  Slots SlotsOf(size_t row) const {
    const PassSegment& segment = pass_.SegmentOf(row);
    const LayerState& state = segment.layers[reading_.layer];
    const size_t end = segment.PositionAt(row) + 1;
    Slots slots{end - std::min(end, compute_.sizes.window), end, 0};
    if (state.kind == LayerKind::kCsa) {
      slots.entries = static_cast<size_t>(reading_.selection.counts[row]);
    } else if (state.kind == LayerKind::kHca) {
      slots.entries = end / state.main.ratio;
    }
    return slots;
  }

  float* ScoresOf(size_t row, size_t head) const {
    return scratch_.key_scores.data() + ((row - batch_) * heads_ + head) * stride_;
  }
  SoftmaxSums* SumsOf(size_t row) const { return scratch_.key_sums.data() + row * heads_; }
  float* QueryOf(size_t row, size_t head) const {
    return reading_.q + (row * heads_ + head) * width_;
  }
  float* OutOf(size_t row, size_t head) const {
    return scratch_.attended.data() + (row * heads_ + head) * width_;
  }

  uint8_t* SpaceOf(size_t taker) const {
    return scratch_.key_tiles.data() + taker * KeyTileBytes(compute_);
  }

  // Calls body(task, space of the thread) for each task.
  template <typename Body>
  void ForTasks(size_t tasks, const Body& body) const {
    const size_t takers = std::min(tasks, static_cast<size_t>(compute_.parallel.threads()));
    std::atomic<size_t> next{0};
    compute_.parallel.For(takers, 1, [&](size_t first, size_t last) {
      for (size_t taker = first; taker < last; ++taker) {
        uint8_t* space = SpaceOf(taker);
        for (size_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
          body(task, space);
        }
      }
    });
  }

  // Calls body(Part) for the pieces of rows [begin, end) that belong to one segment each.
  template <typename Body>
  void ForSegments(size_t begin, size_t end, const Body& body) const {
    while (begin < end) {
      const size_t stop = std::min(end, pass_.SegmentOf(begin).end());
      body(Part{begin, stop, 0, heads_});
      begin = stop;
    }
  }

  void RunBatch(size_t begin, size_t end) {
    batch_ = begin;
    const size_t rows = end - begin, threads = static_cast<size_t>(compute_.parallel.threads());
    const size_t groups = (rows + kRowsPerTask - 1) / kRowsPerTask;
    const bool small = rows * heads_ * stride_ * width_ < kWorthAFork;
    if (threads == 1 || small || groups >= 2 * threads) {
      ForTasks(groups, [&](size_t task, uint8_t* space) {
        const size_t first = begin + task * kRowsPerTask;
        ForSegments(first, std::min(end, first + kRowsPerTask),
                    [&](const Part& part) { ReadPart(part, space); });
      });
    } else if (stride_ <= kSlotsPerTask) {
      RunByHeads(begin, end);
    } else {
      RunBySteps(begin, end);
    }
  }

  // Few rows and few keys: every task unpacks them for some heads.
  void RunByHeads(size_t begin, size_t end) {
    const size_t rows = end - begin, threads = static_cast<size_t>(compute_.parallel.threads());
    const size_t pieces = std::min(heads_, (threads + rows - 1) / rows);
    const size_t share = (heads_ + pieces - 1) / pieces;
    ForTasks(rows * pieces, [&](size_t task, uint8_t* space) {
      const size_t row = begin + task / pieces, first = task % pieces * share;
      if (first < heads_) ReadPart({row, row + 1, first, std::min(share, heads_ - first)}, space);
    });
  }

  // Few rows and many keys: first the scores, split over tiles, then the softmax, split over heads,
  // then the values, split over channels.
  void RunBySteps(size_t begin, size_t end) {
    const size_t threads = static_cast<size_t>(compute_.parallel.threads());
    size_t tiles = 0;
    ForSegments(begin, end, [&](const Part& part) { tiles += CountTiles(part); });
    const size_t grain = std::max<size_t>(1, tiles / (threads * 8));
    const size_t rows = end - begin, pieces = std::min(heads_, threads * 4);
    const size_t share = (heads_ + pieces - 1) / pieces, blocks = ChannelBlocks();
    const auto score = [&](size_t task, uint8_t* space) {
      size_t done = 0;  // tiles of the parts before
      ForSegments(begin, end, [&](const Part& part) {
        size_t index = done;
        VisitTiles(part, [&](const Tile& tile) {
          if (index / grain == task) ScoreTile(part, tile, space, space);
          ++index;
        });
        done = index;
      });
    };
    const auto weigh = [&](size_t task) {
      const size_t row = begin + task / pieces, first = task % pieces * share;
      if (first < heads_) WeighKeys({row, row + 1, first, std::min(share, heads_ - first)});
    };
    const auto sum = [&](size_t task, uint8_t* space) {
      const size_t row = begin + task / blocks, block = task % blocks;
      SumValues({row, row + 1, 0, heads_}, ChannelBegin(block), ChannelBegin(block + 1), space, {});
    };
    compute_.parallel.ForSteps({(tiles + grain - 1) / grain, rows * pieces, rows * blocks},
                               [&](size_t step, size_t task, size_t taker) {
                                 uint8_t* space = SpaceOf(taker);
                                 if (step == 0) score(task, space);
                                 if (step == 1) weigh(task);
                                 if (step == 2) sum(task, space);
                               });
  }

  // Channels of a task where values are split, a multiple of kChannelBlock: two tasks a thread,
  // each of which unpacks its part of every entry.
  size_t BlockChannels() const {
    const size_t tasks = 2 * static_cast<size_t>(compute_.parallel.threads());
    return RoundUp((width_ + tasks - 1) / tasks, kChannelBlock);
  }
  // The last block has all rotary channels.
  size_t ChannelBlocks() const {
    return 1 + (width_ - 2 * compute_.sizes.rope_pairs) / BlockChannels();
  }
  size_t ChannelBegin(size_t block) const {
    return block == ChannelBlocks() ? width_ : block * BlockChannels();
  }

  void ReadPart(const Part& part, uint8_t* space) const {
    KeptRows kept(KeptBy(space));
    VisitTiles(part, [&](const Tile& tile) {
      uint8_t* rows = kept.Next();
      ScoreTile(part, tile, rows == nullptr ? space : rows, space);
    });
    WeighKeys(part);
    SumValues(part, 0, width_, space, KeptBy(space));
  }

  // Unpacked tiles that wait from the scores for the values: the first ones of a part.
  struct KeptRows {
    uint8_t* next = nullptr;
    size_t bytes = 0, count = 0;

    uint8_t* Next() {  // null: this one was not kept
      if (count == 0) return nullptr;
      --count;
      uint8_t* rows = next;
      next += bytes;
      return rows;
    }
  };
  KeptRows KeptBy(uint8_t* space) const {
    if (!paired_) return {};
    return {space + UnpackedBytes(compute_), kKeyTile * width_ * sizeof(Bf16), KeptTiles(compute_)};
  }

  // All tiles that the part's queries read, in the order of their slots.
  template <typename Body>
  void VisitTiles(const Part& part, const Body& body) const {
    const LayerState& state = pass_.SegmentOf(part.begin).layers[reading_.layer];
    const Slots first = SlotsOf(part.begin), last = SlotsOf(part.end - 1);
    for (size_t at = first.origin(); at < last.window_end; at += kKeyTile) {
      body(Tile{Tile::Source::kWindow, at, std::max(first.window_begin, at) - at,
                std::min(last.window_end - at, kKeyTile), part.begin, part.end});
    }
    if (state.kind == LayerKind::kHca) {
      for (size_t at = 0; at < last.entries; at += kKeyTile) {
        body(Tile{Tile::Source::kEntries, at, 0, std::min(last.entries - at, kKeyTile), part.begin,
                  part.end});
      }
    }
    if (state.kind != LayerKind::kCsa) return;
    for (size_t row = part.begin; row < part.end; ++row) {
      const size_t entries = SlotsOf(row).entries;
      for (size_t at = 0; at < entries; at += kKeyTile) {
        body(Tile{Tile::Source::kChosen, at, 0, std::min(entries - at, kKeyTile), row, row + 1});
      }
    }
  }
  size_t CountTiles(const Part& part) const {
    size_t tiles = 0;
    VisitTiles(part, [&](const Tile&) { ++tiles; });
    return tiles;
  }

  Span SpanOf(const Tile& tile, size_t row) const {
    const Slots slots = SlotsOf(row);
    if (tile.source != Tile::Source::kWindow) {
      const size_t left = slots.entries - std::min(slots.entries, tile.first);
      return {0, std::min(left, kKeyTile), slots.first_entry() + tile.first};
    }
    const size_t begin = std::max(slots.window_begin, tile.first) - tile.first;
    const size_t end = std::max(slots.window_end, tile.first) - tile.first;
    return {begin, std::min(end, kKeyTile), tile.first - std::min(slots.origin(), tile.first)};
  }

  const uint8_t* EntryOf(const LayerState& state, const Tile& tile, size_t slot) const {
    const size_t i = tile.first + slot;
    switch (tile.source) {
      case Tile::Source::kWindow:
        return state.WindowEntry(i);
      case Tile::Source::kEntries:
        return state.main.Entry(i);
      case Tile::Source::kChosen:
        break;
    }
    const int32_t* chosen = reading_.selection.entries + tile.row * compute_.sizes.index_topk;
    return state.main.Entry(static_cast<size_t>(chosen[i]));
  }

  // A tile's keys in `space`, a row each: channels [begin, end) as bfloat16 codes or, where weights
  // are not rounded, all channels as floats.
  void Unpack(const Tile& tile, size_t begin, size_t end, uint8_t* space) const {
    const LayerState& state = pass_.SegmentOf(tile.row).layers[reading_.layer];
    const EntryFormat& format = state.format;
    float* floats = reinterpret_cast<float*>(space);
    Bf16* codes = reinterpret_cast<Bf16*>(space);
    for (size_t slot = tile.begin; slot < tile.end; ++slot) {
      const uint8_t* entry = EntryOf(state, tile, slot);
      if (!paired_) {
        format.Load(compute_.kernels, entry, floats + slot * width_);
      } else if (format.kind == EntryFormat::Kind::kKv) {
        compute_.kernels.entry_codes(
            {format.kv, entry, begin, end - begin, codes + slot * (end - begin)});
      } else {
        const float* values = reinterpret_cast<const float*>(entry);
        for (size_t i = begin; i < end; ++i) {
          float value;
          memcpy(&value, values + i, sizeof value);
          codes[slot * (end - begin) + (i - begin)] = FloatToBf16(value);
        }
      }
    }
  }

  // Scores of a tile's keys, which are unpacked to `rows`, for the part's queries that see them.
  void ScoreTile(const Part& part, const Tile& tile, uint8_t* rows, uint8_t* space) const {
    Unpack(tile, 0, width_, rows);
    Bf16* by_channel = reinterpret_cast<Bf16*>(space + kKeyTile * width_ * sizeof(float));
    const size_t pairs = (width_ + 1) / 2;
    if (paired_) {
      compute_.kernels.keys_by_channel({.rows = reinterpret_cast<const Bf16*>(rows),
                                        .stride = width_,
                                        .count = tile.end,
                                        .width = width_,
                                        .out = by_channel});
    }
    for (size_t row = tile.row; row < tile.rows_end; ++row) {
      const Span span = SpanOf(tile, row);
      if (span.begin >= span.end) continue;
      float* scores = ScoresOf(row, part.first_head) + span.slot;
      const float* q = QueryOf(row, part.first_head);
      if (paired_) {
        const size_t first = span.begin / 16 * 16;
        compute_.kernels.pair_product({.a = reinterpret_cast<const Bf16*>(q),
                                       .a_stride = 2 * width_,
                                       .b = by_channel + 2 * first,
                                       .b_stride = 2 * kKeyTile,
                                       .head = nullptr,
                                       .tail = nullptr,
                                       .rows = part.heads,
                                       .pairs = pairs,
                                       .columns = RoundUp(span.end, 16) - first,
                                       .c = scores + first,
                                       .c_stride = stride_,
                                       .add = false});
      } else {
        compute_.kernels.gemm_f32.multiply({.weight = rows,
                                            .scale = nullptr,
                                            .in = width_,
                                            .out_begin = span.begin,
                                            .out_end = span.end,
                                            .x = q,
                                            .x_stride = width_,
                                            .rows = part.heads,
                                            .y = scores,
                                            .y_stride = stride_,
                                            .y_origin = 0});
      }
    }
  }

  // Scores become weights, and their sums.
  void WeighKeys(const Part& part) const {
    const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width_)));
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    for (size_t row = part.begin; row < part.end; ++row) {
      const Slots slots = SlotsOf(row);
      const size_t begin = slots.window_begin - slots.origin();
      const size_t end = slots.window_end - slots.origin();
      for (size_t head = part.first_head; head < part.first_head + part.heads; ++head) {
        float* scores = ScoresOf(row, head);
        std::fill(scores, scores + begin, kNone);
        std::fill(scores + end, scores + slots.first_entry(), kNone);
        std::fill(scores + slots.used(), scores + slots.count(), kNone);
        SumsOf(row)[head] = compute_.kernels.softmax({scores, slots.count(), scale, paired_});
      }
    }
  }

  // What the part's heads read, in channels [begin, end) of `attended`.
  void SumValues(const Part& part, size_t begin, size_t end, uint8_t* space, KeptRows kept) const {
    VisitTiles(part, [&](const Tile& tile) {
      if (paired_) {
        const uint8_t* rows = kept.Next();
        if (rows == nullptr) {
          Unpack(tile, begin, end, space);
          rows = space;
        }
        AddPairs(part, tile, begin, end, {reinterpret_cast<const Bf16*>(rows), space});
      } else {
        AddFloats(part, tile, begin, end, space);
      }
    });
    for (size_t row = part.begin; row < part.end; ++row) {
      for (size_t head = part.first_head; head < part.first_head + part.heads; ++head) {
        FinishHead(row, head, begin, end);
      }
    }
  }

  // A pair of keys of which the query sees one: the other's values become zeros, whatever they are.
  static const Bf16* KeepOne(const Bf16* pairs, size_t width, size_t keep, Bf16* out) {
    for (size_t i = 0; i < width; ++i) {
      out[2 * i + keep] = pairs[2 * i + keep];
      out[2 * i + 1 - keep] = 0;
    }
    return out;
  }

  // A tile's keys of these channels, and where they are arranged.
  struct ValueRows {
    const Bf16* rows;
    uint8_t* space;
  };
  void AddPairs(const Part& part, const Tile& tile, size_t begin, size_t end,
                const ValueRows& values) const {
    const size_t width = end - begin;
    Bf16* by_key = reinterpret_cast<Bf16*>(values.space + kKeyTile * width_ * sizeof(float));
    Bf16* edges = by_key + (kKeyTile + 2) * width_;
    const size_t whole = tile.begin / 2 * 2;  // the first slot of the first pair
    compute_.kernels.keys_by_key({.rows = values.rows + whole * width,
                                  .stride = width,
                                  .count = tile.end - whole,
                                  .width = width,
                                  .out = by_key});
    for (size_t row = tile.row; row < tile.rows_end; ++row) {
      const Span span = SpanOf(tile, row);
      if (span.begin >= span.end) continue;
      const size_t first = span.begin / 2, pairs = (span.end + 1) / 2 - first;
      const Bf16* b = by_key + (first - whole / 2) * 2 * width;
      const Bf16* head = nullptr;
      const Bf16* tail = nullptr;
      if (span.begin % 2 != 0) head = KeepOne(b, width, 1, edges);
      if (span.end % 2 != 0) {
        const Bf16* last = pairs == 1 && head != nullptr ? head : b + (pairs - 1) * 2 * width;
        tail = KeepOne(last, width, 0, edges + 2 * width);
        if (pairs == 1) head = tail;
      }
      const Bf16* weights = reinterpret_cast<const Bf16*>(ScoresOf(row, part.first_head));
      compute_.kernels.pair_product({.a = weights + span.slot + 2 * first,
                                     .a_stride = 2 * stride_,
                                     .b = b,
                                     .b_stride = 2 * width,
                                     .head = head,
                                     .tail = tail,
                                     .rows = part.heads,
                                     .pairs = pairs,
                                     .columns = width,
                                     .c = OutOf(row, part.first_head) + begin,
                                     .c_stride = width_,
                                     .add = !IsFirst(tile, row)});
    }
  }

  // Where nothing is rounded: the product over keys in the order of gemm.h, tile by tile.
  void AddFloats(const Part& part, const Tile& tile, size_t begin, size_t end,
                 uint8_t* space) const {
    constexpr size_t kOuts = 16;
    Unpack(tile, 0, width_, space);
    const float* rows = reinterpret_cast<const float*>(space);
    float* turned = reinterpret_cast<float*>(space + kKeyTile * width_ * sizeof(float));
    const GemmKernel& kernel = compute_.kernels.gemm_f32;
    for (size_t row = tile.row; row < tile.rows_end; ++row) {
      const Span span = SpanOf(tile, row);
      if (span.begin >= span.end) continue;
      const size_t keys = span.end - span.begin;
      for (size_t i = begin; i < end; ++i) {
        for (size_t key = 0; key < keys; ++key) {
          turned[(i - begin) * keys + key] = rows[(span.begin + key) * width_ + i];
        }
      }
      for (size_t head = part.first_head; head < part.first_head + part.heads; ++head) {
        float x[kKeyTile];
        memcpy(x, ScoresOf(row, head) + span.slot + span.begin, keys * sizeof(float));
        if (kernel.prepare != nullptr) kernel.prepare(x, keys);
        float* out = OutOf(row, head);
        for (size_t i = begin; i < end; i += kOuts) {
          float y[kOuts];
          const size_t outs = std::min(kOuts, end - i);
          kernel.multiply({.weight = reinterpret_cast<const uint8_t*>(turned),
                           .scale = nullptr,
                           .in = keys,
                           .out_begin = i - begin,
                           .out_end = i - begin + outs,
                           .x = x,
                           .x_stride = keys,
                           .rows = 1,
                           .y = y,
                           .y_stride = outs,
                           .y_origin = i - begin});
          const bool first = IsFirst(tile, row);
          for (size_t o = 0; o < outs; ++o) out[i + o] = first ? y[o] : out[i + o] + y[o];
        }
      }
    }
  }

  // A query sees its own token, so its first tile is of the window.
  bool IsFirst(const Tile& tile, size_t row) const {
    return tile.source == Tile::Source::kWindow && tile.first == SlotsOf(row).origin();
  }

  void FinishHead(size_t row, size_t head, size_t begin, size_t end) const {
    const float sink = reading_.sink[head];
    const SoftmaxSums& sums = SumsOf(row)[head];
    const float above = std::max(sums.largest, sink);
    const float share = std::exp(sums.largest - above);
    const float total = sums.sum * share + std::exp(sink - above);
    float* out = OutOf(row, head);
    compute_.kernels.scale(out + begin, end - begin, share, total);
    compute_.RoundBf16(out + begin, end - begin);
    if (end < width_) return;
    const RotaryAngles angles = reading_.angles.Row(row);
    Rotate(compute_, angles, Turn::kInverse, out, width_);
  }

  const Pass& pass_;
  const Reading& reading_;
  const Compute& compute_;
  Scratch& scratch_;
  const size_t heads_, width_;
  const bool paired_;  // keys and weights are bfloat16
  size_t stride_ = 0;  // slots of a head
  size_t batch_ = 0;   // the first row of those at once
};

}  // namespace

void PrepareHead(const Compute& compute, float* head) {
  const size_t width = compute.sizes.head_dim;
  if (compute.numerics.weights_bf16) {
    compute.kernels.codes_in_place(head, width);
    if (width % 2 != 0) reinterpret_cast<Bf16*>(head)[width] = 0;  // the last pair's other half
  } else if (compute.kernels.gemm_f32.prepare != nullptr) {
    compute.kernels.gemm_f32.prepare(head, width);
  }
}

float* ReadMemory(const Pass& pass, const Reading& reading) {
  const PhaseScope timed(pass.compute.profile, Phase::kAttention);
  Reader(pass, reading).Run();
  return pass.scratch->attended.data();
}

}  // namespace finback
