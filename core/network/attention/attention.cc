#include "core/network/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "core/network/attention/indexer.h"
#include "core/network/attention/reader.h"
#include "core/network/compressor.h"
#include "core/network/products.h"

namespace finback {
namespace {

RotaryAngles AnglesOf(const Pass& pass, LayerKind layer) {
  const RotaryKind kind =
      layer == LayerKind::kWindow ? RotaryKind::kPlain : RotaryKind::kCompressed;
  return pass.scratch->angles[static_cast<size_t>(kind)].Angles(pass.compute.sizes.rope_pairs);
}

// All products that read the layer's input, in one fork. Rows stand in scratch: q_low, kv, and what
// the compressors and the indexer take.
void ProjectInput(const Pass& pass, const AttentionWeights& w, LayerKind kind,
                  const Activation& x) {
  Scratch* scratch = pass.scratch;
  Product products[7];
  size_t count = 0;
  const auto add = [&](const Linear& matrix, Rounding rounding, Buffer<float>& y) {
    products[count++] = ProductOf(matrix, x, rounding, y.data());
  };
  add(w.wq_a, Rounding::kBf16, scratch->q_low);
  add(w.wkv, Rounding::kBf16, scratch->kv);
  if (kind != LayerKind::kWindow) {
    add(w.compressor.wkv, Rounding::kNone, scratch->main_input.kv);
    add(w.compressor.wgate, Rounding::kNone, scratch->main_input.gate);
  }
  if (kind == LayerKind::kCsa) {
    add(w.index_compressor.wkv, Rounding::kNone, scratch->index_input.kv);
    add(w.index_compressor.wgate, Rounding::kNone, scratch->index_input.gate);
    add(w.index_weights, Rounding::kBf16, scratch->index_weight);
  }
  RunProducts(pass.compute, {products, count});
}

// The heads of the attention's queries, normed and rotated, and of the indexer's, in one fork.
// Returns [rows, heads, head_dim], as ReadMemory takes them.
float* MakeQueries(const Pass& pass, const AttentionWeights& w, LayerKind kind,
                   const RotaryAngles& angles) {
  const Compute& compute = pass.compute;
  Scratch* scratch = pass.scratch;
  const size_t rows = pass.rows(), width = compute.sizes.head_dim;
  float* low = scratch->q_low.data();
  RmsNorm(compute, low, rows, w.q_norm, low);
  const Activation normed =
      PrepareActivation(compute, low, rows, w.wq_a.out, scratch->q_low_forms.data());
  float* q = scratch->q.data();
  Product products[2] = {ProductOf(w.wq_b, normed, Rounding::kBf16, q)};
  products[0].unit = width;
  const bool indexes = kind == LayerKind::kCsa;
  if (indexes) {
    products[1] = ProductOf(w.index_wq_b, normed, Rounding::kBf16, scratch->index_q.data());
    products[1].unit = compute.sizes.index_head_dim;
  }
  RunProducts(compute, {products, indexes ? 2u : 1u}, [&](const ProductPiece& piece) {
    const ProductTask& task = products[piece.product].task;
    for (size_t row = 0; row < rows; ++row) {
      float* of_row = task.y + row * task.y_stride;
      const RotaryAngles at = angles.Row(row);
      if (piece.product == 1) {
        RoundIndexQueries(compute, at, piece.begin, piece.end, of_row);
        continue;
      }
      for (size_t begin = piece.begin; begin < piece.end; begin += width) {
        float* head = of_row + begin;
        // In bfloat16 steps, without a weight (docs/architecture.md 3.5).
        compute.kernels.head_norm({.x = head,
                                   .n = width,
                                   .eps = compute.config.rms_norm_eps,
                                   .bf16 = compute.numerics.bf16});
        Rotate(compute, at, Turn::kForward, head, width);
        PrepareHead(compute, head);
      }
    }
  });
  return q;
}

// Makes the tokens' window entries of their projections and stores them.
void AppendWindow(const Pass& pass, const Vector& norm, size_t layer, const RotaryAngles& angles) {
  const Compute& compute = pass.compute;
  const size_t width = compute.sizes.head_dim;
  float* entries = pass.scratch->kv.data();
  RmsNorm(compute, entries, pass.rows(), norm, entries);
  for (const PassSegment& segment : pass.segments) {
    LayerState& state = segment.layers[layer];
    const size_t grain = RowGrain(4 * width);
    compute.parallel.For(segment.rows, grain, [&](size_t begin, size_t end) {
      for (size_t row = segment.begin + begin; row < segment.begin + end; ++row) {
        float* kv = entries + row * width;
        Rotate(compute, angles.Row(row), Turn::kForward, kv, width);
        state.format.Store(compute.kernels, kv, state.WindowEntry(segment.PositionAt(row)));
      }
    });
  }
}

// Each group of heads has its own low-rank projection; then one product over all groups. Prepares
// `attended` in place.
const float* ProjectOutput(const Pass& pass, const AttentionWeights& w, float* attended) {
  const Compute& compute = pass.compute;
  const size_t groups = compute.sizes.o_groups, rank = compute.sizes.o_lora_rank;
  const size_t rows = pass.rows(), low = groups * rank, in = w.wo_a.in;
  float* o_low = pass.scratch->o_low.data();
  PrepareInPlace(compute, w.wo_a, rows * groups, attended);
  Product* products = pass.scratch->products.data();
  for (size_t group = 0; group < groups; ++group) {
    products[group] = {.task = {.w = &w.wo_a,
                                .x = attended + group * in,
                                .x_stride = groups * in,
                                .rows = rows,
                                .begin = group * rank,
                                .end = (group + 1) * rank,
                                .y = o_low,
                                .y_stride = low,
                                .y_origin = 0,
                                .rounding = Rounding::kBf16}};
  }
  RunProducts(compute, {products, groups});
  const Activation input =
      PrepareActivation(compute, o_low, rows, low, pass.scratch->o_low_forms.data());
  return Project(compute, w.wo_b, input, Rounding::kBf16, pass.scratch->y.data());
}

}  // namespace

void AppendToWindow(const Pass& pass, const AttentionWeights& w, size_t layer,
                    const Activation& x) {
  Project(pass.compute, w.wkv, x, Rounding::kBf16, pass.scratch->kv.data());
  AppendWindow(pass, w.kv_norm, layer, AnglesOf(pass, LayerKind::kWindow));
}

const float* Attend(const Pass& pass, const AttentionWeights& w, size_t layer,
                    const Activation& x) {
  const LayerKind kind = pass.compute.config.layers[layer].kind;
  const RotaryAngles angles = AnglesOf(pass, kind);
  ProjectInput(pass, w, kind, x);
  float* queries = MakeQueries(pass, w, kind, angles);
  AppendWindow(pass, w.kv_norm, layer, angles);
  Selection selection;
  if (kind != LayerKind::kWindow) Compress(pass, w.compressor, layer, EntryKind::kMain);
  if (kind == LayerKind::kCsa) {
    Compress(pass, w.index_compressor, layer, EntryKind::kIndex);
    selection = SelectEntries(pass, layer);
  }
  float* attended = ReadMemory(pass, {layer, w.sink, angles, queries, selection});
  return ProjectOutput(pass, w, attended);
}

}  // namespace finback
